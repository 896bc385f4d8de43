"""What becomes of a session when either side leaves: answers first, and nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.app.gateway import Gateway
from gateway.proxy import sessions
from gateway.proxy.connection import Connection
from gateway.runtime.clock import monotonic
from gateway.runtime.tasks import spawn
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

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN = builders.ucs2("您的快件已到")


def submit(sequence: int) -> bytes:
    return builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=sequence)


def events(log: LogLines) -> list[object]:
    return [line["event"] for line in log]


# The SP leaves


async def test_an_unbind_waits_for_the_answers_that_are_owed(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(submit(11) + submit(12) + builders.unbind(13))
    await smsc.received(2)

    smsc.release_answers()
    await esme.lost()

    assert [sequence_of(octets) for octets in esme.strays] == [11, 12, 13]
    assert {header_of(octets).command_status for octets in esme.strays} == {0}
    await smsc.until(lambda: smsc.counters.unbinds == 1)


async def test_nothing_is_taken_after_an_unbind(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(submit(11) + builders.unbind(12) + submit(13))
    await smsc.received(1)

    refused = await esme.next_stray()
    smsc.release_answers()
    await esme.lost()

    assert header_of(refused)[2:] == (CommandStatus.ESME_RINVBNDSTS, 13)
    assert len(smsc.journal) == 1


async def test_what_an_sp_left_behind_is_finished_before_the_smsc_is_left(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(submit(1))
    await smsc.received(1)

    esme.close()
    await until(lambda: not gateway.sessions.pairs)
    assert smsc.counters.unbinds == 0
    smsc.release_answers()
    await smsc.until(lambda: smsc.counters.unbinds == 1)

    await until(lambda: not gateway.tick.connections)
    assert (gateway.plane.tally.link_lost, gateway.plane.tally.stray) == (0, 0)


async def test_a_delivery_the_sp_did_not_answer_is_given_back_when_it_goes(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    esme.answers_requests = False
    delivery = spawn(smsc.deliver("sp1", DESTINATION, SOURCE, "TD"), name="smsc")
    await esme.next_pdu()

    esme.close()

    assert await delivery == CommandStatus.ESME_RX_T_APPN


# The SMSC leaves


async def test_what_a_lost_smsc_leaves_unanswered_is_answered_at_once(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    waiting = asyncio.gather(*(esme.request(submit(number)) for number in (21, 22, 23)))
    await smsc.received(3)

    smsc.disconnect_all()

    status = CommandStatus.ESME_RSYSERR
    expected = [pdu(CommandId.SUBMIT_SM | RESPONSE, n, command_status=status) for n in (21, 22, 23)]
    assert await waiting == expected
    assert gateway.plane.tally.link_lost == 3


async def test_a_flap_delays_new_messages_and_refuses_none(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until, log: LogLines
) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    smsc.disconnect_all()
    await until(lambda: session.peer is None)

    answers = await esme.submit_many(["您好"] * 20, window=5)
    status = await smsc.deliver("sp1", DESTINATION, SOURCE, "TD")

    assert [answer.command_status for answer in answers] == [0] * 20
    assert len(smsc.journal) == 20
    assert status == CommandStatus.ESME_ROK
    told = [event for event in events(log) if str(event).startswith("smsc.")]
    assert told == ["smsc.lost", "smsc.bound"]


async def test_an_outage_is_told(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "_WAIT_FOR_SMSC_S", 0.0)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    smsc.disconnect_all()
    smsc.behaviour = Behaviour(refuse_binds=CommandStatus.ESME_RSYSERR)
    await until(lambda: session.peer is None)

    answers = [
        await esme.submit(SOURCE, DESTINATION, "您好"),
        await esme.submit(SOURCE, DESTINATION, "您好"),
    ]
    alive = await esme.request(builders.enquire_link(900))

    assert [a.command_status for a in answers] == [CommandStatus.ESME_RMSGQFUL] * 2
    assert header_of(alive).command_status == CommandStatus.ESME_ROK


async def test_messages_that_waited_for_an_smsc_in_vain_are_refused(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    smsc.behaviour = Behaviour(refuse_binds=CommandStatus.ESME_RSYSERR)
    smsc.disconnect_all()
    await until(lambda: session.peer is None)
    waiting = asyncio.gather(*(esme.request(submit(number)) for number in (1, 2)))
    await until(lambda: session.is_blocked)

    session.wait_until = 0.0
    gateway.keeper.sweep(monotonic())

    statuses = [header_of(octets).command_status for octets in await waiting]
    assert statuses == [CommandStatus.ESME_RMSGQFUL] * 2


async def test_the_smsc_is_dialled_until_it_is_back(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, log: LogLines, until: Until
) -> None:
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(passwords={"sp1": "secret"}, refuse_binds=CommandStatus.ESME_RSYSERR)
    smsc.disconnect_all()
    await smsc.until(lambda: smsc.counters.binds_refused == 2)

    smsc.behaviour = Behaviour(passwords={"sp1": "secret"})
    await smsc.bound(1)

    (session,) = gateway.sessions.pairs
    await until(lambda: session.peer is not None)
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert events(log).count("smsc.refused") == 2


@pytest.mark.asyncio(loop_factories=["asyncio"])  # the simulated SMSC stops on no other
async def test_an_smsc_that_is_down_is_complained_of_once(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    esme = await attach(gateway)
    dial, dials = gateway.dialler.dial, 0
    tried_thrice = asyncio.Event()

    async def counted(*about: object, **how: object) -> tuple[Connection, bytes]:
        nonlocal dials
        dials += 1
        if dials == 3:
            tried_thrice.set()
        return await dial(*about, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(gateway.dialler, "dial", counted)
    await smsc.stop()
    await asyncio.wait_for(tried_thrice.wait(), 60)
    await smsc.start()
    await smsc.bound(1)

    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert events(log).count("smsc.unreachable") == 1


async def test_an_smsc_that_unbinds_in_order_is_answered_and_dialled_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    statuses = await smsc.unbind_all()
    await smsc.until(lambda: smsc.counters.binds == 2)
    answer = await esme.submit(SOURCE, DESTINATION, "您好")

    assert statuses == [CommandStatus.ESME_ROK]
    assert answer.is_ok


@pytest.mark.parametrize("status", [CommandStatus.ESME_RINVPASWD, 0x0F])
async def test_an_sp_the_smsc_does_not_know_any_more_is_dismissed(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, status: int, until: Until
) -> None:
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(refuse_binds=status)
    smsc.disconnect_all()

    farewell = await esme.next_pdu()
    await esme.lost()

    assert header_of(farewell).command_id == CommandId.UNBIND
    await until(lambda: gateway.gate.live_binds("sp1") == 0)
    assert smsc.counters.binds_refused == 1


async def test_an_sp_that_goes_while_its_smsc_is_dialled_again_takes_that_bind_along(
    start: Start, attach: Attach, serve: Serve, until: Until
) -> None:
    dialled, may_answer = asyncio.Event(), asyncio.Event()
    heard: list[int] = []

    async def say(octets: bytes) -> bytes | None:
        heard.append(header_of(octets).command_id)
        if heard[-1] == CommandId.SUBMIT_SM:
            return None
        if heard.count(CommandId.BIND_TRANSCEIVER) == 2:
            dialled.set()
            await may_answer.wait()
        return pdu(heard[-1] | RESPONSE, sequence_of(octets), c_octets("x"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway)
    await esme.send(submit(1))
    await dialled.wait()
    esme.close()
    await until(lambda: not gateway.sessions.pairs)

    may_answer.set()
    await until(lambda: not gateway.tick.connections)

    bind = CommandId.BIND_TRANSCEIVER
    assert heard == [bind, CommandId.SUBMIT_SM, bind, CommandId.UNBIND]


async def test_an_sp_that_is_leaving_does_not_wait_for_a_lost_smsc(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(submit(1) + builders.unbind(2))
    await smsc.received(1)

    smsc.disconnect_all()
    await esme.lost()

    statuses = {sequence_of(one): header_of(one).command_status for one in esme.strays}
    assert statuses == {1: CommandStatus.ESME_RSYSERR, 2: CommandStatus.ESME_ROK}
    assert smsc.counters.binds == 1
