"""The store of what subscribers want to receive (用户接收策略), and the journal of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from gateway.domain.preferences import ChangeOrigin, Edit, JournalEntry, PreferenceList
from gateway.domain.records import NewPurge

# msisdn, packed preferences. A plain tuple, because a snapshot may hold millions.
PreferenceRow: TypeAlias = tuple[int, str]


class PreferenceEdit(NamedTuple):
    """The preferences before and after an edit."""

    before: PreferenceList
    after: PreferenceList


class OldEntry(NamedTuple):
    """An entry of the journal as retention sees it; `msisdn` is None if it was erased."""

    number: int
    msisdn: int | None
    at: datetime


class PreferenceStore(Protocol):
    """Keeps one list of preferences for each subscriber, and every change of it (R51).

    Every call raises StoreUnavailable when the store does not answer. Each change makes one
    row in the change feed with the msisdn as key; the key is never logged.
    """

    async def of(self, msisdn: int) -> PreferenceList:
        """Return a subscriber's preferences, empty when there are none."""

    async def change(self, msisdn: int, edit: Edit, origin: ChangeOrigin) -> PreferenceEdit:
        """Apply `edit` to the preferences in one transaction.

        `edit` must be pure: it may be called more than once. An exception from it is raised
        here, and nothing is changed. An edit without effect makes no journal entry and no
        change row.
        """

    async def erase(self, msisdn: int, origin: ChangeOrigin) -> bool:
        """Delete a subscriber's preferences, with their entries in journal and feed.

        One entry stays: it says when, by whom and by which channel, without the subscriber.
        Returns False, and changes nothing, when nothing is on record.
        """

    async def journal_of(self, msisdn: int, limit: int = 1000) -> list[JournalEntry]:
        """Return the newest `limit` changes of a subscriber's preferences, oldest first."""

    async def journaled_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[OldEntry]:
        """Return entries made before `before`, with numbers above `after`, by number."""

    async def forget_entries(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete entries of the journal; return how many. For retention only.

        The purge log gets `purge` with that count in the same commit; nothing when it is 0.
        """

    def all_preferences(self, batch: int = 10_000) -> AsyncIterator[list[PreferenceRow]]:
        """Yield all preferences on record by number, in lists of at most `batch`.

        Changes made meanwhile may or may not be included.
        """

    async def packed_of(self, msisdns: Sequence[int]) -> dict[int, str]:
        """Return packed preferences of at most 1000 numbers; numbers without any are left out."""
