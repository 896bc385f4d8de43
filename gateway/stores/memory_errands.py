"""The in-memory twin of the store of errands (contract: gateway.ports.errands)."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import fields, replace
from datetime import datetime
from itertools import islice

from gateway.domain.errand import MAX_ATTEMPTS, SECRET_KINDS, Errand, ErrandState, NewErrand
from gateway.ports.changes import ChangeKind
from gateway.stores.memory_changes import MemoryChanges


class MemoryErrands:
    """Twin of the store of errands: each call is atomic as it is, for none awaits anything."""

    def __init__(self, changes: MemoryChanges, utcnow: Callable[[], datetime]) -> None:
        self._changes = changes
        self._utcnow = utcnow
        self._errands: dict[int, Errand] = {}
        self._free_at: dict[int, datetime] = {}
        self._latest = 0

    async def add(self, errand: NewErrand) -> int:
        return self.keep(errand)

    def keep(self, errand: NewErrand) -> int:
        """Keep an errand, for this and for the twins that ask for one with what they keep."""
        self._latest += 1
        names = [field.name for field in fields(NewErrand) if field.name != "not_before"]
        given = {name: getattr(errand, name) for name in names}
        self._errands[self._latest] = Errand(self._latest, **given)
        self._free_at[self._latest] = errand.due_at
        self._changes.add(ChangeKind.ERRAND, str(self._latest), self._utcnow())
        return self._latest

    async def get(self, number: int) -> Errand | None:
        return self._errands.get(number)

    async def waiting_ports(self) -> set[str]:
        return {errand.port for errand in self._waiting()}

    async def take_waiting(
        self, now: datetime, until: datetime, ports: Collection[str], limit: int
    ) -> list[Errand]:
        free = (
            errand
            for errand in self._waiting()
            if errand.port in ports
            and self._free_at[errand.number] <= now < errand.not_after
            and errand.attempts < MAX_ATTEMPTS
        )
        taken = [replace(errand, attempts=errand.attempts + 1) for errand in islice(free, limit)]
        for errand in taken:
            self._errands[errand.number] = errand
            self._free_at[errand.number] = until
        return taken

    async def put_back(self, number: int, at: datetime, *, was_written: bool) -> None:
        errand = self._errands.get(number)
        if errand is not None and errand.state is ErrandState.WAITING:
            attempts = errand.attempts - (not was_written)
            self._errands[number] = replace(errand, attempts=attempts)
            self._free_at[number] = at

    async def finish(self, number: int, state: ErrandState, message_id: str = "") -> bool:
        errand = self._errands.get(number)
        if errand is None or errand.state is not ErrandState.WAITING:
            return False
        self._errands[number] = _ended(errand, state, message_id)
        return True

    async def expire(self, now: datetime, limit: int) -> list[Errand]:
        over = (
            errand
            for errand in self._waiting()
            if self._free_at[errand.number] <= now
            and (errand.not_after <= now or errand.attempts >= MAX_ATTEMPTS)
        )
        ended = [_ended(errand, ErrandState.EXPIRED, "") for errand in islice(over, limit)]
        self._errands.update({errand.number: errand for errand in ended})
        return ended

    async def forget(self, before: datetime) -> int:
        gone = [
            number
            for number, errand in self._errands.items()
            if errand.state is not ErrandState.WAITING and errand.created_at < before
        ]
        for number in gone:
            del self._errands[number], self._free_at[number]
        return len(gone)

    def _waiting(self) -> Iterator[Errand]:
        return (one for one in self._errands.values() if one.state is ErrandState.WAITING)


def _ended(errand: Errand, state: ErrandState, message_id: str) -> Errand:
    text = "" if errand.kind in SECRET_KINDS else errand.text
    return replace(errand, state=state, message_id=message_id, text=text)
