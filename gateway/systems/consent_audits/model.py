"""Audits of asserted consents: their values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAudit(NewConsentAudit):
    """An audit on record, and how it stands."""

    number: int
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


class AuditOutcome(StrEnum):
    """The result of an answer to an item."""

    NOTED = "noted"
    AGREED = "agreed"
    REVOKED = "revoked"
    OVERTAKEN = "overtaken"  # the subscriber has answered meanwhile: that answer holds
    ANSWERED_BEFORE = "answered_before"


@dataclass(frozen=True, slots=True)
class ItemProof:
    """What the SP showed for an item: evidence, or the reason why it has no evidence."""

    is_proven: bool
    note: str
    by: str
    at: datetime
    revokes: bool = False
