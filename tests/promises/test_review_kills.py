"""People decide on what is held while the gateway and their console are killed."""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState
from gateway.domain.records import JournalState
from gateway.runtime.clock import utcnow
from gateway.stores import open_store
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.promises.deployment import Account, Deployment, seeded, source_of, tell
from tests.promises.ledger import LISTS, Ledger, text_of
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

HELD, KILLS, SEED = 1_000, 8, 15
_ROOT = Path(__file__).resolve().parents[2]
_SETTLED = FINAL_STATES | {HoldState.IN_DOUBT}
_PATIENCE_S = 2.0  # for a moment to kill at, which does not come where all is decided


class Reviewer:
    """The process of tests.promises.reviewer on the store of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._url = f"sqlite:///{deployment.directory}/var/smsward.db"
        self._runs = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._runs += 1
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.promises.reviewer"),
            *(self._url, f"{SEED}-{self._runs}", str(HELD // KILLS)),
            cwd=_ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    async def decided(self, count: int) -> None:
        """Wait until it has made so many decisions, or has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        for _ in range(count):
            if not await self._process.stdout.readline():
                return

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()

    async def ended(self) -> int:
        assert self._process is not None
        await self._process.communicate()
        return self._process.returncode or 0


async def test_a_review_amid_kills_of_either_process_ends_each_message_once(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(answer_delay_s=0.02, out_of_order=5)
    deployment = await deploy(Account("sp1", window=HELD))
    deployment.write_policies(LISTS)
    await deployment.start()
    ledger = Ledger(seeded(76), weights=(0, 0, 1))
    esme = await attach(deployment)
    texts = ledger.texts(HELD)
    ledger.enter(texts, await esme.submit_many(texts, 50, source=source_of("sp1")))
    reviewer = Reviewer(deployment)
    await reviewer.start()

    killed = await _kill_either(deployment, smsc, reviewer, attach)
    assert await reviewer.ended() == 0
    held: list[HeldMessage] = []

    async def is_settled() -> bool:
        held[:] = await deployment.held()
        return {message.state for message in held} <= _SETTLED

    await eventually(is_settled)
    in_doubt = [one.message_id for one in held if one.state is HoldState.IN_DOUBT]
    audit, purges = await _give_up(deployment, in_doubt)
    held[:] = await deployment.held()

    upstream = Counter(text_of(received.pdu) for received in smsc.journal)
    ids = {text_of(received.pdu): received.message_id for received in smsc.journal}
    states = Counter(message.state for message in held)
    tell(f"{HELD} reviewed amid {dict(killed)} kill -9: {dict(states)}, {len(in_doubt)} in doubt")
    assert len(held) == HELD
    assert states.keys() == {HoldState.RELEASED, HoldState.DISCARDED}
    assert (audit.problem, purges.problem) == ("", "")
    assert audit.rows > 0
    assert set(upstream.values()) == {1}
    for message in held:
        text = text_of(message.pdu)
        if message.state is HoldState.RELEASED:
            assert ids[text] == message.smsc_message_id
        elif message.message_id not in in_doubt:
            assert text not in upstream
    assert deployment.faults() == []


async def _kill_either(
    deployment: Deployment, smsc: SimulatedSmsc, reviewer: Reviewer, attach: Attach
) -> Counter[str]:
    """Kill the one or the other at random moments, and start it again; return how often which."""
    draw = seeded(SEED)
    killed: Counter[str] = Counter()
    for _ in range(KILLS):
        if draw.random() < 0.5:
            await reviewer.decided(draw.randrange(5, 60))
            await reviewer.kill()
            await reviewer.start()
            killed["reviewer"] += 1
        else:
            with suppress(TimeoutError):
                goal = len(smsc.journal) + draw.randrange(5, 60)
                await asyncio.wait_for(smsc.received(goal), _PATIENCE_S)
            await deployment.kill()
            await deployment.start()
            await attach(deployment)
            killed["gateway"] += 1
    return killed


async def _give_up(deployment: Deployment, in_doubt: list[int]) -> list[JournalState]:
    """Decide, as a person must, that what the SMSC may have is not sent again.

    Returns how far the chains of the audit and of the purges are intact.
    """
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    try:
        desk = QuarantineDesk(stores.quarantine, MessageIds(worker=99))
        await desk.discard_each(in_doubt, "lin", utcnow())
        return await stores.journals.states()
    finally:
        await stores.close()
