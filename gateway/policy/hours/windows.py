"""When commercial messages may arrive, in the recipient's local time (R40, R41)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from gateway.policy.hours.calendar import HolidayCalendar

EVERY_DAY = frozenset(range(7))

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_SEARCH_DAYS = 14


class OnHolidays(StrEnum):
    """Whether a window opens on a public holiday."""

    ALLOW = "allow"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Window:
    """Open from `opens` until just before `closes`, in local time.

    A window that closes at or before its opening ends on the next day (22:00 to 08:00; equal times
    are 24 hours). `weekdays` (Monday is 0) and `on_holidays` apply to the day it opens on; a
    make-up workday keeps its weekday.
    """

    opens: time
    closes: time
    weekdays: frozenset[int] = EVERY_DAY
    on_holidays: OnHolidays = OnHolidays.ALLOW

    def __post_init__(self) -> None:
        if not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise ValueError("weekdays: must be some of 0 to 6")
        if self.opens.tzinfo is not None or self.closes.tzinfo is not None:
            raise ValueError("opens and closes: are local and bear no zone")

    def is_open(self, local: datetime, calendar: HolidayCalendar) -> bool:
        """Tell whether the window is open at a local time."""
        day, clock = local.date(), local.time()
        if self.opens < self.closes:
            return self.opens <= clock < self.closes and self._opens_on(day, calendar)
        if clock >= self.opens and self._opens_on(day, calendar):
            return True
        return clock < self.closes and self._opens_on(day - _DAY, calendar)

    def _opens_on(self, day: date, calendar: HolidayCalendar) -> bool:
        if day.weekday() not in self.weekdays:
            return False
        return self.on_holidays is OnHolidays.ALLOW or not calendar.is_holiday(day)


@dataclass(frozen=True, slots=True)
class WindowSet:
    """A set of windows; one of them must be open. An empty set raises ValueError."""

    windows: tuple[Window, ...]

    def __post_init__(self) -> None:
        if not self.windows:
            raise ValueError("windows: must have one at least")

    def judge(self, local: datetime, calendar: HolidayCalendar) -> bool:
        """Tell whether a commercial message may arrive at the local time `local`."""
        return any(window.is_open(local, calendar) for window in self.windows)


@dataclass(frozen=True, slots=True)
class Locality:
    """Where a recipient lives, as far as time goes."""

    zone: ZoneInfo
    calendar: HolidayCalendar


@dataclass(frozen=True, slots=True)
class Jitter:
    """How far deferred messages are spread after an opening, so that not all leave in one second.

    `fraction`, 0 to just below 1, is this message's share of `span`; the caller draws it.
    """

    fraction: float = 0.0
    span: timedelta = timedelta()

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise ValueError("fraction: must be at least 0 and below 1")
        if self.span < timedelta():
            raise ValueError("span: must not be negative")


NO_JITTER = Jitter()


@dataclass(frozen=True, slots=True)
class Defer:
    """Keep the message until `until`, in UTC, and judge it again then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class TooLate:
    """No window opens while the message is still valid."""


_TOO_LATE = TooLate()


def next_opening(
    windows: WindowSet,
    moment: datetime,
    locality: Locality,
    jitter: Jitter = NO_JITTER,
    limit: datetime | None = None,
) -> datetime | None:
    """Return in UTC when a message of the aware `moment` may arrive; None for never.

    That is `moment` itself if a window is open then. Else it is the first instant at which a window
    is open, plus the jitter, which is shortened so that the window is still open and `limit` not
    yet reached. None if nothing opens within 14 days, or before `limit`.

    Exact to the second through changes of the clock: an hour that does not exist opens nothing, and
    an hour that occurs twice is open twice.
    """
    start = moment.astimezone(UTC)
    if _is_open(windows, start, locality):
        return start
    end = start + _SEARCH_DAYS * _DAY
    if limit is not None:
        end = min(end, limit.astimezone(UTC))
    opens = [window.opens for window in windows.windows]
    edges = _edges(start, end, opens, locality.zone)
    opening = next((edge for edge in edges if _is_open(windows, edge, locality)), None)
    if opening is None or not jitter.span:
        return opening
    last = opening + jitter.span
    if limit is not None:
        last = min(last, limit.astimezone(UTC))
    closes = [window.closes for window in windows.windows]
    edges = _edges(opening, last, closes, locality.zone)
    closing = next((edge for edge in edges if not _is_open(windows, edge, locality)), last)
    room = (closing - opening) // _MICROSECOND
    return opening + min(int(room * jitter.fraction), room - 1) * _MICROSECOND


def deferral(
    windows: WindowSet,
    moment: datetime,
    validity: datetime | None,
    locality: Locality,
    jitter: Jitter = NO_JITTER,
) -> Defer | TooLate:
    """Return until when to keep a message of `moment` that is valid until before `validity`.

    `Defer.until` is `moment` if a window is open: the message may go as it is.
    """
    if validity is not None and validity <= moment:
        return _TOO_LATE
    until = next_opening(windows, moment, locality, jitter, validity)
    return _TOO_LATE if until is None else Defer(until)


def _is_open(windows: WindowSet, instant: datetime, locality: Locality) -> bool:
    return windows.judge(instant.astimezone(locality.zone), locality.calendar)


def _edges(
    start: datetime, end: datetime, clocks: list[time], zone: ZoneInfo
) -> Iterator[datetime]:
    """Yield, in order, the instants from `start` to before `end` at which a window may change.

    At such an instant a wall clock shows one of `clocks`, or is changed. One day is searched at a
    time, so that a search which ends early costs little.
    """
    while start < end:
        stop = min(start + _DAY, end)
        # The start is included: a change just at the end of a day is inside neither day.
        found = {start, _change_after(start, stop, zone)}
        day, last = start.astimezone(zone).date(), stop.astimezone(zone).date()
        while day <= last:
            for clock in clocks:
                local = datetime.combine(day, clock, zone)
                found |= {local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)}
            day += _DAY
        yield from sorted(edge for edge in found if start <= edge < stop)
        start = stop


def _change_after(start: datetime, stop: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant after `start` at which the wall clock is changed, else `stop`."""
    before = start.astimezone(zone).utcoffset()
    if stop.astimezone(zone).utcoffset() == before:
        return stop
    while stop - start > _SECOND:
        middle = start + (stop - start) / 2
        if middle.astimezone(zone).utcoffset() == before:
            start = middle
        else:
            stop = middle
    return stop.replace(microsecond=0)
