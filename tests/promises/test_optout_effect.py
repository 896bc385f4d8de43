"""A refusal holds a second after it is on record, whichever process took it, under full load."""

import asyncio
import itertools
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256

import httpx
import pytest

from gateway.runtime.clock import epoch
from gateway.storage.change_feed import ChangeKind
from gateway.stores import open_store
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import Account, Deployment, GatewayProcess, source_of, tell
from tests.real_time import WITHIN_S

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

TEXT = builders.ucs2("【示例】秋冬新品五折，拒收请回复R")
NUMBERS = [str(number) for number in range(13800138000, 13800138200)]
TOKEN = "the-token-of-the-promises-and-of-nobody-else"
LIMIT_S = 1.0
AT_ONCE, WINDOW, AFTER_S = 1_000, 100, 1.5
REPLIES = "version: 1\nopted_out: 您已退订\nrestored: 您已恢复\n"
API = f"""\
version: 1
address: "127.0.0.1:0"
clients:
  - {{name: shop, role: sp, system_id: sp1, token: "sha256:{sha256(TOKEN.encode()).hexdigest()}"}}
"""


@pytest.fixture
async def deployment(deploy: Deploy) -> Deployment:
    deployment = await deploy(Account("sp1"))
    deployment.write_policies({}, opt_out=True)
    (deployment.directory / "policies" / "replies.yaml").write_text(REPLIES, encoding="utf-8")
    (deployment.directory / "config" / "console.yaml").write_text(API, encoding="utf-8")
    await deployment.start()
    return deployment


@pytest.fixture
async def api(deployment: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    """The API as a process of its own on the gateway's store."""
    process = await GatewayProcess.start(deployment.directory, "console", "--config", "config")
    await process.logged("api.opened")
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{process.port_of('api.opened')}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        trust_env=False,
        timeout=WITHIN_S,
    ) as client:
        yield client
    process.signal(signal.SIGKILL)
    await process.ended()


async def test_r31_r21_nothing_received_a_second_after_a_refusal_is_passed_on(
    smsc: SimulatedSmsc, deployment: Deployment, api: httpx.AsyncClient, attach: Attach
) -> None:
    esme = await attach(deployment)
    by_message, by_api, by_command = NUMBERS[:4], NUMBERS[4:8], NUMBERS[8:10]
    refusers = {*by_message, *by_api, *by_command}
    is_over = asyncio.Event()

    async with asyncio.TaskGroup() as group:
        group.create_task(_send(esme, is_over))
        await smsc.received(len(NUMBERS))
        for number in by_message:
            assert await smsc.deliver("sp1", number, source_of("sp1"), "TD") == 0
        for number in by_api:
            answer = await api.post("/v1/optouts", json={"numbers": [number]})
            assert answer.status_code == 200
        for number in by_command:
            await _refuse_by_command(deployment, number)
        last = epoch()
        while epoch() < last + AFTER_S:
            await smsc.received(smsc.counters.messages + AT_ONCE // 2)
        is_over.set()
    assert await deployment.drain() == 0

    committed = await _commits(deployment)
    decided = _decisions(deployment, refusers)
    assert committed.keys() == refusers
    later = {
        number: [action for at, action in decided[number] if at > committed[number] + LIMIT_S]
        for number in refusers
    }
    forwards = {n: [at for at, action in decided[n] if action == "forward"] for n in refusers}
    longest = max(max(forwards[number]) - committed[number] for number in refusers)
    tell(
        f"refusals: {len(refusers)} amid {smsc.counters.messages} messages; the last to pass came"
        f" {max(0.0, longest):.3f} s after a commit"
    )
    assert all(forwards.values())
    assert all(later.values())
    assert {action for actions in later.values() for action in actions} == {"reject"}
    assert deployment.faults() == []


async def _send(esme: RawEsme, is_over: asyncio.Event) -> None:
    numbers = itertools.cycle(NUMBERS)
    while not is_over.is_set():
        answers = await esme.flood(list(_submits(esme, numbers)), WINDOW)
        assert None not in answers


def _submits(esme: RawEsme, numbers: Iterator[str]) -> Iterator[bytes]:
    for number in itertools.islice(numbers, AT_ONCE):
        yield builders.submit_sm(source_of("sp1"), number, TEXT, sequence=esme.next_sequence())


async def _refuse_by_command(deployment: Deployment, number: str) -> None:
    command = ("consent", "refuse", "--system-id", "sp1", "--config", "config", number)
    process = await GatewayProcess.start(deployment.directory, *command)
    assert await process.ended() == 0


async def _commits(deployment: Deployment) -> Mapping[str, float]:
    """Return when each refusal was put on record, by number as the SP writes it."""
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    found: dict[str, float] = {}
    for change in await stores.changes.changes(0):
        if change.kind is ChangeKind.CONSENT:
            rows = await stores.consent.answers_changed(change.number - 1, change.number)
            found |= {str(msisdn)[2:]: change.at.timestamp() for msisdn, _, _ in rows}
    await stores.close()
    return found


def _decisions(
    deployment: Deployment, numbers: set[str]
) -> Mapping[str, list[tuple[float, object]]]:
    """Return when the gateway received each message to `numbers`, and what it did with it."""
    found: defaultdict[str, list[tuple[float, object]]] = defaultdict(list)
    for record in deployment.records():
        if record["kind"] == "decision" and record["destination"] in numbers:
            at = datetime.fromisoformat(str(record["at"])).timestamp()
            found[str(record["destination"])].append((at, record["action"]))
    return found
