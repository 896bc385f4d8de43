"""Take filings into the registry, and keep what SPs have filed at hand."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from gateway.domain.filings import Filing, FilingKey, clashes_in, key_of, not_ended, problems_of
from gateway.policy.filings import CARRIERS_ZONE, Filings
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import ChangeFeed, ChangeKind, FeedFollower
from gateway.systems.filings.sql import FilingStore


def carriers_day() -> date:
    """Return today by the clocks of the carrier."""
    return utcnow().astimezone(ZoneInfo(CARRIERS_ZONE)).date()


class FilingsFollower(FeedFollower):
    """Follows filings, one SP at a time, and all of them when a day ends.

    They are compiled in a thread: some thousand templates take tens of milliseconds, and the
    loop would stand still meanwhile.
    """

    kind = ChangeKind.FILINGS
    changes_at_once = 200

    def __init__(self, store: FilingStore, feed: ChangeFeed, filings: Filings) -> None:
        super().__init__(feed, filings)
        self._store = store
        self._filings = filings
        self._day = carriers_day()

    async def _load(self) -> int:
        self._day = carriers_day()
        by_sender: defaultdict[str, list[Filing]] = defaultdict(list)
        every = await self._store.all_filings()
        for filing in not_ended(every, self._day):
            by_sender[filing.system_id].append(filing)
        await asyncio.to_thread(self._filings.replace_all, by_sender)
        return len(every)

    async def _apply(self, keys: Sequence[str]) -> None:
        filed = {one: not_ended(await self._store.of(one), self._day) for one in keys}
        await asyncio.to_thread(self._filings.replace_some, filed)

    async def _caught_up(self, began: float) -> None:
        """Leave out what ended with the day that is over."""
        del began
        if carriers_day() != self._day:
            await self._load()


@dataclass(frozen=True, slots=True)
class FilingDifference:
    """What filing something changes: `changed` has what is on file and what takes its place."""

    added: tuple[Filing, ...] = ()
    changed: tuple[tuple[Filing, Filing], ...] = ()
    unchanged: tuple[Filing, ...] = ()

    @property
    def new(self) -> tuple[Filing, ...]:
        """Return what would be on file that is not yet."""
        return (*self.added, *(after for _, after in self.changed))


class FilingRefusedError(ValueError):
    """Filings that cannot be taken, with all that is wrong; nothing was filed."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


async def compare(store: FilingStore, filings: Sequence[Filing]) -> FilingDifference:
    """Return what filing `filings` would change.

    Raises FilingRefusedError for what is wrong with them, also beside what their SPs have on
    file, and StoreUnavailable.
    """
    given = {key_of(filing): filing for filing in filings}
    on_file = await _on_file(store, given.values())
    problems = [
        f"{filing.system_id}: {problem}" for filing in filings for problem in problems_of(filing)
    ]
    by_sender: defaultdict[str, list[Filing]] = defaultdict(list)
    for filing in (on_file | given).values():
        by_sender[filing.system_id].append(filing)
    for system_id, after in by_sender.items():
        problems += [f"{system_id}: {problem}" for problem in clashes_in(after)]
    if problems:
        raise FilingRefusedError(problems)
    return _difference(given, on_file)


async def file_all(store: FilingStore, filings: Sequence[Filing]) -> FilingDifference:
    """File `filings`, all of them or none; return what that changed.

    What is on file and not among them stays. Raises as `compare` does; nothing was filed then.
    """
    difference = await compare(store, filings)
    await store.put(difference.new)
    return difference


async def _on_file(store: FilingStore, filings: Iterable[Filing]) -> dict[FilingKey, Filing]:
    found: dict[FilingKey, Filing] = {}
    for system_id in dict.fromkeys(filing.system_id for filing in filings):
        found |= {key_of(filing): filing for filing in await store.of(system_id)}
    return found


def _difference(
    given: Mapping[FilingKey, Filing], on_file: Mapping[FilingKey, Filing]
) -> FilingDifference:
    known = [(on_file[key], filing) for key, filing in given.items() if key in on_file]
    return FilingDifference(
        added=tuple(filing for key, filing in given.items() if key not in on_file),
        changed=tuple((before, after) for before, after in known if before != after),
        unchanged=tuple(after for before, after in known if before == after),
    )
