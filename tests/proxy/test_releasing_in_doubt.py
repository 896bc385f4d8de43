"""Releases that meet an obstacle: the SMSC, the link or the store does not play along."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import Grounds
from gateway.runtime.clock import monotonic, utcnow
from gateway.session.timers import Timers
from gateway.settings.gateway import Smsc
from gateway.stores.memory import MemoryChanges, MemoryQuarantine
from gateway.stores.open import Stores, memory_stores
from gateway.systems.quarantine.desk import Done, QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import (
    RESPONSE,
    CommandId,
    CommandStatus,
    Tag,
    header_of,
    pdu,
    sequence_of,
)

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
SUBSCRIBER = 8613800138000
LOAN = "低息贷款，当天到账"
TIMERS = Timers(enquire_link_s=0, reconnect_max_s=0.1)


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def hold(esme: RawEsme, text: str = LOAN, *, wants_receipt: bool = True) -> str:
    answer = await esme.submit(SOURCE, DESTINATION, text, registered_delivery=int(wants_receipt))
    assert answer.is_ok
    assert len(answer.message_id) == 19
    return answer.message_id


async def release(gateway: Gateway, message_id: str) -> None:
    outcome = await desk(gateway).request_release(int(message_id), "lin", utcnow())
    assert isinstance(outcome, Done)


def receipt_of(octets: bytes) -> tuple[str, str, str]:
    """Return the id in a receipt's text, the one in its TLV, and its stat."""
    text = re.search(rb"id:(\S+) .*stat:(\S+) ", octets)
    tlv = octets.partition(Tag.RECEIPTED_MESSAGE_ID.to_bytes(2, "big") + b"\0")[2]
    assert text is not None
    value = tlv[1 : tlv[0]] if tlv else b""
    return text[1].decode(), value.decode(), text[2].decode()


async def test_what_was_being_released_when_the_gateway_died_is_in_doubt_and_not_sent_again(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    reach: Reach,
    log: LogLines,
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    first = await start(store_url=url)
    message_id = await hold(await attach(first))
    await desk(first).request_release(int(message_id), "lin", utcnow())
    await desk(first).begin_release(int(message_id), utcnow())
    await first.stop()

    second = await start(store_url=url)
    esme = await attach(second)
    held = await reach(second, message_id, HoldState.IN_DOUBT)
    await esme.submit(SOURCE, DESTINATION, "您好")

    assert held.receipt is ReceiptState.NONE
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("您好")]
    assert "quarantine.in_doubt" in [line["event"] for line in log]


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL])
async def test_an_smsc_that_is_full_is_asked_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, status: int, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(error_every=1, error_status=status)
    esme = await attach(gateway)
    message_id = await hold(esme)

    await release(gateway, message_id)
    await smsc.received(2)
    smsc.behaviour = Behaviour()
    await reach(gateway, message_id, HoldState.RELEASED)

    assert smsc.counters.accepted == 1


async def test_what_the_smsc_refuses_goes_back_to_people(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(error_every=1, error_status=0x0B)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await smsc.received(1)

    held = await reach(gateway, message_id, HoldState.HELD)

    assert "0xB" in held.note
    assert smsc.counters.messages == 1


@pytest.mark.parametrize(("status", "note"), [(CommandStatus.ESME_RINVCMDID, "0x3"), (0, "0x45")])
async def test_a_nack_is_a_refusal_whatever_it_says(
    start: Start, attach: Attach, serve: Serve, reach: Reach, status: int, note: str
) -> None:
    nacked = asyncio.Event()

    async def say(octets: bytes) -> bytes:
        header = header_of(octets)
        if header.command_id == CommandId.SUBMIT_SM:
            nacked.set()
            return pdu(CommandId.GENERIC_NACK, header.sequence_number, command_status=status)
        return pdu(header.command_id | RESPONSE, header.sequence_number, b"x\0")

    gateway = await start(smscs=(await serve(say),))
    message_id = await hold(await attach(gateway))
    await release(gateway, message_id)
    await asyncio.wait_for(nacked.wait(), 5)

    held = await reach(gateway, message_id, HoldState.HELD)

    assert note in held.note


async def test_a_release_the_link_was_lost_in_is_in_doubt(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await smsc.received(1)

    smsc.disconnect_all()
    await reach(gateway, message_id, HoldState.IN_DOUBT)
    await smsc.until(lambda: smsc.counters.binds == 2)
    smsc.behaviour = Behaviour()
    await esme.submit(SOURCE, DESTINATION, "您好")

    assert len(smsc.journal) == 2


async def test_a_late_answer_settles_the_doubt(
    start: Start, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    gateway = await start(timers=TIMERS)
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await smsc.received(1)
    gateway.keeper.sweep(monotonic() + TIMERS.response_s)
    await reach(gateway, message_id, HoldState.IN_DOUBT)

    smsc.release_answers()

    held = await reach(gateway, message_id, HoldState.RELEASED)
    assert held.smsc_message_id == smsc.journal[0].message_id
    assert smsc.counters.messages == 1


class FailingQuarantine(MemoryQuarantine):
    """A store that fails the next calls of one kind."""

    def __init__(self, changes: MemoryChanges) -> None:
        super().__init__(changes)
        self.failing_moves: set[HoldState] = set()
        self.failures = 0

    async def before(self, to: HoldState) -> None:
        """Wait, if this store does, before a move."""

    async def move(  # noqa: PLR0913 - as the port has it
        self,
        message_id: int,
        *,
        allowed: frozenset[HoldState],
        to: HoldState,
        at: datetime,
        note: str = "",
        smsc_message_id: str = "",
        receipt: ReceiptState | None = None,
        grounds: Grounds | None = None,
        is_reviewed: bool = False,
        is_wanted: bool = False,
        held_for: Reason | None = None,
    ) -> HeldMessage | None:
        await self.before(to)
        if to in self.failing_moves:
            self.failures += 1
            self.failing_moves.discard(to)
            raise StoreUnavailable("no disk")
        return await super().move(
            message_id,
            allowed=allowed,
            to=to,
            at=at,
            note=note,
            smsc_message_id=smsc_message_id,
            receipt=receipt,
            grounds=grounds,
            is_reviewed=is_reviewed,
            is_wanted=is_wanted,
            held_for=held_for,
        )


@pytest.fixture
async def failing() -> tuple[FailingQuarantine, Stores]:
    stores = memory_stores()
    assert isinstance(stores.changes, MemoryChanges)
    store = FailingQuarantine(stores.changes)
    return store, replace(stores, quarantine=store)


async def test_a_store_that_fails_once_does_not_forget_a_release(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    failing: tuple[FailingQuarantine, Stores],
    reach: Reach,
) -> None:
    store, stores = failing
    gateway = await start(stores=stores)
    message_id = await hold(await attach(gateway))
    store.failing_moves = {HoldState.RELEASING}

    await release(gateway, message_id)
    await reach(gateway, message_id, HoldState.RELEASED)

    assert store.failures == 1
    assert len(smsc.journal) == 1


async def test_a_store_that_fails_once_does_not_forget_a_refusal(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    failing: tuple[FailingQuarantine, Stores],
    refuse: Refuse,
    reach: Reach,
) -> None:
    store, stores = failing
    gateway = await start(stores=stores)
    message_id = await hold(await attach(gateway))
    await refuse(gateway, SUBSCRIBER)
    store.failing_moves = {HoldState.REFUSED}

    await release(gateway, message_id)
    await reach(gateway, message_id, HoldState.REFUSED)

    assert store.failures == 1
    assert smsc.journal == []


async def test_a_release_whose_end_the_store_could_not_note_is_not_written_again(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    failing: tuple[FailingQuarantine, Stores],
    reach: Reach,
    log: LogLines,
) -> None:
    store, stores = failing
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    message_id = await hold(esme)
    store.failing_moves = {HoldState.RELEASED}
    smsc.behaviour = Behaviour(receipts=True)

    await release(gateway, message_id)
    receipt = await esme.next_pdu()
    await esme.submit(SOURCE, DESTINATION, "您好")
    await reach(gateway, message_id, HoldState.RELEASED)

    events = [line["event"] for line in log]
    assert (events.count("store.failed"), events.count("quarantine.released")) == (1, 1)
    assert receipt_of(receipt)[0] == message_id
    assert len(smsc.journal) == 2


async def test_many_releases_are_written_a_window_at_a_time(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    reach: Reach,
) -> None:
    monkeypatch.setattr("gateway.proxy.releasing._AT_ONCE", 2)
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    ids = [await hold(esme, wants_receipt=False) for _ in range(5)]
    for message_id in ids:
        await release(gateway, message_id)

    await smsc.received(2)
    await reach(gateway, ids[2], HoldState.RELEASE_REQUESTED)
    assert smsc.counters.messages == 2
    smsc.behaviour = Behaviour()
    smsc.release_answers()
    for message_id in ids:
        await reach(gateway, message_id, HoldState.RELEASED)

    assert smsc.counters.messages == 5
    assert len({sequence_of(entry.pdu) for entry in smsc.journal}) == 5


class GatedQuarantine(FailingQuarantine):
    """A store that takes a message for release when it may, and counts how often it is read."""

    def __init__(self, changes: MemoryChanges) -> None:
        super().__init__(changes)
        self.may_take = asyncio.Event()
        self.asked = asyncio.Event()
        self.reads = 0

    async def get_many(self, message_ids: Collection[int]) -> list[HeldMessage]:
        self.reads += 1
        return await super().get_many(message_ids)

    async def before(self, to: HoldState) -> None:
        if to is HoldState.RELEASING:
            self.asked.set()
            await self.may_take.wait()


@pytest.fixture
async def gated() -> tuple[GatedQuarantine, Stores]:
    stores = memory_stores()
    assert isinstance(stores.changes, MemoryChanges)
    store = GatedQuarantine(stores.changes)
    return store, replace(stores, quarantine=store)


async def test_a_link_that_is_lost_just_before_a_release_is_written_delays_it(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    gated: tuple[GatedQuarantine, Stores],
    until: Until,
) -> None:
    store, stores = gated
    gateway = await start(stores=stores)
    message_id = await hold(await attach(gateway))
    (session,) = gateway.sessions.pairs
    await release(gateway, message_id)
    await store.asked.wait()

    smsc.disconnect_all()
    await until(lambda: session.peer is None)
    store.may_take.set()
    await smsc.received(1)

    assert smsc.counters.binds == 2
    assert len(smsc.journal) == 1


async def test_a_sender_that_is_removed_sends_nothing_more_while_it_leaves(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    gated: tuple[GatedQuarantine, Stores],
    until: Until,
) -> None:
    store, stores = gated
    store.may_take.set()
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    esme.answers_requests = False
    message_id = await hold(esme)
    rules = gateway.plane.rules
    gateway.tick.pipeline.load(type(rules)(rules.bundle, [], gateway._knowledge, rules))
    gateway.sessions.follow_accounts()
    await esme.next_pdu()

    await release(gateway, message_id)
    await until(lambda: store.reads > 3)

    assert not store.asked.is_set()
    assert smsc.journal == []


async def test_a_release_that_somebody_took_back_is_not_written(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    gated: tuple[GatedQuarantine, Stores],
    until: Until,
) -> None:
    store, stores = gated
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    first, second = await hold(esme), await hold(esme)
    await release(gateway, first)
    await release(gateway, second)
    await store.asked.wait()

    # Both are wanted by now, and the loop that releases them stands at them.
    await desk(gateway).discard(int(second), "lin", utcnow())
    await desk(gateway).discard(int(first), "lin", utcnow())
    store.may_take.set()
    reads = store.reads
    await until(lambda: store.reads > reads)

    assert smsc.journal == []
