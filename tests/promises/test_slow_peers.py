"""Promise 5: who does not read, does not speak or does not stay leaves nothing behind."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable

import pytest

from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, seeded, source_of, tell
from tests.promises.ledger import Ledger
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

REFUSED = 100_000
DELIVERIES, DELIVER_WINDOW = 50_000, 1_000
IDLE = 200
CHURN, AT_ONCE = 500, 20
# The neighbours' texts, no two alike, fill the cache of texts meanwhile: some 25 MiB of it.
GROWTH_OCTETS = 50 << 20
SPARE_DESCRIPTORS = 8


async def test_an_sp_that_never_reads_is_cut_and_costs_little(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"), Account("sp2"), timers={"response_s": 2})
    await deployment.start()
    deaf, light = await _narrow(deployment.port), await attach(deployment, "sp2")
    assert await deaf.bind("sp1", PASSWORD) == 0
    await light.submit(source_of("sp2"), "13800138000", "您的订单已发出")
    rss_octets, largest = deployment.running.rss_octets(), 0
    beside = Ledger(seeded(80), weights=(1, 0, 0))

    deaf.pause()
    # What is refused is answered at once, whatever the window.
    foreign = builders.submit_sm(source_of("sp2"), "13800138000", b"") * REFUSED
    async with asyncio.TaskGroup() as group:
        group.create_task(_send_until_cut(deaf, foreign))
        while not deployment.running.events("esme.closed"):
            texts = beside.texts(50)
            beside.enter(texts, await light.submit_many(texts, 10, source=source_of("sp2")))
            largest = max(largest, deployment.running.rss_octets() - rss_octets)
        deaf.abort()
    await smsc.bound(1)

    tell(
        f"never reads: cut after {len(beside.answers)} messages of its neighbour,"
        f" memory {largest / 2**20:+.1f} MiB at most"
    )
    assert len(beside.accepted()) == len(beside.answers) > 0
    assert largest < GROWTH_OCTETS
    assert "does not read" in str(deployment.running.events("esme.closed")[0]["reason"])
    assert deployment.faults() == []


async def _narrow(port: int) -> RawEsme:
    """Connect with so little room for answers that a few thousand fill it."""
    loop, narrow = asyncio.get_running_loop(), socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    narrow.setblocking(False)
    await loop.sock_connect(narrow, ("127.0.0.1", port))
    _, esme = await loop.create_connection(RawEsme, sock=narrow)
    return esme


async def test_an_sp_that_does_not_read_its_deliveries_costs_little(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"), Account("sp2"), timers={"response_s": 1})
    await deployment.start()
    deaf, light = await attach(deployment, "sp1"), await attach(deployment, "sp2")
    await light.submit(source_of("sp2"), "13800138000", "您的订单已发出")
    rss_octets, largest = deployment.running.rss_octets(), 0
    beside = Ledger(seeded(83), weights=(1, 0, 0))

    deaf.pause()
    smsc.inject("sp1", _deliveries(DELIVERIES))
    # What the SP leaves unanswered the SMSC hears of, a window at a time, and keeps.
    while smsc.counters.stray_answers < 2 * DELIVER_WINDOW:
        texts = beside.texts(50)
        beside.enter(texts, await light.submit_many(texts, 10, source=source_of("sp2")))
        largest = max(largest, deployment.running.rss_octets() - rss_octets)

    tell(
        f"does not read deliveries: {smsc.counters.stray_answers} of {DELIVERIES} given back,"
        f" {len(beside.accepted())} messages beside it, memory {largest / 2**20:+.1f} MiB at most"
    )
    assert len(beside.accepted()) == len(beside.answers) > 0
    assert largest < GROWTH_OCTETS
    assert deployment.faults() == []


async def test_connections_that_say_nothing_are_closed_and_cost_nobody_else(
    deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"), timers={"session_init_s": 2})
    await deployment.start()
    busy = await attach(deployment)
    beside = Ledger(seeded(81), weights=(1, 0, 0))

    idle = [await attach(deployment, kind=None) for _ in range(IDLE)]
    texts = beside.texts(5_000)
    beside.enter(texts, await busy.submit_many(texts, 50, source=source_of("sp1")))
    async with asyncio.TaskGroup() as group:
        for esme in idle:
            group.create_task(esme.lost())
    open_sessions = await deployment.metric("smsward_sessions", side="esme")

    tell(f"say nothing: {IDLE} closed, {len(beside.accepted())} messages beside them")
    assert len(beside.accepted()) == len(texts)
    assert open_sessions == 1
    assert not busy.is_lost
    assert deployment.faults() == []


async def test_binds_that_come_and_go_leave_nothing_behind(
    smsc: SimulatedSmsc, deploy: Deploy
) -> None:
    deployment = await deploy(Account("sp1"))
    await deployment.start()
    churn = _Churn(deployment, seeded(82))
    await churn.run(CHURN // 5)
    await smsc.until(lambda: not smsc.sessions)
    running = deployment.running
    before = running.rss_octets(), running.descriptors(), running.threads()

    await churn.run(CHURN)
    await smsc.until(lambda: not smsc.sessions)

    async def is_empty() -> bool:
        return not await deployment.metric("smsward_sessions")

    await eventually(is_empty)
    after = running.rss_octets(), running.descriptors(), running.threads()
    in_flight = await deployment.metric("smsward_in_flight")
    tell(
        f"churn: {CHURN} connections, {churn.bound} binds in all; memory"
        f" {(after[0] - before[0]) / 2**20:+.1f} MiB, descriptors {before[1]} -> {after[1]},"
        f" threads {before[2]} -> {after[2]}"
    )
    assert churn.bound > CHURN // 2
    assert in_flight == 0
    assert after[0] - before[0] < GROWTH_OCTETS
    assert after[1] <= before[1] + SPARE_DESCRIPTORS
    # The pool of worker threads grows to its fixed size and no further.
    assert after[2] <= before[2] + SPARE_DESCRIPTORS
    assert deployment.faults() == []


class _Churn:
    """Connects, goes some way towards a message, and leaves in one of all the ways."""

    def __init__(self, deployment: Deployment, draw: random.Random) -> None:
        self.bound = 0
        self._deployment = deployment
        self._draw = draw
        self._left = 0

    async def run(self, count: int) -> None:
        self._left = count
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._come_and_go())

    async def _come_and_go(self) -> None:
        while self._left > 0:
            self._left -= 1
            esme = await RawEsme.connect("127.0.0.1", self._deployment.port)
            await self._draw.choice((self._stay_a_while, self._leave_amid_bind, self._unbind))(esme)
            self._draw.choice((esme.close, esme.abort))()
            await esme.lost()

    async def _bind(self, esme: RawEsme) -> None:
        assert await esme.bind("sp1", PASSWORD, self._draw.choice(("tx", "trx"))) == 0
        self.bound += 1

    async def _stay_a_while(self, esme: RawEsme) -> None:
        await self._bind(esme)
        # Left before the answers come.
        for serial in range(self._draw.randint(0, 20)):
            octets = builders.ucs2(f"您的订单已发出 {serial}")
            source = source_of("sp1")
            await esme.send(
                builders.submit_sm(source, "13800138000", octets, sequence=esme.next_sequence())
            )

    async def _leave_amid_bind(self, esme: RawEsme) -> None:
        octets = builders.bind("sp1", PASSWORD)
        await esme.send(octets[: self._draw.choice((5, 20, len(octets)))])

    async def _unbind(self, esme: RawEsme) -> None:
        await self._bind(esme)
        await esme.unbind()


async def _send_until_cut(esme: RawEsme, octets: bytes) -> None:
    try:
        await esme.send(octets)
    except (ConnectionError, TimeoutError):
        return


def _deliveries(count: int) -> bytes:
    octets = builders.ucs2("退订")
    return b"".join(
        builders.deliver_sm("13800138000", source_of("sp1"), octets, sequence=sequence)
        for sequence in range(1, count + 1)
    )
