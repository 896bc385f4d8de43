"""The in-memory twin of the store of preferences (contract: gateway.ports.preferences)."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.domain.preferences import ChangeOrigin, Edit, JournalEntry, PreferenceList, packed
from gateway.domain.privacy import NewPurge
from gateway.ports.changes import ChangeKind
from gateway.ports.preferences import OldEntry, PreferenceEdit, PreferenceRow
from gateway.stores.memory_changes import MemoryChanges
from gateway.stores.memory_privacy import MemoryJournals


class MemoryPreferences:
    """Twin of the store of preferences: each call is atomic as it is, for none awaits anything."""

    def __init__(
        self, changes: MemoryChanges, utcnow: Callable[[], datetime], journals: MemoryJournals
    ) -> None:
        self._changes = changes
        self._journals = journals
        self._utcnow = utcnow
        self._preferences: dict[int, PreferenceList] = {}
        self._journal: dict[int, tuple[int | None, JournalEntry]] = {}
        self._last = 0

    async def of(self, msisdn: int) -> PreferenceList:
        return self._preferences.get(msisdn, ())

    async def change(self, msisdn: int, edit: Edit, origin: ChangeOrigin) -> PreferenceEdit:
        before = self._preferences.get(msisdn, ())
        after = edit(before)
        if after != before:
            self._preferences[msisdn] = after
            if not after:
                del self._preferences[msisdn]
            self._note(msisdn, JournalEntry(origin, before, after))
            self._changes.add(ChangeKind.PREFERENCES, str(msisdn), self._utcnow())
        return PreferenceEdit(before, after)

    async def erase(self, msisdn: int, origin: ChangeOrigin) -> bool:
        told = any(whose == msisdn for whose, _ in self._journal.values())
        if not told and msisdn not in self._preferences:
            return False
        self._preferences.pop(msisdn, None)
        self._journal = {n: one for n, one in self._journal.items() if one[0] != msisdn}
        self._changes.forget(ChangeKind.PREFERENCES, str(msisdn))
        self._note(None, JournalEntry(origin, (), (), is_erasure=True))
        self._changes.add(ChangeKind.PREFERENCES, str(msisdn), self._utcnow())
        return True

    async def journal_of(self, msisdn: int, limit: int = 1000) -> list[JournalEntry]:
        return [entry for whose, entry in self._journal.values() if whose == msisdn][-limit:]

    async def journaled_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[OldEntry]:
        found = [
            OldEntry(number, msisdn, entry.origin.at)
            for number, (msisdn, entry) in self._journal.items()
            if number > after and entry.origin.at < before
        ]
        return found[:limit]

    async def forget_entries(self, numbers: Sequence[int], purge: NewPurge) -> int:
        gone = {number for number in numbers if self._journal.pop(number, None) is not None}
        if gone:
            await self._journals.note_purge(replace(purge, count=len(gone)))
        return len(gone)

    async def all_preferences(self, batch: int = 10_000) -> AsyncIterator[list[PreferenceRow]]:
        rows = [(msisdn, packed(self._preferences[msisdn])) for msisdn in sorted(self._preferences)]
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch]

    async def packed_of(self, msisdns: Sequence[int]) -> dict[int, str]:
        return {
            msisdn: packed(self._preferences[msisdn])
            for msisdn in msisdns
            if msisdn in self._preferences
        }

    def _note(self, msisdn: int | None, entry: JournalEntry) -> None:
        self._last += 1
        self._journal[self._last] = (msisdn, entry)
