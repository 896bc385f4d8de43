"""Keep the preferences at hand as the store has them."""

from gateway.policy.preferences import Preferences
from gateway.ports.changes import UNNAMED, ChangeFeed, ChangeKind, keeping_current
from gateway.ports.preferences import PreferenceStore

# One change is one subscriber's few lines.
_CHANGES_AT_ONCE = 500


class PreferencesFollower:
    """Loads every subscriber's preferences once, then takes over what changes.

    They are current while the last call succeeded.
    """

    def __init__(self, store: PreferenceStore, feed: ChangeFeed, preferences: Preferences) -> None:
        self._store = store
        self._feed = feed
        self._preferences = preferences
        self._seen = 0

    async def load(self) -> int:
        """Take over all that is on record; return how many subscribers have preferences.

        Until all of it is read what was at hand stays. May be repeated. Raises
        StoreUnavailable.
        """
        fresh = Preferences()
        with keeping_current(self._preferences):
            seen = await self._feed.latest()
            async for rows in self._store.all_preferences():
                fresh.load(rows)
        self._preferences.replace(fresh)
        self._seen = seen
        return len(fresh)

    async def catch_up(self) -> int:
        """Take over what changed since the last call; return of how many subscribers.

        Call it at least every 250 ms, so that a wish holds within a second (R51). Raises
        StoreUnavailable; the next call goes on from where this one came to.
        """
        taken = 0
        with keeping_current(self._preferences):
            while page := await self._feed.changes(self._seen, _CHANGES_AT_ONCE):
                keys = {change.key for change in page if change.kind is ChangeKind.PREFERENCES}
                if UNNAMED in keys:  # so late that the feed has forgotten whose they are
                    return taken + await self.load()
                msisdns = {int(key) for key in keys}
                if msisdns:
                    found = await self._store.packed_of(sorted(msisdns))
                    self._preferences.load((one, found.get(one, "")) for one in msisdns)
                    taken += len(msisdns)
                self._seen = page[-1].number
        return taken
