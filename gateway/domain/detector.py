"""Detectors of irregular senders (预警): what each counts and compares, what it found (R95)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from gateway.domain.warning import WarningCode

# Counts are kept by steps of this length; windows are whole steps.
STEP = timedelta(minutes=5)
LONGEST_WINDOW = timedelta(hours=24)
BASELINE_DAYS = 28
MOST_LAG_DAYS = 3


class Measure(StrEnum):
    """What is counted of each port; the same word names it in files, tables and answers."""

    en: str

    def __new__(cls, name: str, en: str) -> Self:
        """Make a member with what it counts."""
        one = str.__new__(cls, name)
        one._value_, one.en = name, en
        return one

    MESSAGES = "messages", "messages that were submitted"
    COMMERCIAL = "commercial", "messages of the class commercial"
    FORWARDED = "forwarded", "messages that were passed on"
    ANSWERED = "answered", "messages that the SMSC answered"
    UNSIGNED = "unsigned", "found: no signature, or an unknown one"
    NO_OPTOUT_HINT = "no_optout_hint", "found: no way to refuse is told"
    PORT_MISUSE = "port_misuse", "found: promotion from a port for another purpose"
    AT_NIGHT = "at_night", "found: sent outside the hours that are allowed"
    AFTER_OPTOUT = "after_optout", "found: the subscriber has refused"
    COMPLAINTS = "complaints", "complaints of subscribers"
    OUT_OF_SCOPE = "out_of_scope", "found: another province, or another signature on one sub-port"
    UNKNOWN_NUMBERS = "unknown_numbers", "messages whose number the SMSC does not know"
    WITHOUT_CONSENT = "without_consent", "found: no consent on record"
    OPTOUTS = "optouts", "refusals that subscribers wrote"
    EVASIVE = "evasive", "messages with characters that hide words"
    OFF_TEMPLATE = "off_template", "found: the text fits no template on file"

    # The hash of enum is Python code, and every message of the records is counted by several.
    __hash__ = str.__hash__


class Baseline(StrEnum):
    """What a window is compared with."""

    NONE = "none"
    SAME_HOUR = "same_hour"
    DAYS = "days"
    HIGH_DAYS = "high_days"


class DetectorLevel(StrEnum):
    """What is judged together: the counts of a port, or of all ports of a sender."""

    PORT = "port"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class Detector:
    """A row of ``detectors.yaml``: raises `warning` where `counts` is out of the ordinary.

    Judged is what happened in the last `window`, where at least `events` messages (`per`, or
    `counts` itself) and `least` of what it counts are in it. A share (with `per`) must be above
    `share`, with the lower end of its confidence interval at `z`. A baseline must be exceeded by
    `z` standard deviations and `times`: of a count, the `same_hour` of the 28 days before, of a
    share, that of those `days`, or of the `high_days` among them. What comes up to `lag_days`
    after its message is set against the messages of 24 hours, or of the largest of those days.
    After it found something on a port it is silent for `silence`.
    """

    id: str
    warning: WarningCode
    counts: Measure
    per: Measure | None = None
    level: DetectorLevel = DetectorLevel.PORT
    window: timedelta = timedelta(hours=1)
    baseline: Baseline = Baseline.NONE
    z: float = 3.5
    share: float = 0.0
    times: float = 1.0
    lag_days: int = 0
    events: int = 200
    least: int = 1
    silence: timedelta = timedelta(hours=2)
    enabled: bool = True

    def __post_init__(self) -> None:
        if (self.baseline is Baseline.SAME_HOUR) is (self.per is not None):
            raise ValueError("same_hour is the baseline of a count, and of no share")
        if self.per is not None and self.baseline is Baseline.NONE and not self.share:
            raise ValueError("a share needs a baseline, or the share above which it is too large")
        if self.per is None and self.share:
            raise ValueError("share goes with per")
        if self.per is None and self.lag_days:
            raise ValueError("lag_days goes with per")
        if not STEP <= self.window <= LONGEST_WINDOW or self.window % STEP:
            raise ValueError("window must be whole steps of 5 minutes, at most 24 hours")


@dataclass(frozen=True, slots=True)
class DetectorHit:
    """What a detector found: `count` of `events` in the steps from `start` to before `end`.

    `usual` is the baseline of the count or share, None before it has one; `score` by how
    many standard deviations it is exceeded, for no baseline that of the share.
    """

    detector: Detector
    system_id: str
    port: str
    start: int
    end: int
    count: int
    events: int
    usual: float | None
    score: float


def moment_of(step: int) -> datetime:
    """Return when a step (since 1970) begins."""
    return datetime.fromtimestamp(step * STEP.total_seconds(), UTC)
