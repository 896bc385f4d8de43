"""The in-memory twin of the store of filings (contract: gateway.ports.filings)."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.domain.filings import Filing, FilingKey, key_of
from gateway.ports.changes import ChangeKind
from gateway.stores.memory_changes import MemoryChanges


class MemoryFilings:
    """Twin of the store of filings: each call is atomic as it is, for none awaits anything."""

    def __init__(self, changes: MemoryChanges, utcnow: Callable[[], datetime]) -> None:
        self._changes = changes
        self._utcnow = utcnow
        self._filings: dict[FilingKey, Filing] = {}

    async def put(self, filings: Sequence[Filing]) -> None:
        self._filings |= {key_of(filing): filing for filing in filings}
        self._note(filings)

    async def remove(self, filings: Sequence[Filing]) -> int:
        before = len(self._filings)
        for filing in filings:
            self._filings.pop(key_of(filing), None)
        self._note(filings)
        return before - len(self._filings)

    async def of(self, system_id: str) -> tuple[Filing, ...]:
        return tuple(one for one in await self.all_filings() if one.system_id == system_id)

    async def all_filings(self) -> tuple[Filing, ...]:
        return tuple(self._filings[key] for key in sorted(self._filings))

    def _note(self, filings: Sequence[Filing]) -> None:
        for system_id in dict.fromkeys(filing.system_id for filing in filings):
            self._changes.add(ChangeKind.FILINGS, system_id, self._utcnow())
