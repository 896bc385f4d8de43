"""What gateway.systems.preferences.sql promises, on every store."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Edit,
    JournalEntry,
    Preference,
    PreferenceAction,
    PreferenceError,
    PreferenceKind,
    PreferenceList,
    packed,
    preference,
    with_preference,
    without_preference,
)
from gateway.domain.records import NewPurge
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.preferences.sql import PreferenceEdit

pytestmark = pytest.mark.every_store

OriginBuilder: TypeAlias = Callable[..., ChangeOrigin]

SUBSCRIBER = 8613800138000
HOUSES = preference(PreferenceKind.CATEGORY, "real_estate", PreferenceAction.BLOCK)
PORT = preference(PreferenceKind.NUMBER, "1069000112", PreferenceAction.ALLOW)
WORD = preference(PreferenceKind.KEYWORD, "免费 领取", PreferenceAction.HOLD)
NIGHT = preference(PreferenceKind.QUIET_HOURS, "22:00-08:00", PreferenceAction.BLOCK)


def adding(*wanted: Preference) -> Edit:
    def edit(before: PreferenceList) -> PreferenceList:
        for one in wanted:
            before = with_preference(before, one)
        return before

    return edit


def dropping(unwanted: Preference) -> Edit:
    return lambda before: without_preference(before, unwanted.kind, unwanted.value)


@pytest.fixture
def origin(noon: datetime) -> OriginBuilder:
    """Build where a change came from: `minute` minutes after noon."""
    return lambda minute=0, channel=Channel.MO, by="": ChangeOrigin(
        channel, noon + timedelta(minutes=minute), by
    )


async def test_preferences_come_back_in_the_order_they_were_given(
    stores: Stores, origin: OriginBuilder
) -> None:
    changed = await stores.preferences.change(
        SUBSCRIBER, adding(WORD, HOUSES, PORT, NIGHT), origin()
    )

    assert changed == PreferenceEdit((), (WORD, HOUSES, PORT, NIGHT))
    assert await stores.preferences.of(SUBSCRIBER) == (WORD, HOUSES, PORT, NIGHT)
    assert await stores.preferences.of(SUBSCRIBER + 1) == ()


async def test_r51_every_change_is_journaled_with_what_stood_before_and_after(
    stores: Stores, origin: OriginBuilder
) -> None:
    await stores.preferences.change(SUBSCRIBER, adding(HOUSES), origin(0))
    await stores.preferences.change(SUBSCRIBER + 1, adding(PORT), origin(1))
    by_clerk = origin(2, Channel.CLI, "li")
    await stores.preferences.change(SUBSCRIBER, dropping(HOUSES), by_clerk)

    assert await stores.preferences.journal_of(SUBSCRIBER) == [
        JournalEntry(origin(0), (), (HOUSES,)),
        JournalEntry(by_clerk, (HOUSES,), ()),
    ]
    assert await stores.preferences.journal_of(SUBSCRIBER, limit=1) == [
        JournalEntry(by_clerk, (HOUSES,), ())
    ]


async def test_every_change_is_announced_by_the_subscribers_number(
    stores: Stores, origin: OriginBuilder
) -> None:
    await stores.preferences.change(SUBSCRIBER, adding(HOUSES), origin())
    await stores.preferences.change(SUBSCRIBER, dropping(HOUSES), origin())
    await stores.preferences.change(SUBSCRIBER, adding(PORT), origin())
    before = await stores.changes.changes(0)
    await stores.preferences.erase(SUBSCRIBER, origin())

    changes = await stores.changes.changes(before[-1].number)

    assert [(change.kind, change.key) for change in (*before, *changes)] == [
        (ChangeKind.PREFERENCES, str(SUBSCRIBER))
    ] * 4


async def test_an_edit_without_effect_leaves_no_trace(
    stores: Stores, origin: OriginBuilder
) -> None:
    await stores.preferences.change(SUBSCRIBER, adding(HOUSES), origin(0))

    changed = await stores.preferences.change(SUBSCRIBER, adding(HOUSES), origin(1))
    nothing = await stores.preferences.change(SUBSCRIBER + 1, dropping(HOUSES), origin(1))

    assert (changed, nothing) == (PreferenceEdit((HOUSES,), (HOUSES,)), PreferenceEdit((), ()))
    assert len(await stores.preferences.journal_of(SUBSCRIBER)) == 1
    assert await stores.preferences.journal_of(SUBSCRIBER + 1) == []
    assert await stores.changes.latest() == 1


async def test_an_edit_that_fails_changes_nothing_and_harms_no_other(
    stores: Stores, origin: OriginBuilder
) -> None:
    def refuse(before: PreferenceList) -> PreferenceList:
        raise PreferenceError(f"{len(before)} are too many")

    failed, changed = await asyncio.gather(
        stores.preferences.change(SUBSCRIBER, refuse, origin()),
        stores.preferences.change(SUBSCRIBER + 1, adding(HOUSES), origin()),
        return_exceptions=True,
    )

    assert isinstance(failed, PreferenceError)
    assert changed == PreferenceEdit((), (HOUSES,))
    assert await stores.preferences.of(SUBSCRIBER) == ()
    assert await stores.preferences.journal_of(SUBSCRIBER) == []


async def test_edits_at_the_same_time_lose_nothing(stores: Stores, origin: OriginBuilder) -> None:
    wanted = [
        preference(PreferenceKind.NUMBER, str(95500 + place), PreferenceAction.BLOCK)
        for place in range(20)
    ]

    await asyncio.gather(
        *(stores.preferences.change(SUBSCRIBER, adding(one), origin()) for one in wanted)
    )

    assert set(await stores.preferences.of(SUBSCRIBER)) == set(wanted)


async def test_r51_what_is_deleted_on_request_leaves_only_that_it_was_deleted(
    stores: Stores, origin: OriginBuilder
) -> None:
    await stores.preferences.change(SUBSCRIBER, adding(HOUSES, WORD), origin(0))
    await stores.preferences.change(SUBSCRIBER + 1, adding(PORT), origin(0))

    was_there = await stores.preferences.erase(SUBSCRIBER, origin(1))

    assert was_there
    assert await stores.preferences.of(SUBSCRIBER) == ()
    assert await stores.preferences.journal_of(SUBSCRIBER) == []
    erasure = (await stores.preferences.journaled_before(origin(9).at))[-1]
    assert (erasure.msisdn, erasure.at) == (None, origin(1).at)
    assert await stores.preferences.of(SUBSCRIBER + 1) == (PORT,)


async def test_what_only_the_journal_tells_is_deleted_on_request_too(
    stores: Stores, origin: OriginBuilder
) -> None:
    await stores.preferences.change(SUBSCRIBER, adding(HOUSES), origin(0))
    await stores.preferences.change(SUBSCRIBER, dropping(HOUSES), origin(1))

    assert await stores.preferences.erase(SUBSCRIBER, origin(2))
    assert not await stores.preferences.erase(SUBSCRIBER, origin(3))
    assert not await stores.preferences.erase(SUBSCRIBER + 1, origin(3))
    assert await stores.preferences.journal_of(SUBSCRIBER) == []
    [change] = await stores.changes.changes(0)
    assert change.key == str(SUBSCRIBER)  # once more, for every process to hear of it


async def test_the_journal_is_pruned_by_time(stores: Stores, origin: OriginBuilder) -> None:
    for minute in range(3):
        edit = dropping(HOUSES) if minute % 2 else adding(HOUSES)
        await stores.preferences.change(SUBSCRIBER, edit, origin(minute))

    purge = NewPurge("preferences", origin(0).at, origin(1).at, 9, origin(8).at, "daily")
    old = await stores.preferences.journaled_before(origin(2).at)
    [second] = await stores.preferences.journaled_before(origin(2).at, after=old[0].number)
    assert old == [*old[:1], second]
    assert [(one.msisdn, one.at) for one in old] == [(SUBSCRIBER, origin(n).at) for n in (0, 1)]
    assert await stores.preferences.journaled_before(origin(2).at, limit=1) == old[:1]

    assert await stores.preferences.forget_entries([one.number for one in old], purge) == 2
    assert await stores.preferences.forget_entries([one.number for one in old], purge) == 0

    assert [one.count for one in await stores.journals.purges()] == [2]
    assert [entry.origin for entry in await stores.preferences.journal_of(SUBSCRIBER)] == [
        origin(2)
    ]
    assert await stores.preferences.of(SUBSCRIBER) == (HOUSES,)


async def test_all_preferences_are_loaded_once_in_bounded_batches(
    stores: Stores, origin: OriginBuilder
) -> None:
    for place in range(5):
        await stores.preferences.change(SUBSCRIBER + place, adding(HOUSES, WORD), origin())
    await stores.preferences.change(SUBSCRIBER + 5, adding(PORT), origin())
    await stores.preferences.change(SUBSCRIBER + 5, dropping(PORT), origin())

    batches = [rows async for rows in stores.preferences.all_preferences(batch=2)]

    assert [len(rows) for rows in batches] == [2, 2, 1]
    assert sorted(row for rows in batches for row in rows) == [
        (SUBSCRIBER + place, packed((HOUSES, WORD))) for place in range(5)
    ]


async def test_what_changed_is_read_by_number(stores: Stores, origin: OriginBuilder) -> None:
    await stores.preferences.change(SUBSCRIBER, adding(HOUSES), origin())
    await stores.preferences.change(SUBSCRIBER + 1, adding(PORT), origin())

    found = await stores.preferences.packed_of([SUBSCRIBER, SUBSCRIBER + 2])

    assert found == {SUBSCRIBER: packed((HOUSES,))}
    assert await stores.preferences.packed_of([]) == {}
