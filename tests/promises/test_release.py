"""What people let go reaches the SMSC once, or is marked as in doubt; never twice."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.runtime.clock import utcnow
from gateway.stores import open_store
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.promises.deployment import Account, Deployment, seeded, source_of, tell
from tests.promises.ledger import LISTS, Ledger, text_of
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

HELD = 600
KILL_AFTER = (150, 350)
_SETTLED = {HoldState.RELEASED, HoldState.IN_DOUBT}


async def test_a_release_amid_kills_reaches_the_smsc_at_most_once(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(answer_delay_s=0.05, out_of_order=5)
    deployment = await deploy(Account("sp1", window=HELD))
    deployment.write_policies(LISTS)
    await deployment.start()
    ledger = Ledger(seeded(75), weights=(0, 0, 1))
    esme = await attach(deployment)
    texts = ledger.texts(HELD)
    ledger.enter(texts, await esme.submit_many(texts, 50, source=source_of("sp1")))
    assert await _release_all(deployment) == HELD

    for count in KILL_AFTER:
        await smsc.received(count)
        await deployment.kill()
        await deployment.start()
        await attach(deployment)
    held: list[HeldMessage] = []

    async def is_settled() -> bool:
        held[:] = await deployment.held()
        return {message.state for message in held} <= _SETTLED

    await eventually(is_settled)

    upstream = Counter(text_of(received.pdu) for received in smsc.journal)
    ids = {text_of(received.pdu): received.message_id for received in smsc.journal}
    states = Counter(message.state for message in held)
    released = [message for message in held if message.state is HoldState.RELEASED]
    tell(f"release amid {len(KILL_AFTER)} kill -9: {dict(states)}, {upstream.total()} at the SMSC")
    assert len(held) == HELD
    assert set(upstream.values()) == {1}
    assert [m for m in released if ids.get(text_of(m.pdu)) != m.smsc_message_id] == []
    # A kill leaves no more in doubt than may be under way at once.
    assert 0 < states[HoldState.IN_DOUBT] <= 200 * len(KILL_AFTER)
    assert states[HoldState.RELEASED] > 0
    assert deployment.faults() == []


async def _release_all(deployment: Deployment) -> int:
    """Ask for the release of everything, as people do from another process."""
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    try:
        desk = QuarantineDesk(stores.quarantine, MessageIds(worker=99))
        outcomes = await asyncio.gather(
            *(
                desk.request_release(message.message_id, "zhao", utcnow())
                for message in await deployment.held()
            )
        )
    finally:
        await stores.close()
    return sum(isinstance(outcome, ActResult) for outcome in outcomes)
