"""Keep the suspended numbers at hand as the store has them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.domain.suspension import GRACE
from gateway.policy.knowledge import SuspendedSources
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import ChangeFeed, ChangeKind, FeedFollower
from gateway.systems.suspensions.sql import SuspensionRow, SuspensionStore


class SuspensionsFollower(FeedFollower):
    """Follows the suspended numbers that are in force."""

    kind = ChangeKind.SUSPENSION

    def __init__(
        self,
        store: SuspensionStore,
        feed: ChangeFeed,
        sources: SuspendedSources,
        utcnow: Callable[[], datetime] = utcnow,
    ) -> None:
        super().__init__(feed, sources)
        self._store = store
        self._sources = sources
        self._utcnow = utcnow

    async def _load(self) -> int:
        fresh = SuspendedSources()
        async for rows in self._store.in_force(self._utcnow() - GRACE):
            fresh.load(rows)
        self._sources.replace(fresh)
        return len(fresh.until)

    async def _apply(self, keys: Sequence[str]) -> None:
        msisdns = sorted(map(int, keys))
        rows = await self._store.rows_of(msisdns)
        nothing = (SuspensionRow(one, 0.0, 0.0) for one in msisdns if one not in rows)
        self._sources.load((*rows.values(), *nothing))
