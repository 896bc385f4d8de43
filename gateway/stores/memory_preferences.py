"""The in-memory twin of the store of preferences (contract: gateway.ports.preferences)."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from gateway.domain.preferences import Edit, JournalEntry, Origin, PreferenceList, packed
from gateway.ports.changes import ChangeKind
from gateway.ports.preferences import Changed, PreferenceRow
from gateway.stores.memory_changes import MemoryChanges


class MemoryPreferences:
    """Twin of the store of preferences: each call is atomic as it is, for none awaits anything."""

    def __init__(self, changes: MemoryChanges, utcnow: Callable[[], datetime]) -> None:
        self._changes = changes
        self._utcnow = utcnow
        self._preferences: dict[int, PreferenceList] = {}
        self._journal: list[tuple[int, JournalEntry]] = []

    async def of(self, msisdn: int) -> PreferenceList:
        return self._preferences.get(msisdn, ())

    async def change(self, msisdn: int, edit: Edit, origin: Origin) -> Changed:
        before = self._preferences.get(msisdn, ())
        after = edit(before)
        if after != before:
            self._preferences[msisdn] = after
            if not after:
                del self._preferences[msisdn]
            self._note(msisdn, JournalEntry(origin, before, after))
        return Changed(before, after)

    async def erase(self, msisdn: int, origin: Origin) -> bool:
        told = any(whose == msisdn and not entry.is_erasure for whose, entry in self._journal)
        if not told and msisdn not in self._preferences:
            return False
        self._preferences.pop(msisdn, None)
        self._journal = [one for one in self._journal if one[0] != msisdn]
        self._note(msisdn, JournalEntry(origin, (), (), is_erasure=True))
        return True

    async def journal_of(self, msisdn: int, limit: int = 1000) -> list[JournalEntry]:
        return [entry for whose, entry in self._journal if whose == msisdn][-limit:]

    async def prune_journal(self, before: datetime) -> int:
        kept = [one for one in self._journal if one[1].origin.at >= before]
        pruned = len(self._journal) - len(kept)
        self._journal = kept
        return pruned

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

    def _note(self, msisdn: int, entry: JournalEntry) -> None:
        self._journal.append((msisdn, entry))
        self._changes.add(ChangeKind.PREFERENCES, str(msisdn), self._utcnow())
