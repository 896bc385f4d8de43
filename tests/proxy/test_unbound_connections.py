"""What strangers and idle peers can take from SPs: a bounded number of places, and no more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.app.gateway import Gateway
from gateway.dataplane import relay
from gateway.proxy import sessions
from gateway.proxy.connection import Pause
from gateway.proxy.sessions import UnboundConnections
from gateway.runtime import acceptor
from gateway.settings.gateway import Limits
from simulators import builders
from simulators.esme import RawEsme
from simulators.wire import RESPONSE, CommandId, CommandStatus, header_of

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"
SP_ADDRESS = "127.0.0.2"


async def connect_from(address: str, gateway: Gateway) -> RawEsme:
    _, esme = await asyncio.get_running_loop().create_connection(
        RawEsme, *gateway.addresses["plain"], local_addr=(address, 0)
    )
    return esme


@contextlib.asynccontextmanager
async def crowd(gateway: Gateway, count: int, address: str) -> AsyncIterator[list[RawEsme]]:
    """Open so many connections of one address that say nothing."""
    strangers = [await connect_from(address, gateway) for _ in range(count)]
    yield strangers
    for stranger in strangers:
        stranger.abort()
        await stranger.lost()


async def test_an_address_that_opens_too_many_connections_is_refused_and_others_are_not(
    start: Start, until: Until
) -> None:
    gateway = await start(limits=Limits(connections_per_s=1, connections_at_once=5))

    async with crowd(gateway, 60, "127.0.0.9") as strangers:
        await until(lambda: gateway.sessions.unbound.refused["rate"] >= 50)
        admitted = 60 - gateway.sessions.unbound.refused["rate"]
        esme = await connect_from(SP_ADDRESS, gateway)
        async with esme:
            status = await esme.bind("sp1", "secret")

    assert status == CommandStatus.ESME_ROK
    assert 5 <= admitted <= 10
    assert sum(one.is_lost for one in strangers) == 60


@pytest.mark.parametrize(
    ("per_s", "at_once", "of_sp", "of_stranger"), [(100, 1_000, 1_000, 100), (5, 15, 15, 15)]
)
def test_a_stranger_opens_a_tenth_of_what_an_sp_may_but_small_limits_are_for_both(
    monkeypatch: pytest.MonkeyPatch, per_s: float, at_once: int, of_sp: int, of_stranger: int
) -> None:
    monkeypatch.setattr(sessions, "monotonic", lambda: 0.0)
    unbound = UnboundConnections(
        Limits(connections_per_s=per_s, connections_at_once=at_once), {SP_ADDRESS}.__contains__
    )

    admitted = [
        sum(unbound.admits(address) for _ in range(2_000)) for address in (SP_ADDRESS, "127.0.0.9")
    ]

    assert admitted == [of_sp, of_stranger]
    assert unbound.refused["rate"] == 4_000 - of_sp - of_stranger


async def test_a_crowd_of_many_addresses_does_not_keep_an_sp_out(start: Start) -> None:
    gateway = await start(limits=Limits(sessions=32))

    async with contextlib.AsyncExitStack() as stack:
        for number in range(10, 40):
            await stack.enter_async_context(crowd(gateway, 4, f"127.0.1.{number}"))
        esme = await stack.enter_async_context(await connect_from(SP_ADDRESS, gateway))
        status = await esme.bind("sp1", "secret")
        answer = await esme.submit(SOURCE, DESTINATION, "您的快件已到")
        waiting = len(gateway.sessions.unbound)

    assert status == CommandStatus.ESME_ROK
    assert answer.is_ok
    assert waiting <= 16


async def test_strangers_do_not_take_the_places_of_an_address_that_is_known(start: Start) -> None:
    gateway = await start(limits=Limits(sessions=32))
    async with await connect_from(SP_ADDRESS, gateway) as first:
        await first.bind("sp1", "secret")
        await first.unbind()
    waiting = await connect_from(SP_ADDRESS, gateway)

    async with contextlib.AsyncExitStack() as stack:
        for number in range(10, 20):
            await stack.enter_async_context(crowd(gateway, 4, f"127.0.1.{number}"))
        async with waiting:
            status = await waiting.bind("sp1", "secret")

    assert status == CommandStatus.ESME_ROK


async def test_a_stranger_gets_twenty_answers_and_is_closed(
    gateway: Gateway, attach: Attach, until: Until
) -> None:
    stranger = await attach(gateway, kind=None)

    await stranger.send(b"".join(builders.enquire_link(number) for number in range(1, 501)))
    await stranger.lost()

    assert len(stranger.strays) == relay.CONTROLS_UNBOUND
    await until(lambda: len(gateway.sessions.unbound) == 0)


async def test_a_bound_sp_that_floods_with_enquiries_waits_and_is_answered_in_the_end(
    gateway: Gateway, attach: Attach, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_INTERVAL_S", 0.0005)
    monkeypatch.setattr(relay, "_TOLERANCE_S", 0.05)
    flooding, other = await attach(gateway), await attach(gateway)
    session = next(iter(gateway.sessions.pairs))
    connection = gateway.tick.connections[session]

    await flooding.send(b"".join(builders.enquire_link(number) for number in range(1, 1001)))
    await until(lambda: connection.is_paused_for(Pause.CONTROL))
    during = await other.submit(SOURCE, DESTINATION, "您的快件已到")
    last = await flooding.request(builders.enquire_link(2000))
    after = await flooding.submit(SOURCE, DESTINATION, "您的快件已到")

    assert during.is_ok
    assert header_of(last).command_id == CommandId.ENQUIRE_LINK | RESPONSE
    assert after.is_ok
    assert len(flooding.strays) == 1000
    assert not flooding.is_lost


async def test_a_pdu_begun_before_the_wait_is_not_held_against_the_sp(
    gateway: Gateway, attach: Attach, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_INTERVAL_S", 0.0005)
    monkeypatch.setattr(relay, "_TOLERANCE_S", 0.05)
    flooding = await attach(gateway)
    (session,) = gateway.sessions.pairs
    connection = gateway.tick.connections[session]

    await flooding.send(builders.enquire_link(1) * 500 + builders.enquire_link(2)[:9])
    await until(lambda: connection.is_paused_for(Pause.CONTROL))
    session.clocks.partial_since = 0.0
    gateway.keeper.sweep(session.clocks.last_octets_at + 20)
    await until(lambda: not connection.is_paused_for(Pause.CONTROL))

    assert connection.is_open
    assert session.clocks.partial_since > 0


async def test_out_of_descriptors_the_listener_rests_and_goes_on(
    gateway: Gateway, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "_REST_S", 0.01)
    ((listening,),) = gateway._listeners._acceptors.values()
    refusals = [OSError(24, "too many open files")]
    real = listening._listener

    class Exhausted:
        def accept(self) -> object:
            if refusals:
                raise refusals.pop()
            return real.accept()

        def fileno(self) -> int:
            return real.fileno()

        def close(self) -> None:
            real.close()

    monkeypatch.setattr(listening, "_listener", Exhausted())

    esme = await attach(gateway)

    assert not refusals
    assert (await esme.submit(SOURCE, DESTINATION, "您的快件已到")).is_ok
