"""Frequency limits as data: how many messages, by which parts, in which time (R42, R43)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Final, TypeAlias

from gateway.policy.hours.calendar import HolidayCalendar

DAY_S = 86_400

# A rolling limit keeps the second of every message it counts, four octets each, so that it is
# exact. Larger ones are quotas: a clock day counts them in one number.
MAX_ROLLING = 1_000
_MAX_ROLLING_S = 31 * DAY_S

# What counters see of a message, in the order of Part: a plain tuple, because one is made per
# message. What is absent is 0 or "" and is counted as one value of its own.
Parts: TypeAlias = tuple[int, str, str, str, str]


class CountDimension(StrEnum):
    """What messages can be counted by."""

    DESTINATION = "destination"
    SIGNATURE = "signature"
    TEMPLATE = "template"
    SENDER = "sender"
    SOURCE = "source"


class Clock(StrEnum):
    """A window by the clock of the limits' zone: the minute 14:03, the day 2 May."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length_s(self) -> int:
        """Return how long such a window is."""
        return _LENGTHS[self]


_LENGTHS = {Clock.MINUTE: 60, Clock.HOUR: 3600, Clock.DAY: DAY_S}


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """The last `seconds` before each message. Exact to the second."""

    seconds: int

    def __post_init__(self) -> None:
        if not 1 <= self.seconds <= _MAX_ROLLING_S:
            raise ValueError(f"seconds: must be 1 to {_MAX_ROLLING_S}")


ROLLING_DAY = RollingWindow(DAY_S)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` messages that agree in all of `per`, in the time `every`.

    `holiday_maximum` takes its place in clock windows that begin on a public holiday.
    """

    per: tuple[CountDimension, ...]
    maximum: int
    every: Clock | RollingWindow
    holiday_maximum: int | None = None

    def __post_init__(self) -> None:
        if not self.per or len(set(self.per)) < len(self.per):
            raise ValueError("per: must name one part at least, and each once")
        if self.maximum < 1 or (self.holiday_maximum is not None and self.holiday_maximum < 1):
            raise ValueError("maximum: must be at least 1")
        if isinstance(self.every, Clock):
            return
        if self.maximum > MAX_ROLLING:
            raise ValueError(f"maximum: a rolling limit counts to {MAX_ROLLING} at most")
        if self.holiday_maximum is not None:
            raise ValueError("holiday_maximum: a rolling limit lies in more days than one")


@dataclass(frozen=True, slots=True)
class Full:
    """The counters of `limit` hold as many keys as they may: a new key cannot be counted."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class CounterTerms:
    """How one worker counts.

    `capacity` bounds the keys of each limit, `utc_offset_s` sets the clock of clock windows (R42:
    UTC+8), `calendar` knows the holidays for limits with a `holiday_maximum`.
    """

    capacity: int = 1_000_000
    utc_offset_s: int = 8 * 3600
    calendar: HolidayCalendar | None = None

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError("capacity: must be at least 1")
        if not -DAY_S < self.utc_offset_s < DAY_S:
            raise ValueError("utc_offset_s: must be less than a day")


Table: TypeAlias = dict[int, int]
Tables: TypeAlias = tuple[Table, ...]
Retired: TypeAlias = list[Table]

# A table of a million keys is copied as it grows, 15 ms at a time; a 64th of it takes no time.
_TABLES = 64
WHICH: Final = _TABLES - 1  # these bits of a key select its table
NEVER = 0

_PLACES = {part: place for place, part in enumerate(CountDimension)}
_DESTINATION_BITS = 50  # of 15 digits at most (ITU-T E.164)
PAYER: Final = 3  # of Parts: the sender, which pays for the keys that its messages make


def tables() -> Tables:
    """Return tables without keys."""
    return tuple({} for _ in range(_TABLES))


def size_of(kept: Tables) -> int:
    """Return how many keys the tables hold."""
    return sum(map(len, kept))


def keyed_by(per: tuple[CountDimension, ...]) -> Callable[[Sequence[Parts]], list[int]]:
    """Return a function that makes the keys of messages counted by `per`, in any order of `per`."""
    others = sorted(_PLACES[part] for part in per if part is not CountDimension.DESTINATION)
    if not others:
        return lambda messages: [parts[0] for parts in messages]
    rest = itemgetter(*others)
    if len(others) == len(per):
        return lambda messages: [hash(rest(parts)) for parts in messages]
    return lambda messages: [
        (hash(rest(parts)) << _DESTINATION_BITS) + parts[0] for parts in messages
    ]
