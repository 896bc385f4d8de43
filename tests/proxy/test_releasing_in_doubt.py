"""Releases that meet an obstacle: the store fails, the link is lost, or somebody is faster."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.runtime.clock import utcnow
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.model import HoldMove
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import (
    sequence_of,
)
from tests.proxy.people import (
    DESTINATION,
    SOURCE,
    SUBSCRIBER,
    desk,
    hold,
    receipt_of,
    release,
)

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]


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


class FailingQuarantine(QuarantineStore):
    """A store that fails the next calls of one kind."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.failing_moves: set[HoldState] = set()
        self.failures = 0

    async def before(self, to: HoldState) -> None:
        """Wait, if this store does, before a move."""

    async def move(self, message_id: int, **move: Unpack[HoldMove]) -> HeldMessage | None:
        await self.before(move["to"])
        if move["to"] in self.failing_moves:
            self.failures += 1
            self.failing_moves.discard(move["to"])
            raise StoreUnavailable("no disk")
        return await super().move(message_id, **move)


@pytest.fixture
async def failing(stores: Stores, database: Database) -> tuple[FailingQuarantine, Stores]:
    store = FailingQuarantine(database)
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
    monkeypatch.setattr("gateway.proxy.release_follower._AT_ONCE", 2)
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

    def __init__(self, database: Database) -> None:
        super().__init__(database)
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
async def gated(stores: Stores, database: Database) -> tuple[GatedQuarantine, Stores]:
    store = GatedQuarantine(database)
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
