"""The in-memory twin of audits of asserted consents (contract: gateway.ports.audits).

One event loop uses it, and no call awaits anything: each is atomic as it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import islice

from gateway.domain.audit import AuditItem, AuditTally, ConsentAudit, ItemState, NewConsentAudit
from gateway.domain.privacy import NewPurge
from gateway.stores.memory_privacy import MemoryJournals


class MemoryConsentAudits:
    """Twin of the store of audits."""

    def __init__(self, journals: MemoryJournals) -> None:
        self._journals = journals
        self._last = 0
        self._audits: dict[int, NewConsentAudit] = {}
        self._items: dict[int, dict[int, AuditItem]] = {}

    async def keep(self, audit: NewConsentAudit, items: Sequence[AuditItem]) -> int:
        number = self._last = self._last + 1
        self._audits[number] = audit
        self._items[number] = {item.item: item for item in items}
        return number

    async def get(self, number: int) -> ConsentAudit | None:
        return self._told(number) if number in self._audits else None

    async def listed(
        self, *, system_id: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[ConsentAudit]:
        found = (
            self._told(number)
            for number, audit in reversed(self._audits.items())
            if system_id in (None, audit.system_id) and (before is None or number < before)
        )
        return list(islice(found, limit))

    async def items_of(self, number: int) -> list[AuditItem]:
        items = self._items.get(number, {})
        return [items[item] for item in sorted(items)]

    async def item_of(self, number: int, item: int) -> AuditItem | None:
        return self._items.get(number, {}).get(item)

    async def answer(
        self, number: int, item: int, *, state: ItemState, note: str, by: str, at: datetime
    ) -> bool:
        found = self._items.get(number, {}).get(item)
        if found is None or found.state is not ItemState.OPEN:
            return False
        self._items[number][item] = replace(
            found, state=state, note=note, answered_at=at, answered_by=by
        )
        return True

    async def drawn_before(
        self, before: datetime, *, after: int = 0, limit: int = 100
    ) -> list[ConsentAudit]:
        found = (
            self._told(number)
            for number, audit in self._audits.items()
            if number > after and audit.drawn_at < before
        )
        return list(islice(found, limit))

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        gone = self._audits.keys() & set(numbers)
        for number in gone:
            del self._audits[number], self._items[number]
        if gone:
            await self._journals.note_purge(replace(purge, count=len(gone)))
        return len(gone)

    def _told(self, number: int) -> ConsentAudit:
        audit = self._audits[number]
        given = {field.name: getattr(audit, field.name) for field in fields(audit)}
        counts = Counter(item.state.value for item in self._items[number].values())
        return ConsentAudit(number, **given, tally=AuditTally(**counts))
