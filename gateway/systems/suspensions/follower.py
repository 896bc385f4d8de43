"""Keep the suspended numbers at hand as the store has them."""

from datetime import datetime

from gateway.domain.suspension import GRACE
from gateway.policy.suspended_sources import SuspendedSources
from gateway.ports.changes import ChangeFeed, ChangeKind, keeping_current
from gateway.ports.suspensions import SuspensionRow, SuspensionStore

_CHANGES_AT_ONCE = 500


class SuspensionsFollower:
    """Loads what is in force once, then takes over what changes.

    The numbers are current while the last call succeeded.
    """

    def __init__(self, store: SuspensionStore, feed: ChangeFeed, sources: SuspendedSources) -> None:
        self._store = store
        self._feed = feed
        self._sources = sources
        self._seen = 0

    async def load(self, at: datetime) -> int:
        """Take over all that is in force; return how many numbers are suspended.

        Until all of it is read what was at hand stays. May be repeated. Raises
        StoreUnavailable.
        """
        fresh = SuspendedSources()
        with keeping_current(self._sources):
            seen = await self._feed.latest()
            async for rows in self._store.in_force(at - GRACE):
                fresh.load(rows)
        self._sources.replace(fresh)
        self._seen = seen
        return len(fresh.until)

    async def catch_up(self) -> int:
        """Take over what changed since the last call; return of how many numbers.

        Call it at least every 250 ms, so that a suspension holds everywhere within a second.
        Raises StoreUnavailable; the next call goes on from where this one came to.
        """
        taken = 0
        with keeping_current(self._sources):
            while page := await self._feed.changes(self._seen, _CHANGES_AT_ONCE):
                msisdns = {
                    int(change.key) for change in page if change.kind is ChangeKind.SUSPENSION
                }
                if msisdns:
                    rows = await self._store.rows_of(sorted(msisdns))
                    nothing = (SuspensionRow(one, 0.0, 0.0) for one in msisdns if one not in rows)
                    self._sources.load((*rows.values(), *nothing))
                    taken += len(msisdns)
                self._seen = page[-1].number
        return taken
