"""What an SP is brought, when, and for how long."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.storage.database import Database
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.optout_notices.model import NoticeBatch
from gateway.systems.optout_notices.service import (
    CLAIMED_FOR,
    LONGEST_PAUSE,
    Courier,
    CourierContext,
    Delivery,
)
from gateway.systems.optout_notices.sql import NoticeStore

Refuse: TypeAlias = Callable[..., Awaitable[object]]

SUBSCRIBER = 8613800138000
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
SAID = "HTTP 503"


@dataclass
class World:
    """A clock that is set by hand, and an SP that takes batches or does not."""

    now: datetime = datetime(2025, 11, 25, 12, 0, tzinfo=UTC)
    failure: str = ""
    brought: list[NoticeBatch] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)

    def utcnow(self) -> datetime:
        return self.now

    async def bring(self, batch: NoticeBatch, attempts: int) -> str:
        self.brought.append(batch)
        self.attempts.append(attempts)
        return self.failure

    @property
    def numbers(self) -> list[int]:
        return [notice.msisdn for batch in self.brought for notice in batch.notices]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def consent(database: Database, world: World) -> ConsentStore:
    return ConsentStore(database, world.utcnow)


@pytest.fixture
def notices(database: Database, world: World) -> NoticeStore:
    return NoticeStore(database, world.utcnow)


@pytest.fixture
def courier(notices: NoticeStore, world: World) -> Courier:
    return Courier("sp1", notices, world.bring, CourierContext(world.utcnow, lambda: 0.0, "here"))


@pytest.fixture
def refuse(consent: ConsentStore, world: World) -> Refuse:
    """Record refusals of so many subscribers from `first` on."""

    async def record(first: int = 0, count: int = 1) -> int:
        return await consent.record(
            [
                ConsentAnswer(SUBSCRIBER + first + place, "sp1", Answer.REFUSED, world.now, "mo")
                for place in range(count)
            ]
        )

    return record


async def test_nothing_is_brought_where_nobody_has_said_anything(
    courier: Courier, world: World
) -> None:
    assert await courier.deliver() == Delivery()
    assert world.brought == []


async def test_r36_what_waits_is_brought_batch_by_batch_and_once(
    courier: Courier, world: World, refuse: Refuse
) -> None:
    await refuse(count=501)

    first, second, nothing = [await courier.deliver() for _ in range(3)]

    at_once = timedelta()
    assert (first, second) == (Delivery(500, again_in=at_once), Delivery(1, again_in=at_once))
    assert nothing == Delivery()
    assert world.numbers == [SUBSCRIBER + place for place in range(501)]


async def test_r37_a_batch_that_is_not_taken_comes_again_with_growing_pauses(
    courier: Courier, world: World, refuse: Refuse
) -> None:
    world.failure = SAID
    await refuse()
    pauses: list[timedelta | None] = []

    for attempts in range(1, 13):
        delivery = await courier.deliver()
        assert (delivery.failure, delivery.attempts) == (SAID, attempts)
        pauses.append(delivery.again_in)
        world.now += delivery.again_in or timedelta()
    world.failure = ""
    taken = await courier.deliver()

    doubled = [SECOND * 2**place for place in range(10)]
    assert pauses == [*doubled, LONGEST_PAUSE, LONGEST_PAUSE]
    assert taken == Delivery(1, attempts=12, again_in=timedelta())
    assert len(set(world.brought)) == 1
    assert world.attempts == list(range(13))
    assert await courier.deliver() == Delivery()


async def test_who_is_asked_before_the_pause_is_over_waits_for_the_rest_of_it(
    courier: Courier, world: World, refuse: Refuse
) -> None:
    world.failure = SAID
    await refuse()
    await courier.deliver()
    await refuse(first=1)
    world.now += SECOND / 4

    early = await courier.deliver()

    assert early == Delivery(attempts=1, again_in=SECOND * 3 / 4)
    assert len(world.brought) == 1


async def test_a_clock_that_is_set_back_does_not_stretch_a_pause(
    courier: Courier, world: World, refuse: Refuse
) -> None:
    world.failure = SAID
    await refuse()
    await courier.deliver()
    world.now -= HOUR

    assert (await courier.deliver()).failure == SAID


async def test_who_starts_again_tries_at_once(
    courier: Courier, notices: NoticeStore, world: World, refuse: Refuse
) -> None:
    world.failure = SAID
    await refuse()
    await courier.deliver()
    world.failure = ""
    other = Courier("sp1", notices, world.bring, CourierContext(world.utcnow, lambda: 0.0, "here"))

    assert (await other.deliver()).delivered == 1


async def test_r37_after_72_hours_without_an_answer_a_notice_is_given_up(
    courier: Courier, consent: ConsentStore, world: World, refuse: Refuse
) -> None:
    world.failure = SAID
    await refuse(count=3)
    began = world.now
    given_up: list[tuple[timedelta, int]] = []
    while world.now < began + 80 * HOUR:
        delivery = await courier.deliver()
        if delivery.given_up:
            given_up.append((world.now - began, delivery.given_up))
        world.now += delivery.again_in or HOUR

    [(after, notices)] = given_up
    assert notices == 3
    # The boundary lies before what came at that very moment.
    assert 72 * HOUR < after <= 72 * HOUR + LONGEST_PAUSE
    refusal = await consent.answer_of(SUBSCRIBER, "sp1")
    assert refusal is not None
    assert refusal.answer is Answer.REFUSED

    world.failure = ""
    await refuse(first=9)
    world.brought.clear()
    assert (await courier.deliver()).delivered == 1
    assert world.numbers == [SUBSCRIBER + 9]


async def test_r37_what_came_later_has_72_hours_of_its_own(
    courier: Courier, world: World, refuse: Refuse
) -> None:
    world.failure = SAID
    began = world.now
    await refuse()
    await courier.deliver()
    world.now = began + 71 * HOUR
    await refuse(first=1)
    await courier.deliver()
    world.now = began + 73 * HOUR

    delivery = await courier.deliver()
    world.now += LONGEST_PAUSE
    world.brought.clear()
    await courier.deliver()

    assert delivery.given_up == 1
    assert world.numbers == [SUBSCRIBER + 1]


async def test_an_sp_that_is_new_and_fails_once_still_hears_of_all_that_is_old(
    courier: Courier, world: World, refuse: Refuse
) -> None:
    await refuse(count=3)
    world.now += 1000 * HOUR
    world.failure = SAID
    assert (await courier.deliver()).given_up == 0
    world.now += HOUR
    world.failure = ""

    assert (await courier.deliver()).delivered == 3


async def test_of_two_processes_on_one_store_one_delivers(
    notices: NoticeStore, world: World, refuse: Refuse
) -> None:
    here = CourierContext(world.utcnow, lambda: 0.0, "here")
    there = Courier("sp1", notices, world.bring, replace(here, holder="there"))
    met: list[Delivery] = []

    async def bring(_batch: NoticeBatch, _attempts: int) -> str:
        met.append(await there.deliver())
        world.now += CLAIMED_FOR  # as if this process had died on its way
        met.append(await there.deliver())
        return SAID

    await refuse()
    await Courier("sp1", notices, bring, here).deliver()

    assert met == [Delivery(again_in=CLAIMED_FOR), Delivery(1, again_in=timedelta())]
    assert len(world.brought) == 1
