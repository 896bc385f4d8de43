"""Suspensions (暂停): personal numbers that may send nothing for a while (R43)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Who lifts a suspension by message is the number itself; people have a name.
SUBSCRIBER = ""

# What was sent before a suspension was lifted stays counted until the longest limit by the clock
# begins anew, a day later at most: for that long only the cap holds.
GRACE = timedelta(days=1)


class SuspensionState(StrEnum):
    """Where a suspension stands: time ends it, or somebody lifts it before."""

    ACTIVE = "active"
    LIFTED = "lifted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class NewSuspension:
    """A suspension to keep; it holds from `since` on, until and without `until`.

    `system_id` is the SP on whose bind the number was found, by which it is also told. A
    clerk's has no `rule`, its number is not told (`is_told`), and only a clerk lifts it.
    """

    msisdn: int
    system_id: str
    rule: str
    since: datetime
    until: datetime
    note: str = ""
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspension on record. `lifted_by` is SUBSCRIBER or the name of a clerk."""

    number: int
    msisdn: int
    system_id: str
    rule: str
    since: datetime
    until: datetime
    state: SuspensionState
    is_told: bool
    lifted_at: datetime | None
    lifted_by: str
    note: str


@dataclass(frozen=True, slots=True)
class Lift:
    """Who ends a suspension before its time, when, and why. An empty `note` keeps the old one."""

    at: datetime
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `at_most` suspensions of one number are lifted by SUBSCRIBER from `since` on."""

    at_most: int
    since: datetime


@dataclass(frozen=True, slots=True)
class SuspensionTerms:
    """How a rule suspends a number, and what that is told (R43).

    The suspension ends with the last of `working_days`. `reply` tells the number once how it is
    restored: one of `restore_words` to the carrier's own code lifts the suspension, at most
    `self_restores` times in `restore_span`, and is answered with `restored`; what is not
    lifted, with `refused`. With `same_text` the text is looked at first: only where something is
    found against what the number sends over the cap, or so many people get the same, is it
    suspended.
    """

    working_days: int
    restore_words: tuple[str, ...]
    reply: str
    restored: str
    refused: str
    self_restores: int = 1
    restore_span: timedelta = timedelta(days=30)
    same_text: int = 0
