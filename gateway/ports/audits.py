"""The store of audits (抽查) of asserted consents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.audit import AuditItem, ConsentAudit, ItemState, NewConsentAudit
from gateway.domain.privacy import NewPurge


class ConsentAudits(Protocol):
    """Keeps samples and what came of them. Every call may raise StoreUnavailable."""

    async def keep(self, audit: NewConsentAudit, items: Sequence[AuditItem]) -> int:
        """Keep an audit with its items in one commit; return its number."""

    async def get(self, number: int) -> ConsentAudit | None:
        """Return one audit with its tally, or None."""

    async def listed(
        self, *, system_id: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[ConsentAudit]:
        """Return the newest audits with their tallies, newest first.

        For the next page give the last number as `before`.
        """

    async def items_of(self, number: int) -> list[AuditItem]:
        """Return the items of an audit in their order; none where there is no such audit."""

    async def item_of(self, number: int, item: int) -> AuditItem | None:
        """Return one item, or None."""

    async def answer(
        self, number: int, item: int, *, state: ItemState, note: str, by: str, at: datetime
    ) -> bool:
        """Note what was shown for an item; return whether it was OPEN until now."""

    async def drawn_before(
        self, before: datetime, *, after: int = 0, limit: int = 100
    ) -> list[ConsentAudit]:
        """Return audits that were drawn before `before`, by number.

        For the next page give the last number as `after`.
        """

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete audits with their items; return how many audits.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
