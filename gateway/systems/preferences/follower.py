"""Keep the preferences at hand as the store has them."""

from collections.abc import Sequence

from gateway.policy.preferences import Preferences
from gateway.storage.change_feed import ChangeFeed, ChangeKind, FeedFollower
from gateway.systems.preferences.sql import PreferenceStore


class PreferencesFollower(FeedFollower):
    """Follows every subscriber's preferences; one change is one subscriber's few lines."""

    kind = ChangeKind.PREFERENCES

    def __init__(self, store: PreferenceStore, feed: ChangeFeed, preferences: Preferences) -> None:
        super().__init__(feed, preferences)
        self._store = store
        self._preferences = preferences

    async def _load(self) -> int:
        fresh = Preferences()
        async for rows in self._store.all_preferences():
            fresh.load(rows)
        self._preferences.replace(fresh)
        return len(fresh)

    async def _apply(self, keys: Sequence[str]) -> None:
        msisdns = sorted(map(int, keys))
        found = await self._store.packed_of(msisdns)
        self._preferences.load((one, found.get(one, "")) for one in msisdns)
