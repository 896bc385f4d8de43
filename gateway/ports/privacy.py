"""The stores of legal holds (司法保全), of the journals, and of messages past retention."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.privacy import (
    Access,
    JournalState,
    LegalHold,
    NewAccess,
    NewLegalHold,
    NewPurge,
    Purge,
)
from gateway.domain.quarantine import HeldMessage


class LegalHolds(Protocol):
    """Keeps legal holds. Every call raises StoreUnavailable when the store does not answer."""

    async def add(self, hold: NewLegalHold) -> int:
        """Keep a hold and return its number; it is durable when this returns."""

    async def lift(self, number: int, by: str, at: datetime) -> bool:
        """End a hold; return False when it does not exist or is lifted already."""

    async def listed(self) -> list[LegalHold]:
        """Return all holds, lifted ones too, the newest first."""


class Journals(Protocol):
    """Append-only: rows are never changed or deleted. Every call may raise StoreUnavailable."""

    async def note_purge(self, purge: NewPurge) -> int:
        """Keep a row about a purge before it is carried out; return its number."""

    async def purges(self, limit: int = 50) -> list[Purge]:
        """Return at most `limit` purges, the newest first."""

    async def note_access(self, access: NewAccess) -> int:
        """Keep a row about a person who will see whole numbers; return its number.

        No number may be shown before this has returned (R73).
        """

    async def accesses(self, limit: int = 50) -> list[Access]:
        """Return at most `limit` accesses, the newest first."""

    async def states(self) -> list[JournalState]:
        """Return the state of both journals: how far each chain is intact. Reads all rows."""


class FinalMessages(Protocol):
    """Finds and forgets held messages in a final state.

    A message with a receipt still due is not included. Calls may raise StoreUnavailable.
    """

    async def held_before(
        self, before: datetime, *, after_id: int = 0, limit: int = 500
    ) -> list[HeldMessage]:
        """Return messages in a final state that were held before `before`, by message_id.

        For the next page give the last message_id as `after_id`.
        """

    async def forget(self, message_ids: Sequence[int], purge: NewPurge) -> int:
        """Delete those of `message_ids` that are in a final state; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
