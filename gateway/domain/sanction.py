"""Sanctions (处罚): what follows violations, step by step (R96), and who may reopen (R97)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from gateway.domain.warning import Severity

# Who decides where the settings say that no person needs to.
AUTOMATIC = "automatic"
# What the name of a client of the API begins with where it acts: no login has a space.
API_CLIENT = "client "
# And that of a user of the console.
PAGE_USER = "user: "
# Of the digest of terms: few enough to be typed, too many to be found by trying.
_DIGEST_DIGITS = 12


class SanctionStep(StrEnum):
    """A step of the ladder: the SP is told, its port suspended, or all of it closed."""

    NOTICE = "notice"
    SUSPEND = "suspend"
    CLOSE = "close"


class SanctionState(StrEnum):
    """State of a sanction: it waits for a decision, was taken or dismissed, or is over."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    DISMISSED = "dismissed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class SanctionLadder:
    """The steps of each severity; the last one comes again. `automatic` steps need no person.

    What counts is what was applied within `window` before.
    """

    general: tuple[SanctionStep, ...] = (*(SanctionStep.NOTICE,) * 3, SanctionStep.CLOSE)
    serious: tuple[SanctionStep, ...] = (SanctionStep.SUSPEND, SanctionStep.CLOSE)
    major: tuple[SanctionStep, ...] = (SanctionStep.CLOSE,)
    window: timedelta = timedelta(days=180)
    automatic: frozenset[SanctionStep] = frozenset()

    def step(self, severity: Severity, earlier: int) -> SanctionStep:
        """Return the step that comes after so many `earlier` ones of this severity."""
        steps = {
            Severity.GENERAL: self.general,
            Severity.SERIOUS: self.serious,
            Severity.MAJOR: self.major,
        }[severity]
        return steps[min(earlier, len(steps) - 1)]


@dataclass(frozen=True, slots=True)
class ReopeningTerms:
    """What one person asks for and another approves: why, on which conditions, and the cap."""

    by: str
    at: datetime
    reason: str
    conditions: str
    days: int = 30
    daily_max: int = 10_000

    @property
    def digest(self) -> str:
        """Return what an approval names, so that it is of these terms and of no others."""
        terms = self.by, self.at.timestamp(), self.reason, self.conditions, self.days
        return sha256(repr((*terms, self.daily_max)).encode()).hexdigest()[:_DIGEST_DIGITS]

    def is_like(self, other: "ReopeningTerms") -> bool:
        """Tell whether the same person asks for the same, at any time."""
        return replace(self, at=other.at) == other

    def refusal_of(self, by: str) -> "SanctionRefusal | None":
        """Tell why `by` may not decide on it; None for another person (R97).

        A login, a client of the API and a user of the console may be one person: both act in the
        same way.
        """
        if by == self.by:
            return SanctionRefusal.SAME_PERSON
        return None if _channel_of(by) == _channel_of(self.by) else SanctionRefusal.OTHER_CHANNEL


def _channel_of(by: str) -> str:
    """Return how somebody acts: by the API, on a page, or "" by the command line."""
    return next((one for one in (API_CLIENT, PAGE_USER) if by.startswith(one)), "")


@dataclass(frozen=True, slots=True)
class Sanction:
    """A sanction for the violation that is `warning`; numbers increase and are never reused.

    `decided_*` say who applied or dismissed it. `reopening` is asked for by one person, and holds
    since another, `reopened_by`, approved it. `port` is empty where the violation has none.
    """

    number: int
    warning: int
    system_id: str
    port: str
    severity: Severity
    step: SanctionStep
    state: SanctionState
    proposed_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""
    note: str = ""
    reopening: ReopeningTerms | None = None
    reopened_at: datetime | None = None
    reopened_by: str = ""

    @property
    def probation_until(self) -> datetime | None:
        """Return when the cap of its probation ends; None before it was reopened."""
        if self.reopening is None or self.reopened_at is None:
            return None
        return self.reopened_at + timedelta(days=self.reopening.days)


def as_given(one: Sanction) -> Sanction:
    """Return a sanction as its SP may see it: without what staff say to each other."""
    terms = replace(one.reopening, reason="") if one.reopening and one.reopened_at else None
    return replace(one, note="", reopening=terms)


class SanctionRefusal(StrEnum):
    """Why nothing was changed."""

    MISSING = "missing"
    STATE = "state"
    ASKED = "asked"
    SAME_PERSON = "same_person"
    OTHER_CHANNEL = "other_channel"
    OTHER_TERMS = "other_terms"
