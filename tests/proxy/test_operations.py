"""query_sm, cancel_sm and replace_sm about messages that were held."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.sender import Sender
from gateway.runtime.clock import utcnow
from gateway.smpp.fields import Tag
from gateway.smpp.pdu import decode
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
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
    read_message,
    sequence_of,
)

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]

SOURCE, DESTINATION = "10690001", "13800138000"
LOAN = "低息贷款，当天到账"
NEVER_GIVEN = "8" + "1" * 18


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def hold(esme: RawEsme) -> str:
    answer = await esme.submit(SOURCE, DESTINATION, LOAN, registered_delivery=1)
    assert answer.is_ok
    return answer.message_id


async def status_of(esme: RawEsme, octets: bytes) -> int:
    return header_of(await esme.request(octets)).command_status


def query(message_id: str, sequence: int = 900) -> bytes:
    return builders.query_sm(message_id, SOURCE, sequence=sequence)


def cancel(message_id: str, sequence: int = 901) -> bytes:
    return builders.cancel_sm(message_id, SOURCE, DESTINATION, sequence=sequence)


def exchange(message_id: str, text: str, sequence: int = 902) -> bytes:
    return builders.replace_sm(message_id, SOURCE, builders.ucs2(text), sequence=sequence)


async def move(gateway: Gateway, message_id: str, to: HoldState) -> None:
    moved = await gateway.stores.quarantine.move(
        int(message_id), allowed=frozenset({HoldState.HELD}), to=to, at=utcnow()
    )
    assert moved is not None


@pytest.mark.parametrize(
    ("state", "message_state"),
    [
        (HoldState.RELEASING, 1),
        (HoldState.IN_DOUBT, 1),
        (HoldState.EXPIRED, 3),
        (HoldState.CANCELLED, 4),
        (HoldState.DISCARDED, 8),
        (HoldState.REFUSED, 8),
    ],
)
async def test_a_query_tells_what_became_of_a_held_message(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, state: HoldState, message_state: int
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)

    before = await esme.request(query(message_id, 31))
    await move(gateway, message_id, state)
    after = await esme.request(query(message_id, 32))

    assert before == pdu(CommandId.QUERY_SM | RESPONSE, 31, c_octets(message_id) + b"\0\1\0")
    assert after[-2:] == bytes((message_state, 0))
    assert smsc.counters.messages == 0


async def test_a_held_message_can_be_cancelled_once(
    gateway: Gateway, attach: Attach, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)

    answer = await esme.request(cancel(message_id, 41))
    again = await status_of(esme, cancel(message_id, 42))
    held = await reach(gateway, message_id, HoldState.CANCELLED)

    assert answer == pdu(CommandId.CANCEL_SM | RESPONSE, 41)
    assert again == CommandStatus.ESME_RCANCELFAIL
    assert held.receipt is ReceiptState.NONE


async def test_a_cancelled_message_is_not_released(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    await status_of(esme, cancel(message_id))

    outcome = await desk(gateway).request_release(int(message_id), "lin", utcnow())

    assert not isinstance(outcome, ActResult)
    assert smsc.journal == []


async def test_a_replacement_is_judged_like_any_other_text(
    gateway: Gateway, attach: Attach, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)

    forbidden = await status_of(esme, exchange(message_id, "代开发票", 51))
    flagged = await status_of(esme, exchange(message_id, "低息贷款！", 52))
    held = await reach(gateway, message_id, HoldState.HELD)
    clean = await status_of(esme, exchange(message_id, "您好", 53))
    cleaned = await reach(gateway, message_id, HoldState.HELD)

    assert (forbidden, clean) == (CommandStatus.ESME_RSUBMITFAIL, 0)
    # Or it would be released under the id of the text that the reviewer has read.
    assert flagged == CommandStatus.ESME_RREPLACEFAIL
    assert read_message(held.pdu).octets == builders.ucs2("低息贷款，当天到账")
    assert (held.rule, held.receipt_asked) == ("K-LOAN", True)
    assert read_message(cleaned.pdu).octets == builders.ucs2("您好")


async def test_what_is_released_is_the_replacement(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    octets = builders.replace_sm(
        message_id, SOURCE, builders.ucs2("您好"), registered_delivery=1, sequence=61
    )
    assert await status_of(esme, octets) == CommandStatus.ESME_ROK

    await desk(gateway).request_release(int(message_id), "lin", utcnow())
    await reach(gateway, message_id, HoldState.RELEASED)

    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("您好")]


async def test_a_replacement_may_bring_its_text_in_a_payload(
    gateway: Gateway, attach: Attach, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)

    def exchange_payload(text: str, sequence: int) -> bytes:
        payload = [(Tag.MESSAGE_PAYLOAD, builders.ucs2(text))]
        return builders.replace_sm(message_id, SOURCE, b"", tlvs=payload, sequence=sequence)

    assert await status_of(esme, exchange_payload("代开发票", 62)) == CommandStatus.ESME_RSUBMITFAIL
    assert await status_of(esme, exchange_payload("您好", 63)) == CommandStatus.ESME_ROK
    assert await status_of(esme, exchange_payload("再见", 64)) == CommandStatus.ESME_ROK
    held = await reach(gateway, message_id, HoldState.HELD)

    assert decode(held.pdu).text_octets == builders.ucs2("再见")
    assert [tlv.tag for tlv in decode(held.pdu).tlvs] == [Tag.MESSAGE_PAYLOAD]


async def test_a_replacement_of_a_data_sm_is_its_payload(
    gateway: Gateway, attach: Attach, reach: Reach
) -> None:
    esme = await attach(gateway)
    data = builders.data_sm(SOURCE, DESTINATION, builders.ucs2(LOAN), sequence=65)
    (message_id,) = decode(await esme.request(data)).fields.values()
    assert isinstance(message_id, bytes)

    status = await status_of(esme, exchange(message_id.decode(), "您好", 66))
    held = await reach(gateway, message_id.decode(), HoldState.HELD)

    assert status == CommandStatus.ESME_ROK
    assert decode(held.pdu).text_octets == builders.ucs2("您好")


async def test_what_is_not_held_any_more_cannot_be_replaced(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    await move(gateway, message_id, HoldState.DISCARDED)

    status = await status_of(esme, exchange(message_id, "您好"))

    assert status == CommandStatus.ESME_RREPLACEFAIL


async def test_a_released_message_is_asked_about_at_the_smsc_under_its_own_id(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    await desk(gateway).request_release(int(message_id), "lin", utcnow())
    held = await reach(gateway, message_id, HoldState.RELEASED)

    answer = await esme.request(query(message_id, 71))
    forbidden = await status_of(esme, exchange(message_id, "代开发票", 72))
    flagged = await status_of(esme, exchange(message_id, LOAN, 76))
    replaced = await status_of(esme, exchange(message_id, "您好", 73))
    cancelled = await status_of(esme, cancel(message_id, 74))
    again = await status_of(esme, cancel(message_id, 75))

    assert held.smsc_message_id == smsc.journal[0].message_id
    assert answer == pdu(CommandId.QUERY_SM | RESPONSE, 71, c_octets(message_id) + b"\0\1\0")
    assert forbidden == CommandStatus.ESME_RSUBMITFAIL
    assert flagged == CommandStatus.ESME_RREPLACEFAIL
    assert (replaced, cancelled) == (CommandStatus.ESME_ROK, CommandStatus.ESME_ROK)
    assert again == CommandStatus.ESME_RCANCELFAIL


async def test_nobody_asks_about_or_changes_another_sp_s_message(
    start: Start, attach: Attach, sender: BuildSender, reach: Reach
) -> None:
    gateway = await start(senders=(sender(), sender(system_id="sp2", ports=sender().ports)))
    esme, other = await attach(gateway), await attach(gateway, "sp2")
    message_id = await hold(esme)

    statuses = [
        await status_of(other, octets)
        for octets in (query(message_id), cancel(message_id), exchange(message_id, "您好"))
    ]

    assert statuses == [
        CommandStatus.ESME_RQUERYFAIL,
        CommandStatus.ESME_RCANCELFAIL,
        CommandStatus.ESME_RREPLACEFAIL,
    ]
    held = await reach(gateway, message_id, HoldState.HELD)
    assert read_message(held.pdu).octets == builders.ucs2(LOAN)


async def test_an_id_that_only_looks_like_ours_is_the_smsc_s_to_judge(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)

    unknown = await status_of(esme, query(NEVER_GIVEN))
    forbidden = await status_of(esme, exchange(NEVER_GIVEN, "代开发票", 1))
    clean = await status_of(esme, exchange(NEVER_GIVEN, "您好", 2))

    assert unknown == CommandStatus.ESME_RQUERYFAIL
    assert forbidden == CommandStatus.ESME_RSUBMITFAIL
    assert clean == CommandStatus.ESME_RREPLACEFAIL


class SlowQuarantine(QuarantineStore):
    """A store that answers when it may, or not at all."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_down = False
        self.asked = 0

    async def get(self, message_id: int) -> HeldMessage | None:
        self.asked += 1
        await self.may_answer.wait()
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().get(message_id)


@pytest.fixture
async def slow(stores: Stores, database: Database) -> tuple[SlowQuarantine, Stores]:
    store = SlowQuarantine(database)
    return store, replace(stores, quarantine=store)


async def test_without_the_store_nobody_is_told_anything_false(
    start: Start, attach: Attach, slow: tuple[SlowQuarantine, Stores]
) -> None:
    store, stores = slow
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    message_id = await hold(esme)
    store.is_down = True

    statuses = [
        await status_of(esme, octets)
        for octets in (query(message_id), cancel(message_id), exchange(message_id, "您好"))
    ]

    assert statuses == [CommandStatus.ESME_RMSGQFUL] * 3


@pytest.mark.usefixtures("unkept")
async def test_an_unbind_waits_for_what_the_store_is_asked(
    start: Start, attach: Attach, slow: tuple[SlowQuarantine, Stores], until: Until
) -> None:
    store, stores = slow
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    message_id = await hold(esme)
    store.may_answer.clear()

    await esme.send(query(message_id, 81) + builders.unbind(82))
    await until(lambda: store.asked == 1)
    assert esme.strays == []
    store.may_answer.set()
    await esme.lost()

    assert [sequence_of(octets) for octets in esme.strays] == [81, 82]


async def test_questions_for_the_store_are_asked_one_after_the_other(
    start: Start, attach: Attach, slow: tuple[SlowQuarantine, Stores], until: Until
) -> None:
    store, stores = slow
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    message_id = await hold(esme)
    store.may_answer.clear()

    await esme.send(query(message_id, 1001))
    await until(lambda: store.asked == 1)
    await esme.send(query(message_id, 1002) + query(message_id, 1003))
    await until(lambda: session.is_blocked)
    assert store.asked == 1
    store.may_answer.set()
    await esme.next_stray(3)

    assert [sequence_of(octets) for octets in esme.strays] == [1001, 1002, 1003]
    assert session.held == 0


async def test_without_an_smsc_what_is_its_business_has_to_wait(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    slow: tuple[SlowQuarantine, Stores],
    until: Until,
) -> None:
    store, stores = slow
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    store.may_answer.clear()
    await esme.send(query(NEVER_GIVEN, 91))
    await until(lambda: store.asked == 1)
    smsc.behaviour = Behaviour(refuse_binds=CommandStatus.ESME_RBINDFAIL)  # it stays away
    smsc.disconnect_all()
    await until(lambda: session.peer is None)

    store.may_answer.set()

    refused = await esme.next_stray()
    assert header_of(refused)[2:] == (CommandStatus.ESME_RMSGQFUL, 91)


async def test_an_sp_that_went_meanwhile_is_not_answered(
    start: Start, attach: Attach, slow: tuple[SlowQuarantine, Stores], until: Until
) -> None:
    store, stores = slow
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    message_id = await hold(esme)
    (session,) = gateway.sessions.pairs
    store.may_answer.clear()
    await esme.send(cancel(message_id))
    await until(lambda: store.asked == 1)
    esme.close()
    await until(lambda: not gateway.sessions.pairs)

    store.may_answer.set()
    await until(lambda: session.held == 0)

    held = await store.get(int(message_id))
    assert held is not None
    assert held.state is HoldState.CANCELLED


async def test_an_sp_that_lost_its_account_replaces_nothing_unjudged(
    start: Start, attach: Attach, slow: tuple[SlowQuarantine, Stores], until: Until
) -> None:
    store, stores = slow
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    message_id = await hold(esme)
    store.may_answer.clear()
    await esme.send(exchange(message_id, "代开发票", 95))
    await until(lambda: store.asked == 1)
    rules = gateway.plane.rules

    gateway.tick.pipeline.load(type(rules)(rules.bundle, [], gateway._knowledge, rules))
    store.may_answer.set()
    answer = await esme.next_stray()

    assert header_of(answer)[2:] == (CommandStatus.ESME_RMSGQFUL, 95)


async def test_the_text_of_a_held_part_cannot_be_exchanged(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    part = bytes((5, 0, 3, 7, 2, 1)) + builders.ucs2(LOAN)
    sent = builders.submit_sm(
        SOURCE, DESTINATION, part, esm_class=builders.UDH_INDICATOR, sequence=71
    )
    message_id = (await esme.request(sent))[16:-1].decode()
    assert message_id.startswith("8")

    status = await status_of(esme, exchange(message_id, "好的"))

    assert status == CommandStatus.ESME_RREPLACEFAIL
    assert smsc.counters.messages == 0


async def test_a_new_text_that_is_a_part_is_refused_for_an_id_like_ours(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)
    part = bytes((5, 0, 3, 7, 2, 2)) + builders.ucs2("好的")

    status = await status_of(esme, builders.replace_sm(NEVER_GIVEN, SOURCE, part, sequence=72))

    assert status == CommandStatus.ESME_RREPLACEFAIL


async def answers_to(esme: RawEsme, *written: bytes) -> list[tuple[int, int]]:
    """Write requests at once; return sequence_number and status of their answers, in order."""
    await esme.send(b"".join(written))
    await esme.next_stray(len(written))
    heads = [header_of(answer) for answer in esme.strays]
    return [(one.sequence_number, one.command_status) for one in heads]


def cancel_all(sequence: int, destination: str = DESTINATION) -> bytes:
    return builders.cancel_sm("", SOURCE, destination, sequence=sequence)


def message(text: str, sequence: int) -> bytes:
    return builders.submit_sm(SOURCE, DESTINATION, builders.ucs2(text), sequence=sequence)


async def test_a_cancel_written_behind_a_message_that_is_held_finds_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    found = await answers_to(esme, message(LOAN, 1), cancel_all(2), message("您好", 3))

    states = await gateway.stores.quarantine.count_by_state()
    assert found == [(1, 0), (2, 0), (3, 0)]
    assert (states[HoldState.CANCELLED], states[HoldState.HELD]) == (1, 0)
    assert [len(smsc.cancels), smsc.counters.messages] == [1, 1]


async def test_a_cancel_written_behind_a_message_that_passes_goes_to_the_smsc_behind_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    found = await answers_to(esme, message("您好", 1), cancel_all(2))

    assert found == [(1, 0), (2, CommandStatus.ESME_RCANCELFAIL)]  # the SMSC wants an id
    (cancelled,) = smsc.cancels
    assert (cancelled.source[2], cancelled.destination[2]) == (SOURCE, DESTINATION)


async def test_only_what_has_the_addresses_and_the_service_of_a_cancel_is_cancelled(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = replace(smsc.behaviour, refuse_cancels=CommandStatus.ESME_RCANCELFAIL)
    esme = await attach(gateway)
    await hold(esme)
    many = builders.submit_multi(SOURCE, [DESTINATION], builders.ucs2(LOAN), sequence=4)
    other = cancel_all(1, "13800138001")
    voting = cancel_all(2).replace(b"\0\0\0\0\0\0\x02\0", b"\0\0\0\0\0\0\x02VOTE\0")
    voting = len(voting).to_bytes(4, "big") + voting[4:]

    found = await answers_to(esme, many, other, voting, cancel_all(3))

    states = await gateway.stores.quarantine.count_by_state()
    assert found[1:] == [(1, 0x11), (2, 0x11), (3, 0)]
    assert (states[HoldState.CANCELLED], states[HoldState.HELD]) == (1, 1)


async def test_what_is_asked_of_a_held_message_behind_its_replacement_sees_that(
    gateway: Gateway, attach: Attach, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)

    found = await answers_to(
        esme, exchange(message_id, "您好", 1), cancel(message_id, 2), exchange(message_id, "好", 3)
    )

    held = await reach(gateway, message_id, HoldState.CANCELLED)
    assert found == [(1, 0), (2, 0), (3, CommandStatus.ESME_RREPLACEFAIL)]
    assert decode(held.pdu).octets("short_message") == builders.ucs2("您好")
