"""The preferences at hand follow the store."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Edit,
    Preference,
    PreferenceAction,
    PreferenceKind,
    packed,
    preference,
)
from gateway.policy.preferences import Preferences
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import Change, ChangeFeed
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.preferences.service import PreferencesFollower
from gateway.systems.preferences.sql import PreferenceRow, PreferenceStore
from tests.memory_stores import database_of

ORIGIN = ChangeOrigin(Channel.MO, datetime(2025, 11, 25, 12, tzinfo=UTC))
SUBSCRIBER = 8613800138000
LOANS = preference(PreferenceKind.CATEGORY, "loan", PreferenceAction.BLOCK)
FRAUD = preference(PreferenceKind.CATEGORY, "fraud", PreferenceAction.BLOCK)


def to(*wanted: Preference) -> Edit:
    return lambda _before: wanted


@pytest.fixture
def preferences() -> Preferences:
    return Preferences()


@pytest.fixture
def follower(stores: Stores, preferences: Preferences) -> PreferencesFollower:
    return PreferencesFollower(stores.preferences, stores.changes, preferences)


async def test_loading_takes_every_subscribers_preferences(
    follower: PreferencesFollower, stores: Stores, preferences: Preferences
) -> None:
    await stores.preferences.change(SUBSCRIBER, to(LOANS), ORIGIN)
    await stores.preferences.change(SUBSCRIBER + 1, to(LOANS, FRAUD), ORIGIN)

    loaded = await follower.load()

    assert loaded == 2
    assert preferences.packed == {
        SUBSCRIBER: packed((LOANS,)).encode(),
        SUBSCRIBER + 1: packed((LOANS, FRAUD)).encode(),
    }


async def test_what_changes_after_loading_is_taken_over(
    follower: PreferencesFollower, stores: Stores, preferences: Preferences
) -> None:
    await stores.preferences.change(SUBSCRIBER, to(LOANS), ORIGIN)
    await follower.load()
    await stores.preferences.change(SUBSCRIBER, to(FRAUD), ORIGIN)
    await stores.preferences.change(SUBSCRIBER, to(FRAUD, LOANS), ORIGIN)
    await stores.preferences.change(SUBSCRIBER + 1, to(LOANS), ORIGIN)

    taken = await follower.catch_up()

    assert taken == 2
    assert preferences.packed[SUBSCRIBER] == packed((FRAUD, LOANS)).encode()
    assert SUBSCRIBER + 1 in preferences
    assert await follower.catch_up() == 0


async def test_what_is_taken_back_or_deleted_is_gone(
    follower: PreferencesFollower, stores: Stores, preferences: Preferences
) -> None:
    for place in range(3):
        await stores.preferences.change(SUBSCRIBER + place, to(LOANS), ORIGIN)
    await follower.load()
    await stores.preferences.change(SUBSCRIBER, to(), ORIGIN)
    await stores.preferences.erase(SUBSCRIBER + 1, ORIGIN)

    await follower.catch_up()

    assert list(preferences.packed) == [SUBSCRIBER + 2]


async def test_who_reads_so_late_that_the_feed_names_nobody_reads_everything_anew(
    follower: PreferencesFollower, stores: Stores, preferences: Preferences
) -> None:
    await stores.preferences.change(SUBSCRIBER, to(LOANS), ORIGIN)
    await follower.load()
    await stores.preferences.erase(SUBSCRIBER, ORIGIN)
    await stores.preferences.change(SUBSCRIBER + 1, to(LOANS), ORIGIN)
    await stores.changes.forget_subscribers(utcnow() + timedelta(hours=1))

    await follower.catch_up()

    assert list(preferences.packed) == [SUBSCRIBER + 1]
    assert await follower.catch_up() == 0


async def test_a_change_while_the_snapshot_is_read_is_not_missed(
    database: Database,
    stores: Stores,
    preferences: Preferences,
) -> None:
    class ChangedMeanwhile(PreferenceStore):
        """The store, with a change that comes after its last page was read."""

        async def all_preferences(self, batch: int = 10_000) -> AsyncIterator[list[PreferenceRow]]:
            async for rows in super().all_preferences(batch):
                yield rows
            await self.change(SUBSCRIBER, to(LOANS), ORIGIN)

    store = ChangedMeanwhile(database, lambda: ORIGIN.at)
    follower = PreferencesFollower(store, stores.changes, preferences)
    await follower.load()

    await follower.catch_up()

    assert SUBSCRIBER in preferences


async def test_changes_of_other_kinds_are_passed_over(
    follower: PreferencesFollower, stores: Stores
) -> None:
    await follower.load()
    await stores.consent.record([ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, ORIGIN.at, "mo")])

    assert await follower.catch_up() == 0


async def test_the_last_known_preferences_hold_while_the_store_cannot_be_read(
    stores: Stores, preferences: Preferences
) -> None:
    class Failing(ChangeFeed):
        """A feed that fails while `is_down`."""

        is_down = False

        async def changes(self, after: int, limit: int = 1000) -> list[Change]:
            if self.is_down:
                raise StoreUnavailable("gone")
            return await super().changes(after, limit)

    feed = Failing(database_of(stores))
    follower = PreferencesFollower(stores.preferences, feed, preferences)
    await stores.preferences.change(SUBSCRIBER, to(LOANS), ORIGIN)
    await follower.load()
    await stores.preferences.change(SUBSCRIBER, to(), ORIGIN)
    feed.is_down = True

    with pytest.raises(StoreUnavailable):
        await follower.catch_up()
    was_current, held = preferences.is_current, SUBSCRIBER in preferences
    feed.is_down = False
    await follower.catch_up()

    assert (was_current, held) == (False, True)
    assert (preferences.is_current, SUBSCRIBER in preferences) == (True, False)
