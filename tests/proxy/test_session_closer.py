"""What the gateway itself ends: drained, stopped, or taken out of the configuration."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.sender import Sender
from gateway.proxy import esme_session, sessions
from gateway.session.timers import Timers
from gateway.settings.smscs import Smsc
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import (
    RESPONSE,
    CommandId,
    CommandStatus,
    c_octets,
    header_of,
    pdu,
    sequence_of,
)

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN = builders.ucs2("您的快件已到")


def submit(sequence: int) -> bytes:
    return builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=sequence)


# The gateway leaves


async def test_draining_answers_what_is_under_way_and_unbinds_both_sides(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    under_way = asyncio.gather(esme.request(submit(1)))
    await smsc.received(1)

    draining = asyncio.gather(gateway.drain())
    await until(lambda: gateway.sessions.leaving.is_draining)
    refused = await esme.submit(SOURCE, DESTINATION, "您好")
    smsc.release_answers()
    (answer,) = await under_way
    await draining

    assert header_of(answer).command_status == CommandStatus.ESME_ROK
    assert refused.command_status == CommandStatus.ESME_RMSGQFUL
    assert header_of(await esme.next_pdu()).command_id == CommandId.UNBIND
    assert smsc.counters.unbinds == 1
    assert len(smsc.journal) == 1


async def test_draining_takes_no_new_binds(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme, open_only = await attach(gateway), await attach(gateway, kind=None)
    await esme.send(submit(1))
    await smsc.received(1)

    draining = asyncio.gather(gateway.drain())
    await until(lambda: gateway.sessions.leaving.is_draining)
    status = await open_only.bind("sp1", "secret")
    with pytest.raises(ConnectionRefusedError):
        await attach(gateway, kind=None)
    smsc.release_answers()
    await draining

    assert status == CommandStatus.ESME_RBINDFAIL


async def test_draining_refuses_a_bind_that_is_being_dialled(
    start: Start, attach: Attach, serve: Serve
) -> None:
    heard: list[int] = []

    async def say(octets: bytes) -> bytes:
        heard.append(header_of(octets).command_id)
        gateway.sessions.leaving.is_draining = True
        return pdu(header_of(octets).command_id | RESPONSE, sequence_of(octets), c_octets("x"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret")
    await esme.lost()

    assert status == CommandStatus.ESME_RBINDFAIL
    assert gateway.sessions.pairs == {}
    assert heard[0] == CommandId.BIND_TRANSCEIVER


async def test_draining_closes_who_has_not_bound(gateway: Gateway, attach: Attach) -> None:
    idle = await attach(gateway, kind=None)
    await idle.request(builders.enquire_link(1))

    await gateway.drain()

    await idle.lost()
    assert idle.error is None
    assert idle.pdus().empty()


async def test_stopping_hangs_up_on_an_smsc_that_is_being_dialled(
    start: Start, attach: Attach, serve: Serve, until: Until
) -> None:
    dialled, never = asyncio.Event(), asyncio.Event()

    async def say(_octets: bytes) -> bytes:
        dialled.set()
        await never.wait()
        return b""

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)
    await esme.send(builders.bind("sp1", "secret"))
    await dialled.wait()

    await gateway.stop()

    await esme.lost()
    await until(lambda: not gateway.tick.connections)
    never.set()


async def test_draining_gives_up_on_an_smsc_that_does_not_answer(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(esme_session, "_FAREWELL_S", 0.05)
    gateway = await start(timers=Timers(drain_s=0.05))
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    under_way = asyncio.gather(esme.request(submit(1)), return_exceptions=True)
    await smsc.received(1)

    await gateway.drain()

    (outcome,) = await under_way
    assert isinstance(outcome, ConnectionResetError)
    assert header_of(await esme.next_pdu()).command_id == CommandId.UNBIND
    await until(lambda: not gateway.tick.connections)


async def test_an_sp_that_ignores_the_farewell_does_not_keep_the_smsc_from_hearing_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esme_session, "_FAREWELL_S", 0.1)
    esme = await attach(gateway)
    esme.answers_requests = False

    await gateway.drain()

    await esme.lost()
    assert smsc.counters.unbinds == 1


async def test_an_smsc_lost_while_draining_is_not_dialled_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(submit(1))
    await smsc.received(1)

    draining = asyncio.gather(gateway.drain())
    await until(lambda: gateway.sessions.leaving.is_draining)
    smsc.disconnect_all()
    await draining

    assert header_of(esme.strays[0]).command_status == CommandStatus.ESME_RSYSERR
    assert smsc.counters.binds == 1


# Another process follows


async def test_who_connected_before_a_hand_over_is_served(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    connected, gone = await attach(gateway, kind=None), await attach(gateway, kind=None)
    await until(lambda: len(gateway.sessions.unbound) == 2)

    draining = asyncio.gather(gateway.drain(hands_over=True))
    await until(lambda: bool(gateway.handed_over))
    status = await connected.bind("sp1", "secret")
    answer = await connected.submit(SOURCE, DESTINATION, "您好")
    gone.abort()
    await draining

    assert status == CommandStatus.ESME_ROK
    assert answer.is_ok
    assert header_of(await connected.next_pdu()).command_id == CommandId.UNBIND
    assert len(smsc.journal) == 1


async def test_a_bind_that_comes_late_at_a_hand_over_is_left_without_an_answer(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "_TO_BIND_S", 0.0)
    smsc.behaviour = Behaviour(hold_answers=True)
    esme, late = await attach(gateway), await attach(gateway, kind=None)
    await esme.send(submit(1))
    await smsc.received(1)

    draining = asyncio.gather(gateway.drain(hands_over=True))
    await until(lambda: gateway.sessions.leaving.is_draining)
    with pytest.raises(ConnectionError):
        await late.bind("sp1", "secret")
    smsc.release_answers()
    await draining

    assert late.strays == []


async def test_an_sp_of_several_sessions_keeps_one_while_the_others_are_unbound(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    first, receiver, last = [await attach(gateway, kind=kind) for kind in ("trx", "rx", "trx")]
    await first.send(submit(1))
    await smsc.received(1)

    draining = asyncio.gather(gateway.drain(hands_over=True))
    await until(lambda: any(session.is_leaving for session in gateway.sessions.pairs))
    leaving = [session.is_leaving for session in gateway.sessions.pairs]
    await last.send(submit(1))
    await smsc.received(2)
    smsc.release_answers()
    await draining

    assert leaving == [True, False, False]
    for esme in (first, receiver, last):
        assert header_of(await esme.next_pdu()).command_id == CommandId.UNBIND


# Reloads


async def test_a_sender_removed_while_its_bind_is_dialled_is_not_bound(
    start: Start, attach: Attach, serve: Serve, until: Until
) -> None:
    heard: list[int] = []

    async def say(octets: bytes) -> bytes:
        heard.append(header_of(octets).command_id)
        rules = gateway.plane.rules
        gateway.tick.pipeline.load(type(rules)(rules.bundle, [], gateway._knowledge, rules))
        gateway.sessions.follow_accounts()
        return pdu(header_of(octets).command_id | RESPONSE, sequence_of(octets), c_octets("x"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret")
    await esme.lost()
    await until(lambda: not gateway.tick.connections)

    assert status == CommandStatus.ESME_RBINDFAIL
    assert heard == [CommandId.BIND_TRANSCEIVER, CommandId.UNBIND]
    assert gateway.gate.live_binds("sp1") == 0


async def test_whose_sender_is_removed_is_dismissed_and_the_others_stay(
    start: Start, attach: Attach, sender: BuildSender
) -> None:
    stays = sender(system_id="sp2", ports=())
    gateway = await start(senders=(sender(), stays))
    gone, other = await attach(gateway), await attach(gateway, "sp2")

    gateway.plane.rules = type(gateway.plane.rules)(
        gateway.plane.rules.bundle, [stays], gateway._knowledge, gateway.plane.rules
    )
    gateway.sessions.follow_accounts()

    assert header_of(await gone.next_pdu()).command_id == CommandId.UNBIND
    await gone.lost()
    assert header_of(await other.request(builders.enquire_link(5))).command_status == 0


async def test_a_window_that_changed_holds_for_who_is_in(
    start: Start, attach: Attach, sender: BuildSender, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start()
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    narrow = replace(sender(), window=2)

    gateway.plane.rules = type(gateway.plane.rules)(
        gateway.plane.rules.bundle, [narrow], gateway._knowledge, gateway.plane.rules
    )
    gateway.sessions.follow_accounts()
    await esme.send(b"".join(submit(number) for number in range(1, 6)))
    (session,) = gateway.sessions.pairs
    await until(lambda: session.is_blocked)

    await smsc.received(2)
    assert smsc.counters.messages == 2
    smsc.behaviour = Behaviour()
    smsc.release_answers()
    await smsc.received(5)
