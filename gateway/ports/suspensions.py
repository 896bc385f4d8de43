"""The store of suspensions (暂停): which numbers may send nothing, since when, until when."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.domain.privacy import NewPurge
from gateway.domain.suspension import (
    Allowance,
    Lift,
    NewSuspension,
    Suspension,
    SuspensionState,
)


class SuspensionRow(NamedTuple):
    """What the data path must know of a number: the epoch seconds of both, 0 for neither."""

    msisdn: int
    until: float
    lifted_at: float


class SuspensionStore(Protocol):
    """Keeps suspensions; of one number at most one is active.

    Every call raises StoreUnavailable when the store does not answer, and is safe to
    repeat. Each suspension that begins or ends makes one row in the feed of changes, whose
    key is the msisdn: it is never logged.
    """

    async def suspend(self, new: NewSuspension) -> bool:
        """Keep a suspension; False, and nothing changes, when it is not news.

        It is not while the number is suspended, nor when a suspension of it was lifted at
        `since` or later: then it was found before that, in another process.
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
        """Return active suspensions of these SPs' numbers which those were not told of yet."""

    async def claim_telling(self, number: int) -> bool:
        """Note that a number is told; False when it was claimed before, by whomever."""

    async def end_due(self, at: datetime, limit: int = 1000) -> int:
        """Mark as ended what time has ended by `at`; return how many were."""

    def in_force(
        self, lifted_after: datetime, batch: int = 10_000
    ) -> AsyncIterator[list[SuspensionRow]]:
        """Yield the active ones, and those lifted after a moment, by number of suspension.

        A number may stand there more than once; the last row holds. What is changed
        meanwhile may or may not be among them.
        """

    async def rows_of(self, msisdns: Sequence[int]) -> dict[int, SuspensionRow]:
        """Return what is known of at most 1000 numbers: those without any are absent.

        `until` is that of the active suspension, `lifted_at` that of the latest lift.
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
