"""Peers that do not read: they are paused, then cut, and nobody else notices."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.app.gateway import Gateway
from gateway.dataplane.link import Link
from gateway.proxy import connection as module
from gateway.proxy.connection import LEAST_OCTETS, MOST_OCTETS, Connection, Pause, ReadShare
from gateway.proxy.tick import LongRequests
from gateway.runtime.clock import monotonic
from gateway.session.operations import SessionState, Side
from gateway.session.timers import Timers
from gateway.settings.gateway import Limits
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus, header_of

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN = builders.ucs2("您的快件已到")
LONG_TEXT = builders.ucs2("您的快件已到。" * 4_000)
RESPONSE_S = Timers().response_s
# What the socket buffers of loopback take is megabytes: a flood has to be larger.
FLOOD = b"".join(
    builders.deliver_sm(DESTINATION, SOURCE, b"x" * 250, data_coding=4, sequence=n)
    for n in range(1, 1001)
)


def submit(sequence: int) -> bytes:
    return builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=sequence)


@pytest.fixture
def judge_long_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let long requests not wait for each other: they are to fill a socket."""
    monkeypatch.setattr(LongRequests, "judged", lambda _self, _now, _took_s: None)


def side(gateway: Gateway, which: Side) -> Connection:
    """Return the connection of the first session that faces `which`."""
    session = next(iter(gateway.sessions.pairs))
    link: Link | None = session if which is Side.ESME else session.peer
    assert link is not None
    return gateway.tick.connections[link]


async def flood(gateway: Gateway, smsc: SimulatedSmsc, is_met: Callable[[], bool]) -> None:
    """Deliver to an SP that does not read, until the gateway has noticed.

    Not more than a slow gateway can take: what it is asked later waits behind all of it.
    """
    gateway.plane.deliver_window = 1_000_000
    async with asyncio.timeout(60):
        while not is_met():
            if smsc.inject("sp1", b"") < len(FLOOD):
                smsc.inject("sp1", FLOOD)
            await asyncio.sleep(0)  # a turn in which the gateway can read it


async def test_an_sp_that_does_not_read_is_not_read_either_nor_is_who_feeds_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    idle, other = await attach(gateway), await attach(gateway)
    esme, feeder = side(gateway, Side.ESME), side(gateway, Side.SMSC)
    idle.pause()

    await flood(gateway, smsc, lambda: esme.is_paused_for(Pause.UNREAD))
    assert feeder.is_paused_for(Pause.PEER)
    answers = await other.submit_many(["您好"] * 50, window=10)
    idle.resume()
    await until(lambda: not esme.is_paused_for(Pause.UNREAD))

    assert {answer.command_status for answer in answers} == {CommandStatus.ESME_ROK}
    assert not feeder.is_paused_for(Pause.PEER)
    assert (await idle.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_an_sp_that_never_reads_is_cut_and_its_smsc_side_goes_with_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until, log: LogLines
) -> None:
    idle = await attach(gateway)
    esme = side(gateway, Side.ESME)
    idle.pause()
    await flood(gateway, smsc, lambda: esme.is_paused_for(Pause.UNREAD))

    gateway.keeper.sweep(monotonic() + RESPONSE_S - 1)
    assert esme.is_open
    gateway.keeper.sweep(monotonic() + RESPONSE_S)
    await until(lambda: not gateway.sessions.pairs)
    gateway.keeper.sweep(monotonic() + RESPONSE_S)

    await until(lambda: not gateway.tick.connections)
    assert "it does not read its answers" in [line.get("reason") for line in log]


@pytest.mark.asyncio(loop_factories=["asyncio"])  # a simulated SP resets on no other
async def test_an_sp_that_is_reset_while_it_does_not_read_leaves_nothing_behind(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    idle = await attach(gateway)
    feeder = side(gateway, Side.SMSC)
    idle.pause()
    await flood(gateway, smsc, lambda: feeder.is_paused_for(Pause.PEER))

    idle.abort()
    await until(lambda: not gateway.sessions.pairs)

    await smsc.until(lambda: smsc.counters.unbinds == 1)
    await until(lambda: not gateway.tick.connections)


async def test_an_sp_that_lets_megabytes_pile_up_is_cut_at_once(
    gateway: Gateway, attach: Attach, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_UNSENT", 300_000)
    idle, other = await attach(gateway), await attach(gateway)
    esme = side(gateway, Side.ESME)
    idle.pause()

    # Not through the SMSC, which is paused long before: so would be an answer to each of a
    # million requests in flight.
    async with asyncio.timeout(60):
        while esme.is_open:
            esme.write(FLOOD)
            await asyncio.sleep(0)

    await until(lambda: len(gateway.sessions.pairs) == 1)
    assert (await other.submit(SOURCE, DESTINATION, "您好")).is_ok


@pytest.mark.usefixtures("judge_long_at_once")
async def test_an_smsc_that_does_not_read_stops_who_feeds_it_and_nobody_else(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    feeder, other = await attach(gateway), await attach(gateway)
    esme, upstream = side(gateway, Side.ESME), side(gateway, Side.SMSC)
    smsc.sessions[0].stall(is_stalled=True)
    payload = builders.payload_submit_sm(SOURCE, DESTINATION, LONG_TEXT)
    requests = [payload[:12] + n.to_bytes(4, "big") + payload[16:] for n in range(1, 201)]

    pumping = asyncio.gather(feeder.flood(requests, window=200))
    await until(lambda: esme.is_paused_for(Pause.PEER))
    assert upstream.is_paused_for(Pause.UNREAD)
    answers = await other.submit_many(["您好"] * 50, window=10)
    smsc.sessions[0].stall(is_stalled=False)
    (pumped,) = await pumping

    assert {answer.command_status for answer in answers} == {CommandStatus.ESME_ROK}
    assert [header_of(octets or b"").command_status for octets in pumped] == [0] * 200
    assert smsc.counters.messages == 250


@pytest.mark.usefixtures("judge_long_at_once")
async def test_who_fed_an_smsc_that_was_cut_for_not_reading_is_read_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    feeder = await attach(gateway)
    esme, upstream = side(gateway, Side.ESME), side(gateway, Side.SMSC)
    stalled = smsc.sessions[0]
    stalled.stall(is_stalled=True)
    payload = builders.payload_submit_sm(SOURCE, DESTINATION, LONG_TEXT)
    requests = [payload[:12] + n.to_bytes(4, "big") + payload[16:] for n in range(1, 201)]
    pumping = asyncio.gather(feeder.flood(requests, window=200))
    await until(lambda: esme.is_paused_for(Pause.PEER))

    upstream.abort()
    (pumped,) = await pumping
    answer = await feeder.submit(SOURCE, DESTINATION, "您好")
    stalled.stall(is_stalled=False)

    statuses = {header_of(octets or b"").command_status for octets in pumped}
    assert statuses <= {CommandStatus.ESME_RSYSERR, CommandStatus.ESME_ROK}
    assert answer.is_ok


async def test_what_has_no_room_waits_in_its_socket(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(limits=Limits(window=1))
    esme = await attach(gateway)
    connection = side(gateway, Side.ESME)
    smsc.pause()

    many = [submit(number) for number in range(1, 3001)]
    pumping = asyncio.gather(esme.flood(many, window=3000))
    await until(lambda: connection.is_paused_for(Pause.WINDOW))
    waiting = len(connection.link.tail)
    smsc.resume()
    (answers,) = await pumping

    assert 64 * 1024 <= waiting < 64 * 1024 + 2 * MOST_OCTETS
    assert [header_of(octets or b"").command_status for octets in answers] == [0] * 3000
    assert smsc.counters.messages == 3000
    assert not connection.is_paused_for(Pause.WINDOW)


def test_the_more_are_busy_the_less_each_is_read() -> None:
    share = ReadShare()

    rooms = []
    for busy in (0, 1, 5, 1000):
        share.among(busy, 40 * 1024)
        rooms.append(share.octets)
        assert len(share.room) == share.octets

    assert rooms == [MOST_OCTETS, MOST_OCTETS, 8192, LEAST_OCTETS]


async def test_a_connection_that_never_opened_can_be_given_up(gateway: Gateway) -> None:
    link = Link(1, Side.SMSC, 10, 0.0)
    connection = Connection(gateway.tick, link)

    connection.pause(Pause.PEER)
    connection.resume(Pause.PEER)
    connection.write(b"lost")
    connection.close()
    connection.abort()

    assert link.state is SessionState.CLOSED
    assert link not in gateway.tick.connections
