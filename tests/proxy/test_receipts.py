"""The receipts the gateway writes itself: one for each message that ends here and asked for it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import update

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.sender import Sender
from gateway.proxy import receipts
from gateway.runtime.clock import utcnow
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.storage.tables import held_messages
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
    header_of,
    pdu,
    read_message,
)
from tests.memory_stores import execute, expire_at
from tests.real_time import poll

LogLines = list[dict[str, object]]
BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]

SOURCE, DESTINATION = "10690001", "13800138000"
LOAN = "低息贷款，当天到账"
TEXT = re.compile(
    r"id:(\d{19}) sub:001 dlvrd:000 submit date:(\d{10,12}) done date:(\d{10,12})"
    r" stat:(\w{7}) err:(\d{3}) [Tt]ext:"
)


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def hold(esme: RawEsme, *, registered_delivery: int = 1, to: str = DESTINATION) -> str:
    answer = await esme.submit(SOURCE, to, LOAN, registered_delivery=registered_delivery)
    assert answer.is_ok
    return answer.message_id


async def discard(gateway: Gateway, message_id: str) -> None:
    outcome = await desk(gateway).discard(int(message_id), "lin", utcnow())
    assert isinstance(outcome, ActResult)


async def expire(gateway: Gateway, message_id: str) -> None:
    """Let a held message's time be over."""
    await expire_at(gateway.stores, int(message_id), utcnow())


async def is_marked(gateway: Gateway, message_id: str, state: ReceiptState) -> HeldMessage:
    async def look() -> HeldMessage | None:
        held = await gateway.stores.quarantine.get(int(message_id))
        return held if held is not None and held.receipt is state else None

    return await poll(look)


@pytest.mark.parametrize(
    ("end", "state", "stat"),
    [(discard, HoldState.DISCARDED, "REJECTD"), (expire, HoldState.EXPIRED, "EXPIRED")],
)
async def test_r61_whoever_asked_for_a_receipt_hears_of_the_end_once(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    end: Callable[[Gateway, str], Awaitable[None]],
    state: HoldState,
    stat: str,
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)

    await end(gateway, message_id)
    octets = await esme.next_pdu()
    held = await is_marked(gateway, message_id, ReceiptState.SENT)
    await esme.submit(SOURCE, DESTINATION, "您好")

    receipt = read_message(octets)
    assert held.state is state
    assert header_of(octets).command_id == CommandId.DELIVER_SM
    assert (receipt.source, receipt.destination) == (DESTINATION, SOURCE)
    assert receipt.esm_class & 0x3C == 0x04
    told = TEXT.match(receipt.octets.decode("ascii"))
    assert told is not None
    assert (told[1], told[4]) == (message_id, stat)
    assert told[2][:10] <= told[3][:10] <= f"{utcnow():%y%m%d%H%M}"
    assert message_id.encode() + b"\0" in octets[-40:]
    assert esme.pdus().empty()
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("您好")]


@pytest.mark.parametrize("written", ["12125550123", "+12125550123", f"+86{DESTINATION}"])
async def test_a_receipt_names_the_subscriber_as_the_sp_wrote_it(
    gateway: Gateway, attach: Attach, written: str
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme, to=written)

    await discard(gateway, message_id)

    assert read_message(await esme.next_pdu()).source == written


async def test_whoever_asked_for_none_gets_none(
    gateway: Gateway, attach: Attach, reach: Reach
) -> None:
    esme = await attach(gateway)
    silent, asked = await hold(esme, registered_delivery=0), await hold(esme)

    await discard(gateway, silent)
    await discard(gateway, asked)
    octets = await esme.next_pdu()
    await is_marked(gateway, asked, ReceiptState.SENT)

    held = await reach(gateway, silent, HoldState.DISCARDED)
    assert held.receipt is ReceiptState.NONE
    assert asked.encode() in octets
    assert esme.pdus().empty()


async def test_a_receipt_waits_for_its_sp_to_bind(
    start: Start, attach: Attach, sender: BuildSender, reach: Reach
) -> None:
    gateway = await start(senders=(sender(), sender(system_id="sp2", ports=())))
    esme, other = await attach(gateway, kind="tx"), await attach(gateway, "sp2")
    message_id = await hold(esme)
    await discard(gateway, message_id)
    await esme.unbind()
    await reach(gateway, message_id, HoldState.DISCARDED)

    sending = await attach(gateway, kind="tx")
    receiving = await attach(gateway, kind="rx")
    octets = await receiving.next_pdu()

    assert message_id.encode() in octets
    assert (sending.pdus().qsize(), other.pdus().qsize()) == (0, 0)


async def test_a_receipt_the_sp_does_not_take_comes_again_until_it_does(
    gateway: Gateway, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "_RETRY_S", 0.0)
    esme = await attach(gateway)
    esme.deliver_status = CommandStatus.ESME_RMSGQFUL
    message_id = await hold(esme)

    await discard(gateway, message_id)
    first = await esme.next_pdu()
    esme.deliver_status = CommandStatus.ESME_ROK
    second = await esme.next_pdu()
    await is_marked(gateway, message_id, ReceiptState.SENT)

    assert first[:12] + first[16:] == second[:12] + second[16:]


async def test_a_receipt_the_sp_refuses_is_not_pressed_on_it(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)
    esme.deliver_status = CommandStatus.ESME_RMSGQFUL
    first, second = await hold(esme), await hold(esme)

    await discard(gateway, first)
    await esme.next_pdu()
    await discard(gateway, second)
    octets = await esme.next_pdu()

    assert second.encode() in octets
    assert esme.pdus().empty()


async def test_a_nack_with_status_0_is_no_acceptance_of_a_receipt(
    gateway: Gateway, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "_RETRY_S", 0.0)
    esme = await attach(gateway)
    esme.answers_requests = False
    message_id = await hold(esme)
    await discard(gateway, message_id)
    first = await esme.next_pdu()

    esme.answers_requests = True
    await esme.send(pdu(CommandId.GENERIC_NACK, header_of(first).sequence_number))

    assert message_id.encode() in await esme.next_pdu()
    await is_marked(gateway, message_id, ReceiptState.SENT)


async def test_a_receipt_under_way_when_the_sp_goes_is_sent_on_its_next_bind(
    gateway: Gateway, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "_RETRY_S", 0.0)
    esme = await attach(gateway)
    esme.answers_requests = False
    message_id = await hold(esme)
    await discard(gateway, message_id)
    await esme.next_pdu()
    esme.close()
    await esme.lost()

    again = await attach(gateway)

    assert message_id.encode() in await again.next_pdu()
    await is_marked(gateway, message_id, ReceiptState.SENT)


class ForgetfulQuarantine(QuarantineStore):
    """A store that cannot note, for a while, that a receipt was sent."""

    failures = 2

    async def receipt_sent(self, message_id: int) -> bool:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("no disk")
        return await super().receipt_sent(message_id)


async def test_a_receipt_the_store_could_not_note_is_not_sent_again(
    start: Start,
    attach: Attach,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
    stores: Stores,
    database: Database,
) -> None:
    monkeypatch.setattr(receipts, "_RETRY_S", 0.0)
    store = ForgetfulQuarantine(database)
    gateway = await start(stores=replace(stores, quarantine=store))
    esme = await attach(gateway)
    message_id = await hold(esme)

    await discard(gateway, message_id)
    await esme.next_pdu()
    await is_marked(gateway, message_id, ReceiptState.SENT)

    assert esme.pdus().empty()
    assert "store.failed" in [line["event"] for line in log]


class StaleQuarantine(QuarantineStore):
    """A store whose answer about due receipts is older than the SP's to one of them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = 0

    async def due_receipts(self, system_id: str | None, limit: int) -> list[HeldMessage]:
        due = await super().due_receipts(system_id, limit)
        self.asked += bool(due)
        await self.may_answer.wait()
        return due


async def test_a_look_into_the_store_that_is_older_than_the_sp_s_answer_sends_nothing_twice(
    start: Start, attach: Attach, until: Until, stores: Stores, database: Database
) -> None:
    store = StaleQuarantine(database)
    gateway = await start(stores=replace(stores, quarantine=store))
    esme = await attach(gateway)
    esme.answers_requests = False
    message_id = await hold(esme)
    await discard(gateway, message_id)
    octets = await esme.next_pdu()
    asked = store.asked
    store.may_answer.clear()
    await until(lambda: store.asked == asked + 1)

    await esme.send(pdu(CommandId.DELIVER_SM | RESPONSE, header_of(octets).sequence_number, b"\0"))
    await is_marked(gateway, message_id, ReceiptState.SENT)
    store.may_answer.set()
    other = await hold(esme)
    await discard(gateway, other)

    assert other.encode() in await esme.next_pdu()


async def test_only_so_many_ids_are_remembered(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    reach: Reach,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receipts, "_MAX_KNOWN", 1)
    esme = await attach(gateway)
    ids = [await hold(esme), await hold(esme)]
    for message_id in ids:
        await desk(gateway).request_release(int(message_id), "lin", utcnow())
        await reach(gateway, message_id, HoldState.RELEASED)

    for one in smsc.journal:
        text = f"id:{one.message_id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
        await smsc.deliver("sp1", DESTINATION, SOURCE, text.encode(), esm_class=4)
    first, second = await esme.next_pdu(), await esme.next_pdu()

    assert ids[0].encode() not in first  # forgotten: it comes through as the SMSC wrote it
    assert ids[1].encode() in second


async def test_no_more_receipts_wait_for_a_release_than_may(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "_MAX_PARKED", 0)
    smsc.behaviour = Behaviour(receipts=True, receipt_before_answer=True)
    esme = await attach(gateway)
    message_id = await hold(esme)

    await desk(gateway).request_release(int(message_id), "lin", utcnow())
    octets = await esme.next_pdu()

    assert message_id.encode() not in octets
    assert smsc.journal[0].message_id.encode() in octets


async def test_a_parked_receipt_whose_smsc_is_gone_is_the_smsc_s_to_send_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True, receipt_before_answer=True, hold_answers=True)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await desk(gateway).request_release(int(message_id), "lin", utcnow())
    await smsc.received(1)

    smsc.disconnect_all()
    octets = await esme.next_pdu()

    # Of a release that was cut off nobody knows the SMSC's id, so the receipt stays as it is.
    assert smsc.journal[0].message_id.encode() in octets
    await smsc.until(lambda: smsc.counters.delivered == 1)
    assert esme.pdus().empty()


async def test_a_receipt_nobody_can_take_is_given_back(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(receipts=True, receipt_delay_s=0.1)
    sending, receiving = await attach(gateway, kind="tx"), await attach(gateway, kind="rx")
    message_id = await hold(sending)
    await desk(gateway).request_release(int(message_id), "lin", utcnow())
    await reach(gateway, message_id, HoldState.RELEASED)

    # The SMSC still has the receiver's bind when it sends, the gateway has its SP no more.
    link = next(s.peer for s in gateway.sessions.pairs if s.state.value == "bound_rx")
    smsc.behaviour = replace(smsc.behaviour, hold_answers=True)
    assert link is not None
    gateway.plane.watched.add("sp1")
    link.peer = None
    for pair in gateway.sessions.pairs.values():
        pair.session.state = type(pair.session.state).BOUND_TX

    await smsc.until(lambda: smsc.counters.deliveries_refused == 1)
    assert receiving.pdus().empty()


async def test_a_receipt_without_room_for_our_id_comes_through_as_it_is(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    await desk(gateway).request_release(int(message_id), "lin", utcnow())
    held = await reach(gateway, message_id, HoldState.RELEASED)
    text = (
        f"id:{held.smsc_message_id} sub:001 dlvrd:001 submit date:2401020930 "
        "done date:2401020930 stat:DELIVRD err:000 text:"
    )
    full = builders.deliver_sm(
        DESTINATION, SOURCE, text.encode().ljust(255, b"x"), esm_class=4, data_coding=0
    )

    smsc.inject("sp1", full)
    octets = await esme.next_pdu()

    assert octets[16:] == full[16:]


@pytest.mark.parametrize("body", [b"", b"\0\1\1", b"\0\1\1" + b"1" * 30])
async def test_a_malformed_delivery_is_answered_and_the_sp_hears_what_comes_behind_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, body: bytes
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    sound = builders.deliver_sm(DESTINATION, SOURCE, b"R", data_coding=0, sequence=78)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await desk(gateway).request_release(int(message_id), "lin", utcnow())
    await smsc.received(1)

    smsc.inject("sp1", pdu(CommandId.DELIVER_SM, 77, body) + sound)

    assert (await esme.next_pdu())[16:] == sound[16:]
    assert gateway.plane.tally.malformed == 1


async def test_a_held_message_whose_receipt_cannot_be_written_stops_no_other(
    start: Start, attach: Attach, stores: Stores
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    message_id, other = await hold(esme), await hold(esme)
    ours = held_messages.c.message_id == int(message_id)
    await execute(stores, update(held_messages).where(ours).values(destination="1" * 99))

    await discard(gateway, message_id)
    await discard(gateway, other)

    assert other.encode() in await esme.next_pdu()
