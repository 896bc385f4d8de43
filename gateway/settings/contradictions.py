"""What a rule says against itself or against the rules beside it. All see one raw rule."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from itertools import product

from gateway.policy.calendar import HolidayCalendar
from gateway.policy.windows import OnHolidays
from gateway.settings.fault import Fault
from gateway.settings.rule_file import UntimelyShape
from gateway.settings.yaml import Document, Where

_NO_CALENDAR = "needs the calendar that bundle.yaml names: calendar: calendars/cn.yaml"


def double_overrides(rule: Document) -> Iterator[Fault]:
    """Find two exceptions for the same sender, or for the same port: one of them is not meant."""
    for key, kind in product(("overrides", "tolerances"), ("sender", "port")):
        named = [(way, str(name)) for way, name in rule.find(key, "*", kind) if name]
        for where, first in _repeated(named):
            line = rule.mark(first).line
            yield rule.fault(where, f"{key}: contradicts the one of this {kind} in line {line}")


def lists_at_odds(rule: Document) -> Iterator[Fault]:
    """Find domains that one list of a rule blocks and another allows."""
    blocked = {value for _, value in rule.find("block", "*")}
    for key in ("allow", "brands"):
        for where, value in rule.find(key, "*"):
            if value in blocked:
                yield rule.fault(where, f"{key}: stands in block, too, which would stop nothing")


def double_limits(rule: Document) -> Iterator[Fault]:
    """Find two limits that count the same in the same time: only the smaller could be reached."""
    counted = [
        (where, f"{limit.get('every')} {sorted(map(str, per))}")
        for where, limit in rule.find("limits", "*")
        if isinstance(limit, dict) and isinstance(per := limit.get("per"), list)
    ]
    for where, first in _repeated(counted):
        line = rule.mark(first).line
        yield rule.fault(where, f"limits: counts the same in the same time as line {line}")


def stray_severity(rule: Document) -> Iterator[Fault]:
    """Find a rule with a severity that raises no warning (R95): nobody learns of its violations."""
    if any(value is not None for _, value in rule.find("warning")):
        return
    for where, value in rule.find("severity"):
        if value is not None:
            yield rule.fault(where, "severity: needs a warning: W1 to W13, by which it is heard of")


def unknown_exempts(rule: Document, *, known: Collection[str]) -> Iterator[Fault]:
    """Find exempted rules that there are not, and a rule that exempts from itself."""
    own = next((value for _, value in rule.find("id")), None)
    for where, id_ in rule.find("exempts", "*"):
        if id_ == own:
            yield rule.fault(where, "exempts: a rule cannot exempt from itself")
        elif isinstance(id_, str) and id_ not in known:
            yield rule.fault(where, f"exempts: there is no rule {id_[:32]!r}")


def missing_calendar(rule: Document) -> Iterator[Fault]:
    """Find what is said of holidays. Ask where none are known."""
    for where, value in rule.find("open", "*", "holidays"):
        if value == OnHolidays.CLOSED:
            yield rule.fault(where, f"holidays: {_NO_CALENDAR}")
    for where, value in rule.find("limits", "*", "on_holidays"):
        if value is not None:
            yield rule.fault(where, f"on_holidays: {_NO_CALENDAR}")
    for where, _ in rule.find("suspend", "for"):
        yield rule.fault(where, f"suspend.for: {_NO_CALENDAR}")


def idle_suspend(rule: Document, *, checks: Collection[object]) -> Iterator[Fault]:
    """Find a suspension that would stop nothing: no rule of the bundle asks for it."""
    for where, value in rule.find("suspend"):
        if value is not None and "suspended" not in checks:
            yield rule.fault(where, "suspend: stops nothing without a rule of check: suspended")


def closed_windows(
    rule: Document, shape: UntimelyShape, calendar: HolidayCalendar
) -> Iterator[Fault]:
    """Find windows that open on no day of the years that the calendar knows."""
    days = [day for year in calendar.years for day in _days_of(year)]
    for number, window in enumerate(shape.open):
        weekdays = window.numbered_weekdays
        is_closed = window.holidays is OnHolidays.CLOSED
        opens = (
            day.weekday() in weekdays and not (is_closed and calendar.is_holiday(day))
            for day in days
        )
        if days and not any(opens):
            yield rule.fault(("open", number), "open: opens on no day of the calendar")


def _days_of(year: int) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))


def _repeated(found: Iterable[tuple[Where, str]]) -> Iterator[tuple[Where, Where]]:
    """Yield each path with a value that an earlier path has, with the first such path."""
    seen: dict[str, Where] = {}
    for where, value in found:
        first = seen.setdefault(value, where)
        if first != where:
            yield where, first
