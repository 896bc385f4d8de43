"""What gateway.systems.suspensions.sql promises, on every store."""

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.records import NewPurge
from gateway.domain.suspension import (
    SUBSCRIBER,
    Allowance,
    Lift,
    NewSuspension,
    Suspension,
    SuspensionState,
)
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.suspensions.sql import SuspensionRow, suspensions

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., NewSuspension]

NUMBER = 8613900000001
OTHER = 8613900000002
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def found(noon: datetime) -> Builder:
    """Build a suspension that R43 asks for; give what should be otherwise."""
    usual = NewSuspension(NUMBER, "sp1", "R43", noon, noon + 3 * DAY)
    return lambda **changes: replace(usual, **changes)


async def announced(stores: Stores) -> list[str]:
    changes = await stores.changes.changes(0)
    return [change.key for change in changes if change.kind is ChangeKind.SUSPENSION]


async def lifted_by_itself(stores: Stores, at: datetime, allowance: Allowance) -> bool:
    active = await stores.suspensions.active_of(NUMBER)
    assert active is not None
    return await stores.suspensions.lift(active.number, Lift(at, SUBSCRIBER), allowance)


def test_there_is_a_column_for_each_field_of_a_suspension() -> None:
    assert {column.name for column in suspensions.columns} == {
        field.name for field in fields(Suspension)
    }


async def test_a_suspension_comes_back_as_it_was_kept(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    is_news = await stores.suspensions.suspend(found(note="201st in an hour"))

    assert is_news
    assert await stores.suspensions.active_of(OTHER) is None
    assert await stores.suspensions.active_of(NUMBER) == Suspension(
        number=1,
        msisdn=NUMBER,
        system_id="sp1",
        rule="R43",
        since=noon,
        until=noon + 3 * DAY,
        state=SuspensionState.ACTIVE,
        is_told=False,
        lifted_at=None,
        lifted_by="",
        note="201st in an hour",
    )
    assert await announced(stores) == [str(NUMBER)]


async def test_a_number_is_suspended_once_however_often_and_wherever_it_is_found(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    several = (found(), found(system_id="sp2"), found(since=noon + HOUR))

    kept = await asyncio.gather(*map(stores.suspensions.suspend, several))

    assert sorted(kept) == [False, False, True]
    assert len(await stores.suspensions.listed()) == 1
    assert len(await announced(stores)) == 1


async def test_what_was_found_before_it_was_lifted_is_no_news(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    await stores.suspensions.suspend(found())
    await stores.suspensions.lift(1, Lift(noon + HOUR, "li"))

    before = await stores.suspensions.suspend(found(since=noon + HOUR))
    after = await stores.suspensions.suspend(found(since=noon + 2 * HOUR))

    assert (before, after) == (False, True)


async def test_one_whose_time_is_over_stands_in_the_way_of_none(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    await stores.suspensions.suspend(found())

    is_news = await stores.suspensions.suspend(found(since=noon + 3 * DAY, until=noon + 6 * DAY))

    assert is_news
    states = [one.state for one in await stores.suspensions.listed()]
    assert states == [SuspensionState.ACTIVE, SuspensionState.ENDED]


async def test_lifting_ends_it_once_and_says_who_and_why(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    await stores.suspensions.suspend(found(note="201st in an hour"))
    await stores.suspensions.suspend(found(msisdn=OTHER, note="201st in an hour"))

    first = await stores.suspensions.lift(1, Lift(noon + HOUR, "li", "a club's invitations"))
    again = await stores.suspensions.lift(1, Lift(noon + DAY, "wu"))
    unsaid = await stores.suspensions.lift(2, Lift(noon + HOUR, "li"))
    unknown = await stores.suspensions.lift(3, Lift(noon + HOUR, "li"))

    assert (first, again, unsaid, unknown) == (True, False, True, False)
    assert await stores.suspensions.active_of(NUMBER) is None
    other, one = await stores.suspensions.listed()
    assert (one.state, one.lifted_at, one.lifted_by) == (
        SuspensionState.LIFTED,
        noon + HOUR,
        "li",
    )
    assert (one.note, other.note) == ("a club's invitations", "201st in an hour")
    assert await announced(stores) == [str(NUMBER), str(OTHER), str(NUMBER), str(OTHER)]


async def test_r43_a_number_lifts_its_own_as_often_as_it_is_allowed(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    month = 30 * DAY
    await stores.suspensions.suspend(found())
    assert await lifted_by_itself(stores, noon + HOUR, Allowance(1, noon + HOUR - month))
    later = noon + 10 * DAY
    await stores.suspensions.suspend(found(since=later, until=later + 3 * DAY))

    second = await lifted_by_itself(stores, later + HOUR, Allowance(1, later + HOUR - month))
    generous = await lifted_by_itself(stores, later + HOUR, Allowance(2, later + HOUR - month))
    await stores.suspensions.suspend(found(since=noon + 2 * month, until=noon + 3 * month))
    a_month_on = await lifted_by_itself(
        stores, noon + 2 * month + HOUR, Allowance(1, noon + month + HOUR)
    )

    assert (second, generous, a_month_on) == (False, True, True)


async def test_what_a_clerk_lifted_is_not_counted_against_the_number(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    await stores.suspensions.suspend(found())
    await stores.suspensions.lift(1, Lift(noon + HOUR, "li"))
    await stores.suspensions.suspend(found(since=noon + 2 * HOUR))

    assert await lifted_by_itself(stores, noon + 3 * HOUR, Allowance(1, noon))


async def test_a_number_that_may_never_lift_its_own_does_not(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    await stores.suspensions.suspend(found())

    assert not await lifted_by_itself(stores, noon + HOUR, Allowance(0, noon))


async def test_who_is_to_be_told_is_found_by_the_sps_that_can_be_reached_and_claimed_once(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    await stores.suspensions.suspend(found())
    await stores.suspensions.suspend(found(msisdn=OTHER, system_id="sp2"))
    await stores.suspensions.suspend(found(msisdn=OTHER + 1, is_told=True))
    await stores.suspensions.suspend(found(msisdn=OTHER + 2))
    await stores.suspensions.lift(4, Lift(noon + HOUR, "li"))

    of_one = await stores.suspensions.untold({"sp1"})
    of_both = await stores.suspensions.untold({"sp1", "sp2"})
    first_only = await stores.suspensions.untold({"sp1", "sp2"}, limit=1)
    claims = [await stores.suspensions.claim_telling(number) for number in (1, 1, 9)]

    assert [one.msisdn for one in of_one] == [NUMBER]
    assert [one.msisdn for one in of_both] == [NUMBER, OTHER]
    assert first_only == of_both[:1]
    assert claims == [True, False, False]
    assert await stores.suspensions.untold({"sp1"}) == []


async def test_time_ends_what_is_due_and_every_process_hears_of_it(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    for days in (2, 1, 3):
        await stores.suspensions.suspend(found(msisdn=NUMBER + days, until=noon + days * DAY))

    early = await stores.suspensions.end_due(noon)
    one = await stores.suspensions.end_due(noon + 2 * DAY, limit=1)
    rest = await stores.suspensions.end_due(noon + 2 * DAY)
    again = await stores.suspensions.end_due(noon + 2 * DAY)

    assert (early, one, rest, again) == (0, 1, 1, 0)
    assert (await announced(stores))[3:] == [str(NUMBER + 1), str(NUMBER + 2)]
    (left,) = await stores.suspensions.listed(SuspensionState.ACTIVE)
    assert left.msisdn == NUMBER + 3


async def test_what_is_listed_is_the_newest_first_by_state_and_number(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    for nth in range(3):
        await stores.suspensions.suspend(found(msisdn=NUMBER + nth))
    await stores.suspensions.lift(2, Lift(noon + HOUR, "li"))

    listed = stores.suspensions.listed

    assert [one.number for one in await listed()] == [3, 2, 1]
    assert [one.number for one in await listed(limit=1)] == [3]
    assert [one.number for one in await listed(SuspensionState.ACTIVE)] == [3, 1]
    assert [one.number for one in await listed(msisdn=NUMBER + 1)] == [2]
    assert await listed(SuspensionState.ENDED, msisdn=NUMBER) == []


async def test_what_is_in_force_is_the_latest_of_each_number(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    lifted_at, until = noon + HOUR, noon + 3 * DAY
    await stores.suspensions.suspend(found())
    await stores.suspensions.lift(1, Lift(lifted_at, "li"))
    await stores.suspensions.suspend(found(since=noon + 2 * HOUR))
    await stores.suspensions.suspend(found(msisdn=OTHER))
    await stores.suspensions.suspend(found(msisdn=OTHER + 1))
    await stores.suspensions.lift(4, Lift(lifted_at, "li"))
    await stores.suspensions.suspend(found(msisdn=OTHER + 2, until=noon + HOUR))
    await stores.suspensions.end_due(noon + 2 * HOUR)

    by_number = await stores.suspensions.rows_of(range(NUMBER, NUMBER + 10))
    recent = [row async for page in stores.suspensions.in_force(noon, batch=1) for row in page]
    old = [row async for page in stores.suspensions.in_force(lifted_at) for row in page]

    assert by_number == {
        NUMBER: SuspensionRow(NUMBER, until.timestamp(), lifted_at.timestamp()),
        OTHER: SuspensionRow(OTHER, until.timestamp(), 0),
        OTHER + 1: SuspensionRow(OTHER + 1, 0, lifted_at.timestamp()),
    }
    assert {row.msisdn: row for row in recent} == by_number
    assert {row.msisdn for row in old} == {NUMBER, OTHER}
    assert await stores.suspensions.rows_of([]) == {}


async def test_r72_only_what_is_over_is_forgotten_and_the_log_tells_of_it(
    stores: Stores, found: Builder, noon: datetime
) -> None:
    for nth, days in enumerate((1, 2, 3, 4)):
        await stores.suspensions.suspend(found(msisdn=NUMBER + nth, until=noon + days * DAY))
    await stores.suspensions.lift(4, Lift(noon + HOUR, "li"))
    await stores.suspensions.end_due(noon + 2 * DAY)

    before = noon + 2 * DAY
    first = await stores.suspensions.over_before(before, limit=1)
    rest = await stores.suspensions.over_before(before, after=first[-1].number)
    later = await stores.suspensions.over_before(before + HOUR)
    purge = NewPurge("suspensions", noon, before, 4, noon + 9 * DAY, "lin")
    gone = await stores.suspensions.forget([1, 3, 4, 9], purge)

    assert [one.number for one in (*first, *rest)] == [1, 4]
    assert [one.number for one in later] == [1, 2, 4]
    assert gone == 2
    assert [one.msisdn for one in await stores.suspensions.listed()] == [NUMBER + 2, NUMBER + 1]
    assert await stores.suspensions.forget([1], purge) == 0
    [noted] = await stores.journals.purges(10)
    assert (noted.what, noted.count, noted.by) == ("suspensions", 2, "lin")
