"""The in-memory twin of the store of suspensions (contract: gateway.ports.suspensions)."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from gateway.domain.privacy import NewPurge
from gateway.domain.suspension import (
    SUBSCRIBER,
    Allowance,
    Lift,
    NewSuspension,
    Suspension,
    SuspensionState,
)
from gateway.ports.changes import ChangeKind
from gateway.ports.suspensions import SuspensionRow
from gateway.stores.memory_changes import MemoryChanges
from gateway.stores.memory_privacy import MemoryJournals

_ACTIVE = SuspensionState.ACTIVE


class MemorySuspensions:
    """Twin of the store of suspensions: each call is atomic as it is, for none awaits anything."""

    def __init__(
        self, changes: MemoryChanges, utcnow: Callable[[], datetime], journals: MemoryJournals
    ) -> None:
        self._changes = changes
        self._journals = journals
        self._utcnow = utcnow
        self._suspensions: dict[int, Suspension] = {}
        self._latest = 0

    async def suspend(self, new: NewSuspension) -> bool:
        active = await self.active_of(new.msisdn)
        if active is not None and active.until <= new.since:
            self._put(replace(active, state=SuspensionState.ENDED))
        elif active is not None:
            return False
        lifts = (one.lifted_at for one in self._of(new.msisdn) if one.lifted_at is not None)
        if any(lifted_at >= new.since for lifted_at in lifts):
            return False
        self._latest += 1
        self._put(
            Suspension(
                number=self._latest,
                msisdn=new.msisdn,
                system_id=new.system_id,
                rule=new.rule,
                since=new.since,
                until=new.until,
                state=_ACTIVE,
                is_told=new.is_told,
                lifted_at=None,
                lifted_by="",
                note=new.note,
            )
        )
        return True

    async def lift(self, number: int, lift: Lift, allowance: Allowance | None = None) -> bool:
        found = self._suspensions.get(number)
        if found is None or found.state is not _ACTIVE:
            return False
        if allowance is not None and self._own_lifts(found.msisdn, allowance) >= allowance.at_most:
            return False
        self._put(
            replace(
                found,
                state=SuspensionState.LIFTED,
                lifted_at=lift.at,
                lifted_by=lift.by,
                note=lift.note or found.note,
            )
        )
        return True

    async def active_of(self, msisdn: int) -> Suspension | None:
        return next((one for one in self._of(msisdn) if one.state is _ACTIVE), None)

    async def listed(
        self,
        state: SuspensionState | None = None,
        *,
        msisdn: int | None = None,
        limit: int = 100,
    ) -> list[Suspension]:
        found = [
            one
            for one in reversed(self._suspensions.values())
            if state in (None, one.state) and msisdn in (None, one.msisdn)
        ]
        return found[:limit]

    async def untold(self, system_ids: Collection[str], limit: int = 100) -> list[Suspension]:
        found = [
            one
            for one in self._suspensions.values()
            if one.state is _ACTIVE and not one.is_told and one.system_id in system_ids
        ]
        return found[:limit]

    async def claim_telling(self, number: int) -> bool:
        found = self._suspensions.get(number)
        if found is None or found.is_told:
            return False
        self._suspensions[number] = replace(found, is_told=True)
        return True

    async def end_due(self, at: datetime, limit: int = 1000) -> int:
        active = [one for one in self._suspensions.values() if one.state is _ACTIVE]
        due = sorted((one for one in active if one.until <= at), key=lambda one: one.until)[:limit]
        for one in due:
            self._put(replace(one, state=SuspensionState.ENDED))
        return len(due)

    async def in_force(
        self, lifted_after: datetime, batch: int = 10_000
    ) -> AsyncIterator[list[SuspensionRow]]:
        found = [
            one.msisdn
            for one in self._suspensions.values()
            if one.state is _ACTIVE or (one.lifted_at is not None and one.lifted_at > lifted_after)
        ]
        rows = [row for msisdn in found if (row := self._row_of(msisdn)) is not None]
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch]

    async def rows_of(self, msisdns: Sequence[int]) -> dict[int, SuspensionRow]:
        rows = {msisdn: self._row_of(msisdn) for msisdn in msisdns}
        return {msisdn: row for msisdn, row in rows.items() if row is not None}

    async def over_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[Suspension]:
        found = (
            one
            for number, one in sorted(self._suspensions.items())
            if number > after and one.state is not _ACTIVE and (one.lifted_at or one.until) < before
        )
        return list(islice(found, limit))

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        wanted = (self._suspensions.get(number) for number in set(numbers))
        gone = [one for one in wanted if one is not None and one.state is not _ACTIVE]
        for one in gone:
            del self._suspensions[one.number]
        if gone:
            await self._journals.note_purge(replace(purge, count=len(gone)))
        return len(gone)

    def _of(self, msisdn: int) -> Iterable[Suspension]:
        return [one for one in self._suspensions.values() if one.msisdn == msisdn]

    def _own_lifts(self, msisdn: int, allowance: Allowance) -> int:
        return sum(
            one.lifted_by == SUBSCRIBER
            and one.lifted_at is not None
            and one.lifted_at >= allowance.since
            for one in self._of(msisdn)
        )

    def _row_of(self, msisdn: int) -> SuspensionRow | None:
        until = lifted_at = 0.0
        for one in self._of(msisdn):
            if one.state is _ACTIVE:
                until = one.until.timestamp()
            elif one.lifted_at is not None:
                lifted_at = max(lifted_at, one.lifted_at.timestamp())
        return SuspensionRow(msisdn, until, lifted_at) if until or lifted_at else None

    def _put(self, suspension: Suspension) -> None:
        self._suspensions[suspension.number] = suspension
        self._changes.add(ChangeKind.SUSPENSION, str(suspension.msisdn), self._utcnow())
