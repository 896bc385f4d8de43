"""What becomes of whoever is silent, slow or unfinished. Time is passed on, never waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.runtime.clock import monotonic
from gateway.runtime.tasks import spawn
from gateway.session.operations import Side
from gateway.session.timers import Timers
from gateway.settings.gateway import GatewaySettings
from gateway.settings.smscs import Smsc
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandId, CommandStatus, header_of

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
TIMERS = Timers(reconnect_max_s=0.1)


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    """A gateway with the timers that are shipped."""
    return replace(settings, timers=TIMERS)


def submit(sequence: int) -> bytes:
    octets = builders.ucs2("您的快件已到")
    return builders.submit_sm(SOURCE, DESTINATION, octets, sequence=sequence)


async def test_who_does_not_bind_in_time_is_cut(
    gateway: Gateway, attach: Attach, until: Until
) -> None:
    esme = await attach(gateway, kind=None)
    await until(lambda: len(gateway.tick.connections) == 1)

    gateway.keeper.sweep(monotonic() + TIMERS.session_init_s - 1)
    assert not esme.is_lost
    gateway.keeper.sweep(monotonic() + TIMERS.session_init_s)

    await esme.lost()


async def test_who_has_sent_its_bind_is_answered_also_where_the_smsc_takes_all_the_time(
    start: Start, attach: Attach, serve: Serve
) -> None:
    heard = asyncio.Event()

    async def say(_octets: bytes) -> bytes:
        heard.set()
        return b""

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)
    binding = spawn(esme.bind("sp1", "secret"), name="binding")
    await heard.wait()

    gateway.keeper.sweep(monotonic() + TIMERS.session_init_s)

    assert await binding == CommandStatus.ESME_RBINDFAIL


async def test_a_pdu_that_trickles_in_is_not_waited_for(
    gateway: Gateway, attach: Attach, until: Until
) -> None:
    esme, other = await attach(gateway), await attach(gateway)
    session = next(iter(gateway.sessions.pairs))
    await esme.send(submit(1)[:-1])
    await until(lambda: bool(session.tail))

    gateway.keeper.sweep(monotonic() + TIMERS.pdu_read_s)

    await esme.lost()
    assert (await other.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_both_sides_are_asked_for_a_sign_of_life_and_kept_when_they_give_one(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    esme = await attach(gateway)
    links = list(gateway.tick.connections)
    for link in links:
        link.clocks.last_octets_at -= TIMERS.enquire_link_s

    asked_at = monotonic()
    gateway.keeper.sweep(asked_at)
    asked = await esme.next_pdu()
    await smsc.until(lambda: smsc.counters.enquire_links == 1)
    await until(lambda: all(link.clocks.last_octets_at >= asked_at for link in links))
    gateway.keeper.sweep(asked_at + TIMERS.response_s)

    assert header_of(asked).command_id == CommandId.ENQUIRE_LINK
    assert list(gateway.tick.connections) == links
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_an_sp_that_gives_no_sign_of_life_is_cut(
    gateway: Gateway, attach: Attach, log: LogLines
) -> None:
    esme = await attach(gateway)
    esme.answers_requests = False

    gateway.keeper.sweep(monotonic() + TIMERS.enquire_link_s)
    await esme.next_pdu()
    gateway.keeper.sweep(monotonic() + TIMERS.enquire_link_s + TIMERS.response_s)

    await esme.lost()
    reasons = [
        line["reason"] for line in log if line["event"] == "esme.closed" and "reason" in line
    ]
    assert reasons == ["it gave no sign of life"]


async def test_an_smsc_that_gives_no_sign_of_life_is_left_and_dialled_again(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(timers=TIMERS)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    link = session.peer
    assert link is not None

    smsc.pause()
    gateway.keeper.sweep(monotonic() + TIMERS.enquire_link_s)
    # As if the enquiry had been sent that long ago: the SP shall not be cut with it.
    link.clocks.last_octets_at -= 2 * TIMERS.response_s
    link.clocks.enquiry_sent_at = monotonic() - TIMERS.response_s
    gateway.keeper.sweep(monotonic())
    await until(lambda: link not in gateway.tick.connections)
    smsc.resume()
    await until(lambda: session.peer is not None)

    assert session.peer is not link
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_an_sp_without_traffic_is_unbound_and_its_smsc_side_follows(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    esme = await attach(gateway)

    gateway.keeper.sweep(monotonic() + TIMERS.inactivity_s)

    assert header_of(await esme.next_pdu()).command_id == CommandId.UNBIND
    await esme.lost()
    await smsc.until(lambda: smsc.counters.unbinds == 1)
    await until(lambda: not gateway.tick.connections)


async def test_an_sp_that_does_not_answer_our_unbind_is_cut(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)
    esme.answers_requests = False
    gateway.keeper.sweep(monotonic() + TIMERS.inactivity_s)
    await esme.next_pdu()

    gateway.keeper.sweep(monotonic() + TIMERS.response_s)

    await esme.lost()


async def test_a_submit_the_smsc_does_not_answer_is_answered_for_it_once(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    waiting = asyncio.gather(esme.request(submit(1)))
    await smsc.received(1)

    gateway.keeper.sweep(monotonic() + TIMERS.response_s)
    (answer,) = await waiting
    smsc.release_answers()
    await until(lambda: gateway.plane.tally.late == 1)

    assert header_of(answer).command_status == CommandStatus.ESME_RSYSERR
    assert (await esme.request(builders.enquire_link(2)))[12:16] == b"\0\0\0\2"
    assert esme.strays == []


async def test_an_unbind_that_waits_for_an_answer_that_never_comes_is_answered_all_the_same(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(submit(1) + builders.unbind(2))
    await smsc.received(1)

    gateway.keeper.sweep(monotonic() + TIMERS.response_s - 1)
    assert esme.strays == []
    gateway.keeper.sweep(monotonic() + TIMERS.response_s)
    await esme.lost()

    statuses = [header_of(octets).command_status for octets in esme.strays]
    assert statuses == [CommandStatus.ESME_RSYSERR, CommandStatus.ESME_ROK]


async def test_a_delivery_the_sp_does_not_answer_is_given_back(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    esme.answers_requests = False
    delivery = spawn(smsc.deliver("sp1", DESTINATION, SOURCE, "TD"), name="smsc")
    await esme.next_pdu()

    gateway.keeper.sweep(monotonic() + TIMERS.response_s)

    assert await delivery == CommandStatus.ESME_RX_T_APPN


async def test_an_sp_that_went_leaves_its_smsc_side_when_the_smsc_never_answers(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(submit(1))
    await smsc.received(1)
    esme.close()
    await until(lambda: not gateway.sessions.pairs)

    gateway.keeper.sweep(monotonic() + TIMERS.response_s)

    await smsc.until(lambda: smsc.counters.unbinds == 1)
    await until(lambda: not gateway.tick.connections)


async def test_silence_that_is_our_doing_is_not_held_against_an_sp(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(timers=Timers(response_s=60))
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    session.window = 1
    await esme.send(b"".join(submit(number) for number in range(1, 1500)))
    connection = gateway.tick.connections[session]
    await until(lambda: connection.link.is_blocked and len(session.tail) >= 64 * 1024)
    session.clocks.last_octets_at -= 1000

    gateway.keeper.sweep(monotonic())
    gateway.keeper.sweep(monotonic() + 45)

    assert session in gateway.sessions.pairs
    assert session.clocks.enquiry_sent_at is None


async def test_the_keeper_sweeps_by_itself(start: Start, attach: Attach, until: Until) -> None:
    gateway = await start(timers=Timers(session_init_s=0.01))
    esme = await attach(gateway, kind=None)

    await esme.lost(3)

    await until(lambda: Side.ESME not in {link.side for link in gateway.tick.connections})
