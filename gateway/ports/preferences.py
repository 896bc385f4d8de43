"""The store of what subscribers want to receive (用户接收策略), and the journal of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from gateway.domain.preferences import Edit, JournalEntry, Origin, PreferenceList
from gateway.domain.privacy import NewPurge

# msisdn, packed preferences: a plain tuple, for a snapshot may hold millions of them.
PreferenceRow: TypeAlias = tuple[int, str]


class Changed(NamedTuple):
    """What stood before an edit, and what stands after it."""

    before: PreferenceList
    after: PreferenceList


class OldEntry(NamedTuple):
    """An entry of the journal as retention sees it; `msisdn` is None where all was erased."""

    number: int
    msisdn: int | None
    at: datetime


class PreferenceStore(Protocol):
    """Keeps one list of preferences a subscriber, and every change of it (R51).

    Every call raises StoreUnavailable when the store does not answer. Each change makes one
    row in the feed of changes, whose key is the msisdn: it is never logged.
    """

    async def of(self, msisdn: int) -> PreferenceList:
        """Return a subscriber's preferences, empty when there are none."""

    async def change(self, msisdn: int, edit: Edit, origin: Origin) -> Changed:
        """Put what `edit` makes of the preferences in their place, in one transaction.

        `edit` must be pure: it may be called more than once, and what it raises is raised
        here after nothing was changed. An edit without effect is neither journaled nor
        announced.
        """

    async def erase(self, msisdn: int, origin: Origin) -> bool:
        """Delete a subscriber's preferences and what journal and feed tell of them.

        One entry stays that says when, by whom and which way, and not whose they were. Returns
        False, and changes nothing, when nothing is on record.
        """

    async def journal_of(self, msisdn: int, limit: int = 1000) -> list[JournalEntry]:
        """Return the newest changes of a subscriber's preferences, the oldest of them first."""

    async def journaled_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[OldEntry]:
        """Return entries made before `before` by number, from behind the number `after`."""

    async def forget_entries(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete entries of the journal; return how many. For retention alone.

        The purge log gets `purge` with that count in the same commit; nothing when it is 0.
        """

    def all_preferences(self, batch: int = 10_000) -> AsyncIterator[list[PreferenceRow]]:
        """Yield all preferences on record by number, in lists of at most `batch`.

        What is changed meanwhile may or may not be among them.
        """

    async def packed_of(self, msisdns: Sequence[int]) -> dict[int, str]:
        """Return the packed preferences of those of at most 1000 numbers that have any."""
