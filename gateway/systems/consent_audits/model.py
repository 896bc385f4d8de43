"""Audits of asserted consents: their values and their store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import NamedTuple, Protocol

from gateway.domain.records import NewPurge

# The 97.5th percentile of the standard normal distribution: 95 of 100 intervals hold the share.
_Z = 1.959963984540054


class ItemState(StrEnum):
    """Whether the SP could prove one answer of a sample."""

    OPEN = "open"
    PROVEN = "proven"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class NewConsentAudit:
    """A sample that was drawn: `size` of the `population` of asserted answers to an SP.

    The same `seed` and the same answers give the same sample.
    """

    system_id: str
    drawn_at: datetime
    by: str
    seed: int
    size: int
    population: int


class AuditTally(NamedTuple):
    """How the items of an audit stand."""

    open: int = 0
    proven: int = 0
    unproven: int = 0


NOT_ASKED = AuditTally()


@dataclass(frozen=True, slots=True)
class ConsentAudit:
    """An audit on record, and how it stands."""

    number: int
    system_id: str
    drawn_at: datetime
    by: str
    seed: int
    size: int
    population: int
    tally: AuditTally = NOT_ASKED


@dataclass(frozen=True, slots=True)
class AuditItem:
    """One answer of a sample. `item` counts from 1 within its audit.

    `since` and `channel` are what the SP asserts. `note` is the evidence, or why there is no
    evidence.
    """

    item: int
    msisdn: int = field(repr=False)
    since: datetime
    channel: str
    state: ItemState = ItemState.OPEN
    note: str = ""
    answered_at: datetime | None = None
    answered_by: str = ""


class SampleShare(NamedTuple):
    """A share measured in a sample, and the interval in which the true share most likely lies."""

    share: float
    low: float
    high: float


def share_proven(tally: AuditTally) -> SampleShare | None:
    """Return the share of proven answers with its 95 % interval; None if none was checked.

    The score interval of Wilson (Journal of the American Statistical Association 22, 1927,
    209-212), which holds for small samples and for shares near 0 and 1. Open items do not count.
    """
    n = tally.proven + tally.unproven
    if not n:
        return None
    share, z2 = tally.proven / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return SampleShare(share, max(0.0, middle - reach), min(1.0, middle + reach))


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
