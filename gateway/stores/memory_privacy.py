"""The in-memory twins of legal holds and journals (contract: gateway.ports.privacy).

One event loop uses them, and no call awaits anything: each is atomic as it is.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime

from gateway.domain.privacy import (
    Access,
    JournalState,
    LegalHold,
    NewAccess,
    NewLegalHold,
    NewPurge,
    Purge,
)
from gateway.domain.quarantine import FINAL_STATES, HeldMessage, ReceiptState
from gateway.stores.journal_chain import NO_ROW, linked
from gateway.stores.memory_quarantine import MemoryQuarantine

_EVERYTHING = 1_000_000_000


class MemoryLegalHolds:
    """Twin of the store of holds."""

    def __init__(self) -> None:
        self._holds: dict[int, LegalHold] = {}

    async def add(self, hold: NewLegalHold) -> int:
        number = len(self._holds) + 1
        given = {field.name: getattr(hold, field.name) for field in fields(hold)}
        self._holds[number] = LegalHold(number, **given)
        return number

    async def lift(self, number: int, by: str, at: datetime) -> bool:
        hold = self._holds.get(number)
        if hold is None or hold.lifted_at is not None:
            return False
        self._holds[number] = replace(hold, lifted_at=at, lifted_by=by)
        return True

    async def listed(self) -> list[LegalHold]:
        return list(reversed(self._holds.values()))


class MemoryJournals:
    """Twin of the journals."""

    def __init__(self) -> None:
        self._purges: list[Purge] = []
        self._accesses: list[Access] = []

    async def note_purge(self, purge: NewPurge) -> int:
        number = len(self._purges) + 1
        given = {field.name: getattr(purge, field.name) for field in fields(purge)}
        self._purges.append(Purge(number, **given))
        return number

    async def purges(self, limit: int = 50) -> list[Purge]:
        return self._purges[::-1][:limit]

    async def note_access(self, access: NewAccess) -> int:
        number = len(self._accesses) + 1
        given = {field.name: getattr(access, field.name) for field in fields(access)}
        self._accesses.append(Access(number, **given))
        return number

    async def accesses(self, limit: int = 50) -> list[Access]:
        return self._accesses[::-1][:limit]

    async def states(self) -> list[JournalState]:
        return [_state("access_log", self._accesses), _state("purge_log", self._purges)]


class MemoryFinalMessages:
    """Twin of what finds and forgets final messages, over the twin that holds them."""

    def __init__(self, quarantine: MemoryQuarantine, journals: MemoryJournals) -> None:
        self._quarantine = quarantine
        self._journals = journals

    async def held_before(
        self, before: datetime, *, after_id: int = 0, limit: int = 500
    ) -> list[HeldMessage]:
        found = (
            message
            for message in await self._quarantine.find(limit=_EVERYTHING)
            if _is_final(message) and message.held_at < before and message.message_id > after_id
        )
        return sorted(found, key=lambda message: message.message_id)[:limit]

    async def forget(self, message_ids: Sequence[int], purge: NewPurge) -> int:
        count = 0
        for message_id in set(message_ids):
            message = await self._quarantine.get(message_id)
            if message is not None and _is_final(message):
                self._quarantine.forget(message_id)
                count += 1
        if count:
            await self._journals.note_purge(replace(purge, count=count))
        return count


def _state(journal: str, rows: Sequence[Access] | Sequence[Purge]) -> JournalState:
    head = NO_ROW
    for row in rows:
        head = linked(head, journal, [getattr(row, field.name) for field in fields(row)])
    return JournalState(journal, len(rows), head)


def _is_final(message: HeldMessage) -> bool:
    return message.state in FINAL_STATES and message.receipt is not ReceiptState.DUE
