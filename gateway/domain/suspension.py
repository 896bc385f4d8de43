"""Suspensions (暂停): personal numbers that may send nothing for a while (R43), and ports (R88)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Recorded if the number itself lifts its suspension by message; people are recorded by name.
SUBSCRIBER = ""

# Recorded if many subscribers' complaints suspend a port (R88).
COMPLAINTS = "complaints"

# How long a number of another network is blocked here (R63), and what is recorded to lift it then.
BLOCKED_FOR = timedelta(days=30)
EXPIRY = "expiry"

# Messages sent before a suspension was lifted stay counted until the longest limit by the clock
# begins anew, a day later at most: for that long only the cap holds.
GRACE = timedelta(days=1)


class SuspensionState(StrEnum):
    """State of a suspension: time ends it, or it is lifted before."""

    ACTIVE = "active"
    LIFTED = "lifted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class NewSuspension:
    """A new suspension; it holds from `since` to just before `until`.

    `system_id` is the SP with the bind on which the number was found; the number is also told
    through it. A suspension by a clerk has no `rule`, its number is not told (`is_told`), and only
    a clerk can lift it.
    """

    msisdn: int
    system_id: str
    rule: str
    since: datetime
    until: datetime
    note: str = ""
    is_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension(NewSuspension):
    """A suspension on record. `lifted_by` is SUBSCRIBER or the name of a clerk."""

    number: int
    state: SuspensionState
    lifted_at: datetime | None
    lifted_by: str


@dataclass(frozen=True, slots=True)
class Lift:
    """Who lifts a suspension, when, and why. An empty `note` keeps the old one."""

    at: datetime
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """SUBSCRIBER may lift at most `at_most` suspensions of one number, counted from `since` on."""

    at_most: int
    since: datetime


@dataclass(frozen=True, slots=True)
class SuspensionTerms:
    """How a rule suspends a number, and what the number is told (R43).

    The suspension ends with the last of `working_days`. `reply` tells the number once how to
    restore itself: one of `restore_words` to the carrier's own code lifts the suspension, at most
    `self_restores` times in `restore_span`. The answer is `restored`, or `refused` if the
    suspension is not lifted. With `same_text` the text is checked first: the number is suspended
    only if something is found against a text over the cap, or if so many people get the same text.
    """

    working_days: int
    restore_words: tuple[str, ...]
    reply: str
    restored: str
    refused: str
    self_restores: int = 1
    restore_span: timedelta = timedelta(days=30)
    same_text: int = 0


@dataclass(frozen=True, slots=True)
class NewPortSuspension:
    """A port of an SP that may send nothing until a person lifts the suspension (R88).

    `by` is the person or the part of the program that suspends it, `note` says why. That of a
    number of another network is of one peer, or of all, and ends by itself at `until` (R63).
    `sanction` is the number of the sanction that suspends it (R96), 0 for all others.
    """

    system_id: str
    port: str
    since: datetime
    by: str
    note: str
    until: datetime | None = None
    sanction: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSuspension(NewPortSuspension):
    """A suspension of a port on record; it is in force while `lifted_at` is None."""

    number: int
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lift_note: str = ""


@dataclass(frozen=True, slots=True)
class ComplaintThreshold:
    """How many reporters within how many days suspend a port until it was reviewed (R88).

    No number of them suspends one if `reporters` is 0.
    """

    reporters: int = 5
    days: int = 10
