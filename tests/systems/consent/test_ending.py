"""An agreement that was given for a time is none afterwards (R20, R26)."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.policy.knowledge import ConsentSets
from gateway.storage import change_feed
from gateway.storage.database import Database
from gateway.stores import stores_of
from gateway.systems.consent import follower as follower_module
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.consent.sql import ConsentStore

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SUBSCRIBER = 8613800138000
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class World:
    """A store, what follows it, and both clocks."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.ahead = timedelta()  # of the clock on the wall
        stores = stores_of(database)
        self.store = ConsentStore(database, self.utcnow)
        self.sets = ConsentSets()
        self.follower = ConsentFollower(
            self.store, stores.subscriptions, stores.changes, self.sets, self.utcnow
        )

    def utcnow(self) -> datetime:
        return self.now + self.ahead

    def monotonic(self) -> float:
        return (self.now - NOON).total_seconds()

    async def agree(self, until: datetime, msisdn: int = SUBSCRIBER, **said: object) -> None:
        kind = Answer(str(said.get("answer", Answer.AGREED)))
        given = ConsentAnswer(msisdn, "sp1", kind, self.now, "web", "817", until)
        await self.store.record([given])

    async def at(self, now: datetime) -> None:
        self.now = now
        await self.follower.catch_up()

    def agreed(self, msisdn: int = SUBSCRIBER) -> bool:
        return self.sets.has_agreed("sp1", msisdn, accept_asserted=True)


@pytest.fixture
def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(database)
    monkeypatch.setattr(change_feed, "monotonic", world.monotonic)
    return world


@pytest.mark.parametrize("kind", [Answer.AGREED, Answer.ASSERTED])
async def test_r20_an_agreement_is_none_any_more_within_a_minute_of_its_end(
    world: World, kind: Answer
) -> None:
    await world.follower.load()
    await world.agree(NOON + DAY, answer=kind)

    await world.at(NOON + DAY - timedelta(seconds=1))
    before = world.agreed()
    await world.at(NOON + DAY + MINUTE)

    assert (before, world.agreed()) == (True, False)


async def test_r20_what_had_ended_before_the_start_is_not_loaded(world: World) -> None:
    await world.agree(NOON + DAY)
    world.now = NOON + DAY

    await world.follower.load()

    assert not world.agreed()


async def test_r20_an_agreement_that_is_on_record_with_a_past_end_counts_at_no_time(
    world: World,
) -> None:
    await world.follower.load()

    await world.agree(NOON - DAY)
    await world.follower.catch_up()

    assert not world.agreed()


async def test_a_new_agreement_holds_past_the_end_of_the_one_before(world: World) -> None:
    await world.agree(NOON + DAY)
    await world.follower.load()

    world.now = NOON + MINUTE
    await world.agree(NOON + 2 * DAY)
    await world.at(NOON + DAY + MINUTE)
    renewed = world.agreed()
    await world.at(NOON + 2 * DAY + MINUTE)

    assert (renewed, world.agreed()) == (True, False)


async def test_r21_a_refusal_that_is_heard_and_not_on_record_yet_outlasts_the_end(
    world: World,
) -> None:
    await world.agree(NOON + DAY)
    await world.follower.load()

    world.sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)
    await world.at(NOON + DAY + MINUTE)

    assert world.sets.is_refused("sp1", SUBSCRIBER)


async def test_a_list_that_ends_whole_is_ended_page_by_page_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "_ENDS_AT_ONCE", 4)
    for place in range(10):
        await world.agree(NOON + DAY, SUBSCRIBER + place)
    await world.follower.load()

    left: list[int] = []
    for quarter in range(4):
        await world.at(NOON + DAY + timedelta(seconds=quarter / 4))
        left.append(sum(world.agreed(SUBSCRIBER + place) for place in range(10)))

    assert left == [6, 2, 0, 0]


async def test_between_looks_for_ends_the_store_is_left_in_peace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[datetime] = []
    ending = world.store.answers_ending

    async def counted(after: object, through: datetime, limit: int) -> object:
        looks.append(through)
        return await ending(after, through, limit)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store, "answers_ending", counted)
    await world.follower.load()

    for second in range(21):
        await world.at(NOON + timedelta(seconds=second))

    assert looks == [NOON + timedelta(seconds=second) for second in (0, 10, 20)]


async def test_r20_an_agreement_ends_though_the_clock_was_ahead_for_a_while(world: World) -> None:
    await world.agree(NOON + 10 * MINUTE)
    await world.follower.load()
    world.ahead = 30 * MINUTE
    await world.at(NOON + MINUTE)

    world.ahead = timedelta()
    await world.agree(NOON + 5 * MINUTE, SUBSCRIBER + 1)
    await world.at(NOON + 2 * MINUTE)
    running = world.agreed(SUBSCRIBER + 1)
    await world.at(NOON + 6 * MINUTE)

    assert (running, world.agreed(SUBSCRIBER + 1)) == (True, False)


async def test_r20_a_clock_that_was_ahead_between_two_looks_hides_no_end(world: World) -> None:
    second = timedelta(seconds=1)
    await world.agree(NOON + 4 * second)
    await world.follower.load()
    world.ahead = 5 * second
    await world.at(NOON + second)

    world.ahead = timedelta()
    await world.at(NOON + 2 * second)
    await world.agree(NOON + 3 * second, SUBSCRIBER + 1)
    await world.at(NOON + 2.5 * second)
    running = world.agreed(SUBSCRIBER + 1)
    await world.at(NOON + 12 * second)

    assert (running, world.agreed(SUBSCRIBER + 1)) == (True, False)


async def test_r20_a_clock_that_steps_back_leaves_no_page_of_ends_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "_ENDS_AT_ONCE", 1)
    for place in range(3):
        await world.agree(NOON + MINUTE, SUBSCRIBER + place)
    await world.follower.load()
    world.now = NOON + 10 * MINUTE
    await world.follower.catch_up()

    world.ahead = -5 * MINUTE
    for _ in range(3):
        await world.follower.catch_up()

    assert not any(world.agreed(SUBSCRIBER + place) for place in range(3))


async def test_r21_a_change_to_an_agreement_that_has_ended_leaves_a_refusal_heard_meanwhile(
    world: World,
) -> None:
    await world.follower.load()
    world.sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)

    await world.agree(NOON - DAY)
    await world.follower.catch_up()

    assert world.sets.is_refused("sp1", SUBSCRIBER)
