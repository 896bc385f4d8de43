"""One turn of the loop: answers before requests, and a fault of ours that harms no one else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from math import inf

import pytest

from gateway.app.gateway import Gateway
from gateway.dataplane.attention import Unbound
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Batch
from gateway.proxy.tick import LongRequests, Tick
from gateway.records.writer import Records
from gateway.session.operations import Side
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import RESPONSE, CommandId, CommandStatus, header_of, pdu

LogLines = list[dict[str, object]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Chunks = Iterable[tuple[Link, bytes]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN = builders.ucs2("您的快件已到")


def forgive(log: LogLines) -> list[dict[str, object]]:
    """Take the fault this test provoked out of the log."""
    provoked = [line for line in log if line["event"] == "tick.failed"]
    log[:] = [line for line in log if line["event"] != "tick.failed"]
    return provoked


async def test_a_fault_of_ours_closes_who_was_in_that_turn_and_nobody_else(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    struck, other = await attach(gateway), await attach(gateway)

    def broken(_chunks: Chunks, _now: float, _at: float) -> Batch:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(gateway.tick.pipeline, "submit", broken)
    await struck.send(builders.submit_sm(SOURCE, DESTINATION, CLEAN))
    await struck.lost()
    monkeypatch.undo()

    assert len(forgive(log)) == 1
    assert gateway.tick.failures == 1
    assert smsc.journal == []
    assert (await other.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_a_fault_among_the_answers_leaves_the_requests_of_that_turn_for_the_next(
    gateway: Gateway,
    attach: Attach,
    until: Until,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    esme, other = await attach(gateway), await attach(gateway)
    struck, healthy = gateway.sessions.pairs
    assert struck.peer is not None
    connections = gateway.tick.connections

    def broken(_chunks: Chunks, _now: float, _at: float) -> Batch:
        monkeypatch.undo()
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(gateway.tick.pipeline, "resp", broken)
    # Both in one turn, as two sockets that are ready together.
    gateway.tick.received(connections[struck.peer], pdu(CommandId.ENQUIRE_LINK, 1))
    gateway.tick.received(connections[healthy], builders.enquire_link(71))

    assert await other.next_stray() == pdu(CommandId.ENQUIRE_LINK | RESPONSE, 71)
    await until(lambda: struck.peer is not None and struck.peer.state.is_bound)
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert len(forgive(log)) == 1


async def test_what_an_outbound_message_wakes_among_the_answers_has_its_turn(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    link = session.peer
    assert link is not None
    resp = gateway.tick.pipeline.resp

    def waking(chunks: Chunks, now: float, at: float) -> Batch:
        gateway.tick.resume((link,))
        monkeypatch.undo()
        return resp(chunks, now, at)

    monkeypatch.setattr(gateway.tick.pipeline, "resp", waking)
    await smsc.deliver("sp1", DESTINATION, SOURCE, "TD")

    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_while_records_have_no_room_messages_are_refused_rather_than_passed_unrecorded(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await attach(gateway)

    with monkeypatch.context() as patch:
        patch.setattr(Records, "is_full", property(lambda _self: True))
        refused = await esme.submit(SOURCE, DESTINATION, "您好")
        alive = await esme.request(builders.enquire_link(900))
    accepted = await esme.submit(SOURCE, DESTINATION, "您好")

    assert refused.command_status == CommandStatus.ESME_RMSGQFUL
    assert header_of(alive).command_status == CommandStatus.ESME_ROK
    assert accepted.is_ok
    assert len(smsc.journal) == 1


async def test_a_tick_gives_the_records_their_turn(
    gateway: Gateway, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Records, "settle", Records.flush)
    esme = await attach(gateway)

    await esme.submit(SOURCE, DESTINATION, "您好")

    assert gateway.records.rows == []


async def test_a_tick_without_a_shell_says_what_nobody_attends_to(gateway: Gateway) -> None:
    tick = Tick(gateway.tick.pipeline, gateway.records)
    batch = Batch()
    batch.attention.append(Unbound(Link(1, Side.ESME, 10, 0.0)))

    with pytest.raises(NotImplementedError, match="Unbound"):
        tick.out(batch)


async def test_a_connection_is_forgotten_once(gateway: Gateway, attach: Attach) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    connection = gateway.tick.connections[session]

    gateway.tick.lost(connection)
    gateway.tick.lost(connection)

    assert gateway.gate.live_binds("sp1") == 0
    connection.abort()
    await esme.lost()


async def test_a_tick_works_on_what_it_has_time_for_and_the_rest_has_the_next_turns(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await attach(gateway)
    submit, chunks = gateway.tick.pipeline.submit, list[int]()

    def counting(those: Chunks, now: float, at: float) -> Batch:
        gateway.tick.pace.octets = 1  # one session a turn, however fast this machine is
        worked = list(those)
        chunks.append(len(worked))
        return submit(worked, now, at)

    monkeypatch.setattr(gateway.tick.pipeline, "submit", counting)
    gateway.tick.pace.octets = 1
    others = [await attach(gateway) for _ in range(3)]
    answers = await asyncio.gather(
        *(one.submit(SOURCE, DESTINATION, "您好") for one in (esme, *others))
    )

    assert all(answer.is_ok for answer in answers)
    assert max(chunks) == 1
    assert len(smsc.journal) == 4


async def test_r31_messages_wait_while_our_own_delay_keeps_the_consent_feed_unread(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await attach(gateway)
    consent = gateway.plane.rules.knowledge.consent
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    gateway.tick.turned = count
    monkeypatch.setattr(type(consent), "is_behind", lambda _sets, _now: turns < 3)
    answer = await esme.submit(SOURCE, DESTINATION, "大促")

    assert answer.is_ok  # not ESME_RMSGQFUL, and not before the feed was read
    assert turns >= 3
    assert len(smsc.journal) == 1


async def test_a_tick_that_waits_does_not_spin(gateway: Gateway, attach: Attach) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    connection = gateway.tick.connections[session]
    consent = gateway.plane.rules.knowledge.consent
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    gateway.tick.turned = count
    consent.read_by = -1.0
    gateway.tick.received(connection, builders.submit_sm(SOURCE, DESTINATION, CLEAN))
    for _ in range(100):  # turns of the loop in which only followers of the store work
        await asyncio.sleep(0)
    waited, consent.read_by = turns, inf

    assert waited <= 10
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_messages_wait_while_the_records_are_behind(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await attach(gateway)
    asked: list[float] = []

    def is_behind(_records: Records, now: float) -> bool:
        asked.append(now)
        return len(asked) < 3

    monkeypatch.setattr(Records, "is_behind", is_behind)

    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert len(asked) >= 3
    assert len(smsc.journal) == 1


async def test_what_a_session_sent_before_it_was_lost_is_worked_on(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    connection = gateway.tick.connections[session]

    gateway.tick.received(connection, builders.submit_sm(SOURCE, DESTINATION, CLEAN))
    gateway.tick.lost(connection)

    await until(lambda: len(smsc.journal) == 1)
    connection.abort()
    await esme.lost()


async def test_what_a_lost_session_sent_is_dropped_unanswered_where_nothing_may_be_judged(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    connection = gateway.tick.connections[session]
    gateway.plane.rules.knowledge.consent.read_by = -1.0

    gateway.tick.received(connection, builders.submit_sm(SOURCE, DESTINATION, CLEAN))
    gateway.tick.lost(connection)

    assert smsc.journal == []
    connection.abort()
    await esme.lost()


async def test_long_requests_wait_for_each_other_and_short_ones_for_none(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy, light = [await attach(gateway) for _ in range(3)], await attach(gateway)
    judged: list[float] = []
    monkeypatch.setattr(LongRequests, "judged", lambda _self, _now, took_s: judged.append(took_s))
    long_request = builders.payload_submit_sm(SOURCE, DESTINATION, builders.ucs2("长" * 3_000))

    for esme in heavy:
        await esme.send(long_request * 2)
    answer = await light.submit(SOURCE, DESTINATION, "您好")
    for esme in heavy:
        await esme.next_stray(2)

    assert answer.is_ok
    assert {header_of(one).command_status for esme in heavy for one in esme.strays} == {0}
    assert len(judged) == 6
    assert len(smsc.journal) == 7


async def test_a_long_request_waits_until_it_is_due(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme, light = await attach(gateway), await attach(gateway)
    long_request = builders.payload_submit_sm(SOURCE, DESTINATION, builders.ucs2("长" * 3_000))
    delay = 0.001  # seconds, over and over
    monkeypatch.setattr(LongRequests, "due_in", lambda _self, _now: delay)

    await esme.send(long_request)
    await light.submit(SOURCE, DESTINATION, "您好")
    before, delay = len(smsc.journal), 0.0
    await esme.next_stray()

    assert before == 1
    assert len(smsc.journal) == 2
