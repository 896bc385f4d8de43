"""When messages may arrive: holidays and make-up workdays (调休), windows of hours (R40, R41)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

Where: TypeAlias = tuple[str | int, ...]

_DAY = timedelta(days=1)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SATURDAY, _SUNDAY = 5, 6
_YEAR = re.compile("(19|20|21)[0-9]{2}")
_DAYS = re.compile(r"([0-9]{2}-[0-9]{2})(?:\.\.([0-9]{2}-[0-9]{2}))?")
_KEYS = ("version", "name", "weekend", "years")
_YEAR_KEYS = ("holidays", "workdays")
_MAX_YEARS = 100
_MAX_WORKDAYS = 1000


class CalendarError(ValueError):
    """A calendar that cannot be used. `faults` holds each key path with its problem."""

    def __init__(self, faults: list[tuple[Where, str]]) -> None:
        self.faults = tuple(faults)
        lines = (f"{'.'.join(map(str, where)) or 'calendar'}: {said}" for where, said in faults)
        super().__init__("\n".join(lines))


@dataclass(frozen=True, slots=True)
class HolidayCalendar:
    """Working days. `weekend` holds weekdays, Monday is 0; `workdays` are make-up workdays.

    A year outside `years` has its weekends and no holiday: callers should report such a year
    (`covers`).
    """

    name: str
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    weekend: frozenset[int] = frozenset({_SATURDAY, _SUNDAY})
    years: frozenset[int] = field(default=frozenset())

    def __post_init__(self) -> None:
        if not self.weekend < frozenset(range(7)):
            raise ValueError("weekend: must leave one of the days 0 to 6 to work on")
        both = self.holidays & self.workdays
        if both:
            raise ValueError(f"{min(both)} is both a holiday and a workday")

    def covers(self, day: date) -> bool:
        """Tell whether the holidays of the year of `day` are known."""
        return day.year in self.years

    def is_holiday(self, day: date) -> bool:
        """Tell whether `day` is a holiday by name; a plain weekend is not."""
        return day in self.holidays

    def is_workday(self, day: date) -> bool:
        """Tell whether `day` is a working day; a make-up workday is one on any weekday."""
        if day in self.workdays:
            return True
        return day.weekday() not in self.weekend and day not in self.holidays

    def add_workdays(self, start: date, days: int) -> date:
        """Return the last of `days` working days, counted from the day after `start`.

        The start itself never counts (O31 time limits run from the next working day); 0 days give
        `start`. Raises ValueError for more than 1000 or less than 0.
        """
        if not 0 <= days <= _MAX_WORKDAYS:
            raise ValueError(f"{days} working days: 0 to {_MAX_WORKDAYS} can be counted")
        day = start
        while days:
            day += _DAY
            days -= self.is_workday(day)
        return day


def parse(document: object) -> HolidayCalendar:
    """Return the calendar that plain mappings describe.

    ``{version: 1, name, weekend: [weekday names], years: {"2014": {holidays: {name: days},
    workdays: [days]}}}``, where days are text: ``01-31`` or ``01-31..02-06``. Raises
    CalendarError with every fault and its key path.
    """
    return _CalendarReader().read(document)


class _CalendarReader:
    """Collects all faults, so that one fault does not hide the next."""

    def __init__(self) -> None:
        self._faults: list[tuple[Where, str]] = []
        self._holidays: set[date] = set()
        self._workdays: set[date] = set()

    def read(self, document: object) -> HolidayCalendar:
        top = self._mapping((), document, _KEYS)
        if top.get("version") != 1:
            self._fault(("version",), "must be 1")
        name = top.get("name")
        if not isinstance(name, str) or not name:
            self._fault(("name",), "must be text")
        years = self._mapping(("years",), top.get("years"), None)
        if len(years) > _MAX_YEARS:
            self._fault(("years",), f"more than {_MAX_YEARS}")
            years = {}
        weekend = self._weekend(top.get("weekend"))
        for year, days in years.items():
            self._read_year(year, days, weekend)
        if self._faults:
            raise CalendarError(self._faults)
        holidays, workdays = frozenset(self._holidays), frozenset(self._workdays)
        return HolidayCalendar(str(name), holidays, workdays, weekend, frozenset(map(int, years)))

    def _weekend(self, value: object) -> frozenset[int]:
        if value is None:
            return frozenset({_SATURDAY, _SUNDAY})
        found = set()
        for at, name in self._listed(("weekend",), value):
            if name in _WEEKDAYS:
                found.add(_WEEKDAYS.index(name))
            else:
                self._fault(("weekend", at), f"{name!r:.40} is no weekday")
        if len(found) == len(_WEEKDAYS):
            self._fault(("weekend",), "leaves no day to work on")
        return frozenset(found)

    def _read_year(self, year: str, value: object, weekend: frozenset[int]) -> None:
        where: Where = ("years", year)
        if not _YEAR.fullmatch(year):
            self._fault(where, f"{year!r:.40} is no year")
            return
        entry = self._mapping(where, value, _YEAR_KEYS)
        for name, text in self._mapping((*where, "holidays"), entry.get("holidays"), None).items():
            self._holidays |= self._days((*where, "holidays", name), year, text)
        for at, text in self._listed((*where, "workdays"), entry.get("workdays", [])):
            days = self._days((*where, "workdays", at), year, text)
            if any(day.weekday() not in weekend for day in days):
                self._fault((*where, "workdays", at), f"{text!r:.40} is worked anyway")
            if days & self._holidays:
                self._fault((*where, "workdays", at), f"{text!r:.40} is a holiday, too")
            self._workdays |= days

    def _days(self, where: Where, year: str, text: object) -> set[date]:
        matched = _DAYS.fullmatch(text) if isinstance(text, str) else None
        if matched is None:
            self._fault(where, f"{text!r:.40} must be MM-DD or MM-DD..MM-DD, as text")
            return set()
        try:
            first, last = (
                date.fromisoformat(f"{year}-{day or matched[1]}") for day in matched.groups()
            )
        except ValueError:
            self._fault(where, f"{text!r:.40} is no day of {year}")
            return set()
        if last < first:
            self._fault(where, f"{text!r:.40} ends before it begins")
        return {first + _DAY * after for after in range((last - first).days + 1)}

    def _mapping(
        self, where: Where, value: object, allowed: tuple[str, ...] | None
    ) -> dict[str, object]:
        if not isinstance(value, Mapping):
            self._fault(where, "must be a mapping")
            return {}
        found = {str(key): item for key, item in value.items()}
        for key in found:
            if allowed is not None and key not in allowed:
                self._fault((*where, key), "is not known here")
        return found

    def _listed(self, where: Where, value: object) -> Iterator[tuple[int, object]]:
        if isinstance(value, list):
            yield from enumerate(value)
        else:
            self._fault(where, "must be a list")

    def _fault(self, where: Where, problem: str) -> None:
        self._faults.append((where, problem))


_NO_HOLIDAYS = HolidayCalendar("none")


@dataclass(frozen=True, slots=True)
class RuleLocale:
    """Where and when the rules hold: the time zone of windows and the holiday calendar.

    `zone` is the time zone of subscribers without a zone in their number, and of clock limits.
    `capacity` bounds the keys of each frequency limit.
    """

    zone: str = "Asia/Shanghai"
    calendar: HolidayCalendar = _NO_HOLIDAYS
    capacity: int = 1_000_000


EVERY_DAY = frozenset(range(7))

_SECOND = timedelta(seconds=1)
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


def next_opening(windows: WindowSet, moment: datetime, locality: Locality) -> datetime | None:
    """Return in UTC when a message of the aware `moment` may arrive; None for never.

    That is `moment` itself if a window is open then. Else it is the first instant at which a window
    is open, None if nothing opens within 14 days.

    Exact to the second through changes of the clock: an hour that does not exist opens nothing, and
    an hour that occurs twice is open twice.
    """
    start = moment.astimezone(UTC)
    if _is_open(windows, start, locality):
        return start
    opens = [window.opens for window in windows.windows]
    edges = _edges(start, start + _SEARCH_DAYS * _DAY, opens, locality.zone)
    return next((edge for edge in edges if _is_open(windows, edge, locality)), None)


def open_for(
    windows: WindowSet, opening: datetime, at_most: timedelta, locality: Locality
) -> timedelta:
    """Return how long a window is open from `opening` on, without a break."""
    last = opening + at_most
    closes = [window.closes for window in windows.windows]
    edges = _edges(opening, last, closes, locality.zone)
    return next((edge for edge in edges if not _is_open(windows, edge, locality)), last) - opening


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
