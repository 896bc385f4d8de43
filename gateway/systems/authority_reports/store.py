"""The store of reports to the authority (上报)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.authority_report import AuthorityReport, NewAuthorityReport, ReportState
from gateway.domain.quarantine import HeldMessage
from gateway.domain.records import NewPurge


class AuthorityReports(Protocol):
    """Keeps reports until they are sent, and after. A PENDING report is never deleted (R60).

    Every call raises StoreUnavailable when the store does not answer in time.
    """

    async def add(self, reports: Sequence[NewAuthorityReport]) -> int:
        """Keep reports as PENDING, in one commit; return how many are new.

        A report with a message_id that is already on record is left out, so that the call may
        be repeated, also after StoreUnavailable.
        """

    async def add_with(
        self, reports: Sequence[NewAuthorityReport], held: Sequence[HeldMessage]
    ) -> None:
        """Keep reports together with held messages: both in one commit, or neither.

        `held` is kept as QuarantineStore.hold does, with the same errors. After
        StoreUnavailable the reports may still be stored, although no message is held.
        """

    async def get(self, number: int) -> AuthorityReport | None:
        """Return one report in any state, or None."""

    async def find(
        self,
        *,
        state: ReportState | None = None,
        system_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[AuthorityReport]:
        """Return the newest reports that fit, newest first.

        For the next page give the last number as `before`.
        """

    async def count_by_state(self) -> dict[ReportState, int]:
        """Return how many reports are in each state; states without any are 0."""

    async def mark_sent(self, number: int, reference: str, by: str, at: datetime) -> bool:
        """Note that the authority has a report; return whether it was PENDING until now."""

    async def settle_released(self, at: datetime, limit: int = 500) -> int:
        """Set PENDING reports of released messages to RELEASED; return how many.

        At most `limit`; the rest is for the next call.
        """

    async def sent_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[AuthorityReport]:
        """Return reports that became SENT or RELEASED before `before`, by number.

        For the next page give the last number as `after`.
        """

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete those of `numbers` that are SENT or RELEASED; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
