"""The in-memory twin of early warnings (contract: gateway.ports.warnings)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from gateway.domain.privacy import NewPurge
from gateway.domain.warning import (
    EarlyWarning,
    WarningCount,
    WarningKind,
    WarningNote,
    WarningState,
)
from gateway.ports.warnings import WarningSelection
from gateway.stores.memory_privacy import MemoryJournals


class MemoryWarnings:
    """Twin of the store of warnings."""

    def __init__(self, journals: MemoryJournals) -> None:
        self._journals = journals
        self._warnings: dict[int, EarlyWarning] = {}
        self._newest: dict[WarningKind, int] = {}
        self._latest = 0

    async def add(self, gathered: Sequence[WarningCount]) -> list[EarlyWarning]:
        counted = [self._count(one) for one in gathered]
        return [warning for warning in counted if warning is not None]

    def _count(self, one: WarningCount) -> EarlyWarning | None:
        before = self._warnings.get(self._newest.get(one.kind, 0))
        if before is not None and before.takes(one):
            self._warnings[before.number] = replace(before, gathered=before.gathered.joined(one))
            return None
        self._latest += 1
        warning = self._warnings[self._latest] = EarlyWarning(self._latest, one)
        self._newest[one.kind] = warning.number
        return warning

    async def get(self, number: int) -> EarlyWarning | None:
        return self._warnings.get(number)

    async def find(self, selection: WarningSelection, limit: int = 50) -> list[EarlyWarning]:
        newest_first = (self._warnings[number] for number in sorted(self._warnings, reverse=True))
        return list(islice((one for one in newest_first if _is_meant(one, selection)), limit))

    async def answer(self, number: int, handling: WarningNote) -> bool:
        warning = self._warnings.get(number)
        if warning is None or warning.state is not WarningState.OPEN:
            return False
        self._warnings[number] = replace(warning, state=WarningState.ANSWERED, answer=handling)
        return True

    async def close(self, number: int, handling: WarningNote) -> bool:
        warning = self._warnings.get(number)
        if warning is None or warning.state is WarningState.CLOSED:
            return False
        self._warnings[number] = replace(warning, state=WarningState.CLOSED, closing=handling)
        return True

    async def noticed_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[EarlyWarning]:
        found = (
            one
            for number, one in self._warnings.items()
            if number > after and one.gathered.last_at < before
        )
        return list(islice(found, limit))

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        gone = self._warnings.keys() & set(numbers)
        for number in gone:
            del self._warnings[number]
        if gone:
            await self._journals.note_purge(replace(purge, count=len(gone)))
        return len(gone)


def _is_meant(one: EarlyWarning, selection: WarningSelection) -> bool:
    kind = one.gathered.kind
    return (
        selection.system_id in (None, kind.system_id)
        and selection.code in (None, kind.code)
        and selection.state in (None, one.state)
        and (one.is_violation or not selection.only_violations)
        and (selection.before is None or one.number < selection.before)
    )
