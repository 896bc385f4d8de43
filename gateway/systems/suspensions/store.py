"""The store of suspensions (暂停): numbers that may not send, since when and until when."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.domain.records import NewPurge
from gateway.domain.suspension import (
    Allowance,
    Lift,
    NewSuspension,
    Suspension,
    SuspensionState,
)


class SuspensionRow(NamedTuple):
    """What the data plane must know of a number: both times in epoch seconds, 0 for none."""

    msisdn: int
    until: float
    lifted_at: float


class SuspensionStore(Protocol):
    """Keeps suspensions; a number has at most one active suspension.

    Every call raises StoreUnavailable when the store does not answer, and is safe to
    repeat. Each start or end of a suspension makes one row in the change feed with the msisdn
    as key; the key is never logged.
    """

    async def suspend(self, new: NewSuspension) -> bool:
        """Keep a suspension; False, and nothing changes, if it is not new.

        It is not new while the number is suspended, or if a suspension of it was lifted at
        `since` or later: then another process found it before the lift.
        """

    async def lift(self, number: int, lift: Lift, allowance: Allowance | None = None) -> bool:
        """End an active suspension; False when it is not active, or `allowance` is used up."""

    async def active_of(self, msisdn: int) -> Suspension | None:
        """Return the active suspension of a number."""

    async def listed(
        self,
        state: SuspensionState | None = None,
        *,
        msisdn: int | None = None,
        limit: int = 100,
    ) -> list[Suspension]:
        """Return suspensions, the newest first."""

    async def untold(self, system_ids: Collection[str], limit: int = 100) -> list[Suspension]:
        """Return active suspensions found at these SPs that the numbers were not told of yet."""

    async def claim_telling(self, number: int) -> bool:
        """Claim to tell a number; False when any process has claimed it before."""

    async def end_due(self, at: datetime, limit: int = 1000) -> int:
        """Mark suspensions that end by `at` as ended; return how many."""

    def in_force(
        self, lifted_after: datetime, batch: int = 10_000
    ) -> AsyncIterator[list[SuspensionRow]]:
        """Yield active suspensions and those lifted after `lifted_after`, by suspension number.

        An msisdn may occur more than once; the last row holds. Changes made meanwhile may or
        may not be included.
        """

    async def rows_of(self, msisdns: Sequence[int]) -> dict[int, SuspensionRow]:
        """Return the rows of at most 1000 numbers; numbers without a suspension are absent.

        `until` is the end of the active suspension, `lifted_at` the time of the latest lift.
        """

    async def over_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[Suspension]:
        """Return suspensions that ended or were lifted before `before`, by number.

        For the next page give the last number as `after`.
        """

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete suspensions that are over; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
