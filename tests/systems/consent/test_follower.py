"""The sets at hand follow the store."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.subscription import (
    Event,
    MessageEvidence,
    Subscription,
    SubscriptionAct,
    Terms,
    advance,
)
from gateway.policy.knowledge import ConsentSets
from gateway.storage import change_feed
from gateway.storage.change_feed import Change, ChangeFeed
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.consent.sql import AnswerRow, ConsentStore
from gateway.systems.subscriptions.model import Changes, SubscriptionStep
from tests.memory_stores import database_of

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
SUBSCRIBER = 8613800138000


def answer(msisdn: int, scope: str, said: Answer, minute: int = 0) -> ConsentAnswer:
    return ConsentAnswer(msisdn, scope, said, NOON + timedelta(minutes=minute), "mo")


@pytest.fixture
def sets() -> ConsentSets:
    return ConsentSets()


@pytest.fixture
def follower(stores: Stores, sets: ConsentSets) -> ConsentFollower:
    return ConsentFollower(stores.consent, stores.subscriptions, stores.changes, sets)


async def test_loading_takes_every_answer_on_record(
    follower: ConsentFollower, stores: Stores, sets: ConsentSets
) -> None:
    await stores.consent.record(
        [
            answer(SUBSCRIBER, "sp1", Answer.REFUSED),
            answer(SUBSCRIBER, "sp2", Answer.AGREED),
            answer(SUBSCRIBER + 1, EVERY_SENDER, Answer.REFUSED),
        ]
    )

    loaded = await follower.load()

    assert loaded == 3
    assert sets.is_refused("sp1", SUBSCRIBER)
    assert sets.has_agreed("sp2", SUBSCRIBER)
    assert sets.is_refused("sp3", SUBSCRIBER + 1)


async def test_a_refusal_after_loading_is_taken_over(
    follower: ConsentFollower, stores: Stores, sets: ConsentSets
) -> None:
    await stores.consent.record([answer(SUBSCRIBER, "sp1", Answer.AGREED)])
    await follower.load()
    await stores.consent.record([answer(SUBSCRIBER, "sp1", Answer.REFUSED, minute=1)])

    taken = await follower.catch_up()

    assert taken == 1
    assert sets.is_refused("sp1", SUBSCRIBER)
    assert await follower.catch_up() == 0


async def test_an_import_of_many_pages_is_taken_over_whole(
    follower: ConsentFollower, stores: Stores, sets: ConsentSets
) -> None:
    numbers = range(SUBSCRIBER, SUBSCRIBER + 25_000)
    await follower.load()
    await stores.consent.record([answer(number, "sp1", Answer.REFUSED) for number in numbers])

    taken = await follower.catch_up()

    assert taken == len(numbers)
    assert all(sets.is_refused("sp1", number) for number in numbers)


async def test_an_answer_that_changed_between_two_reads_of_the_feed_ends_as_its_last(
    follower: ConsentFollower, stores: Stores, sets: ConsentSets
) -> None:
    await follower.load()
    await stores.consent.record([answer(SUBSCRIBER, "sp1", Answer.REFUSED)])
    await stores.consent.record([answer(SUBSCRIBER, "sp1", Answer.AGREED, minute=1)])

    await follower.catch_up()

    assert not sets.is_refused("sp1", SUBSCRIBER)
    assert sets.has_agreed("sp1", SUBSCRIBER)


async def test_an_answer_given_while_the_snapshot_is_read_is_not_missed(
    database: Database, stores: Stores, sets: ConsentSets
) -> None:
    class AnsweredMeanwhile(ConsentStore):
        """The store, with a refusal that comes after its last page was read."""

        async def all_answers(self, batch: int = 10_000) -> AsyncIterator[list[AnswerRow]]:
            async for rows in super().all_answers(batch):
                yield rows
            await self.record([answer(SUBSCRIBER, "sp1", Answer.REFUSED)])

    store = AnsweredMeanwhile(database)
    follower = ConsentFollower(store, stores.subscriptions, stores.changes, sets)
    await follower.load()

    await follower.catch_up()

    assert sets.is_refused("sp1", SUBSCRIBER)


async def test_changes_of_other_kinds_are_passed_over(
    follower: ConsentFollower, stores: Stores
) -> None:
    await stores.quarantine.hold([held_message()])
    await follower.load()
    await stores.quarantine.move(
        1, allowed=frozenset({HoldState.HELD}), to=HoldState.DISCARDED, at=NOON
    )

    assert await follower.catch_up() == 0


async def test_the_sets_are_not_current_while_the_store_cannot_be_read(
    stores: Stores, sets: ConsentSets
) -> None:
    class Failing(ChangeFeed):
        """A feed that fails while `is_down`."""

        is_down = True

        async def changes(self, after: int, limit: int = 1000) -> list[Change]:
            if self.is_down:
                raise StoreUnavailable("gone")
            return await super().changes(after, limit)

    feed = Failing(database_of(stores))
    follower = ConsentFollower(stores.consent, stores.subscriptions, feed, sets)
    await follower.load()
    await stores.consent.record([answer(SUBSCRIBER, "sp1", Answer.REFUSED)])

    with pytest.raises(StoreUnavailable):
        await follower.catch_up()
    was_current = sets.is_current
    feed.is_down = False
    await follower.catch_up()

    assert (was_current, sets.is_current) == (False, True)
    assert sets.is_refused("sp1", SUBSCRIBER)


def held_message() -> HeldMessage:
    return HeldMessage(
        message_id=1,
        system_id="sp1",
        source="10690001",
        destination="13800138000",
        pdu=bytes(16),
        reason="CONTENT",
        rule="K-FRAUD",
        category="fraud",
        evidence="",
        digest="",
        receipt_asked=False,
        held_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )


TERMS = Terms("示例商城", "天气", "10690001", 500)


async def take(stores: Stores, before: Subscription, act: SubscriptionAct) -> Subscription:
    said = MessageEvidence("1", "00" * 32, NOON)
    after = advance(before, Event(act, said, TERMS, said), NOON)
    assert isinstance(after, Subscription)
    assert await stores.subscriptions.keep(Changes((SubscriptionStep(after, act, said),)))
    return after


async def test_r24_running_orders_are_loaded_and_followed(
    follower: ConsentFollower, stores: Stores, sets: ConsentSets
) -> None:
    ordered = await take(
        stores, Subscription(SUBSCRIBER, "sp1", "a", TERMS, NOON), SubscriptionAct.ORDER
    )
    running = await take(stores, ordered, SubscriptionAct.CONFIRM)
    other = Subscription(SUBSCRIBER + 1, "sp1", "a", TERMS, NOON)

    assert await follower.load() == 0
    assert sets.has_agreed("sp1", SUBSCRIBER)

    await take(stores, running, SubscriptionAct.CANCEL)
    await take(stores, await take(stores, other, SubscriptionAct.ORDER), SubscriptionAct.CONFIRM)
    await follower.catch_up()

    assert not sets.has_agreed("sp1", SUBSCRIBER)
    assert sets.has_agreed("sp1", SUBSCRIBER + 1)


async def test_r31_the_sets_are_good_for_a_second_from_when_the_store_was_asked(
    stores: Stores, sets: ConsentSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 200.0, 300.0))
    monkeypatch.setattr(change_feed, "monotonic", lambda: next(clock))
    follower = ConsentFollower(stores.consent, stores.subscriptions, stores.changes, sets)
    for number in range(ConsentFollower.changes_at_once + 1):
        await stores.consent.record([answer(SUBSCRIBER + number, "sp1", Answer.REFUSED)])

    # The first page was full: what came after it was known only with the second.
    assert await follower.catch_up() == ConsentFollower.changes_at_once + 1
    assert sets.read_by == 201.0

    assert await follower.catch_up() == 0
    assert sets.read_by == 301.0


class Clocked:
    """A follower whose store and clock a test moves."""

    def __init__(self, stores: Stores, sets: ConsentSets, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.consent = stores.consent
        self.sets = sets
        self.follower = ConsentFollower(stores.consent, stores.subscriptions, stores.changes, sets)
        monkeypatch.setattr(change_feed, "monotonic", lambda: self.now)

    def hear(self, scope: str = "sp1", said: Answer = Answer.REFUSED) -> None:
        self.sets.apply(SUBSCRIBER, scope, said)

    async def look(self, later_s: float = 0.25) -> None:
        self.now += later_s
        await self.follower.catch_up()

    def is_refused(self) -> bool:
        return self.sets.is_refused("sp1", SUBSCRIBER)


@pytest.fixture
def clocked(stores: Stores, sets: ConsentSets, monkeypatch: pytest.MonkeyPatch) -> Clocked:
    return Clocked(stores, sets, monkeypatch)


async def test_r31_a_refusal_that_is_being_committed_is_not_lifted_by_the_row_before_it(
    clocked: Clocked,
) -> None:
    await clocked.follower.load()
    await clocked.consent.record([answer(SUBSCRIBER, "sp1", Answer.AGREED)])
    clocked.hear()

    await clocked.look()

    assert clocked.is_refused()
    await clocked.consent.record([answer(SUBSCRIBER, "sp1", Answer.REFUSED, minute=1)])
    for later_s in (0.25, 11, 11):
        await clocked.look(later_s)
        assert clocked.is_refused()
    assert not clocked.sets.heard


async def test_r31_a_refusal_that_is_being_committed_stands_when_all_is_read_anew(
    clocked: Clocked,
) -> None:
    await clocked.consent.record([answer(SUBSCRIBER, "sp1", Answer.AGREED)])
    clocked.hear()

    await clocked.follower.load()

    assert clocked.is_refused()
    assert not clocked.sets.has_agreed("sp1", SUBSCRIBER)


async def test_what_was_allowed_elsewhere_after_a_refusal_holds_ten_seconds_later(
    clocked: Clocked,
) -> None:
    await clocked.follower.load()
    clocked.hear()
    await clocked.consent.record([answer(SUBSCRIBER, "sp1", Answer.REFUSED)])
    await clocked.look()
    await clocked.consent.record([answer(SUBSCRIBER, "sp1", Answer.AGREED, minute=1)])

    await clocked.look()
    assert clocked.is_refused()
    await clocked.look(9)
    assert clocked.is_refused()
    await clocked.look(2)

    assert not clocked.is_refused()
    assert clocked.sets.has_agreed("sp1", SUBSCRIBER)
    assert not clocked.sets.heard


async def test_a_refusal_that_the_store_never_got_stands(clocked: Clocked) -> None:
    await clocked.follower.load()
    clocked.hear()
    await clocked.follower.load()

    for later_s in (0.25, 11, 11):
        await clocked.look(later_s)

    assert clocked.is_refused()
    assert not clocked.sets.heard


async def test_who_agrees_by_message_is_believed_at_once(clocked: Clocked) -> None:
    await clocked.follower.load()
    clocked.hear()
    clocked.hear(said=Answer.AGREED)
    await clocked.consent.record([answer(SUBSCRIBER, "sp1", Answer.AGREED)])

    await clocked.look()

    assert not clocked.is_refused()


async def test_who_refuses_again_while_the_store_is_asked_is_heard_anew(
    clocked: Clocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clocked.follower.load()
    clocked.hear()
    await clocked.consent.record([answer(SUBSCRIBER, "sp1", Answer.AGREED)])
    await clocked.look()
    read = clocked.consent.answers_of

    async def read_meanwhile(msisdns: set[int]) -> list[ConsentAnswer]:
        found = await read(msisdns)
        clocked.hear()
        return found

    monkeypatch.setattr(clocked.consent, "answers_of", read_meanwhile)
    await clocked.look(11)

    assert clocked.is_refused()
    assert clocked.sets.heard
