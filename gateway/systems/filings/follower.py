"""Keep what SPs have filed at hand as the store has it."""

import asyncio
from collections import defaultdict

from gateway.domain.filings import Filing
from gateway.policy.filings import Filings
from gateway.ports.changes import ChangeFeed, ChangeKind, keeping_current
from gateway.ports.filings import FilingStore

_CHANGES_AT_ONCE = 200


class FilingsFollower:
    """Loads every filing once, then takes over what changes, one SP at a time.

    The filings are current while the last call succeeded. They are compiled in a thread: some
    thousand templates take tens of milliseconds, and the loop would stand still meanwhile.
    """

    def __init__(self, store: FilingStore, feed: ChangeFeed, filings: Filings) -> None:
        self._store = store
        self._feed = feed
        self._filings = filings
        self._seen = 0

    async def load(self) -> int:
        """Take over all that is on file; return how many filings there are.

        May be repeated. Raises StoreUnavailable; what was at hand stays then.
        """
        by_sender: defaultdict[str, list[Filing]] = defaultdict(list)
        with keeping_current(self._filings):
            seen = await self._feed.latest()
            every = await self._store.all_filings()
        for filing in every:
            by_sender[filing.system_id].append(filing)
        await asyncio.to_thread(self._filings.replace_all, by_sender)
        self._seen = seen
        return len(every)

    async def catch_up(self) -> int:
        """Take over what changed since the last call; return of how many SPs.

        Call it at least every 250 ms, so that what is filed holds within a second. Raises
        StoreUnavailable; the next call goes on from where this one came to.
        """
        taken = 0
        with keeping_current(self._filings):
            while page := await self._feed.changes(self._seen, _CHANGES_AT_ONCE):
                of_filings = (one.key for one in page if one.kind is ChangeKind.FILINGS)
                filed = {one: await self._store.of(one) for one in dict.fromkeys(of_filings)}
                if filed:
                    await asyncio.to_thread(self._filings.replace_some, filed)
                taken += len(filed)
                self._seen = page[-1].number
        return taken
