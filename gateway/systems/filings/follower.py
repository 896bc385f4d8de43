"""Keep what SPs have filed at hand as the store has it."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from gateway.domain.filings import Filing
from gateway.policy.filings import Filings
from gateway.storage.change_feed import ChangeFeed, ChangeKind, FeedFollower
from gateway.systems.filings.sql import FilingStore


class FilingsFollower(FeedFollower):
    """Follows filings, one SP at a time.

    They are compiled in a thread: some thousand templates take tens of milliseconds, and the
    loop would stand still meanwhile.
    """

    kind = ChangeKind.FILINGS
    changes_at_once = 200

    def __init__(self, store: FilingStore, feed: ChangeFeed, filings: Filings) -> None:
        super().__init__(feed, filings)
        self._store = store
        self._filings = filings

    async def _load(self) -> int:
        by_sender: defaultdict[str, list[Filing]] = defaultdict(list)
        every = await self._store.all_filings()
        for filing in every:
            by_sender[filing.system_id].append(filing)
        await asyncio.to_thread(self._filings.replace_all, by_sender)
        return len(every)

    async def _apply(self, keys: Sequence[str]) -> None:
        filed = {one: await self._store.of(one) for one in keys}
        await asyncio.to_thread(self._filings.replace_some, filed)
