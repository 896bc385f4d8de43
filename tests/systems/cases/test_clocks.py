"""Time limits of cases: working days, what a calendar does not know, overdue and escalation."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest

from gateway.policy.hours import HolidayCalendar
from gateway.systems.cases.clocks import (
    CLOCK_STARTS,
    CLOCK_STOPS,
    CLOCK_TERMS,
    ClockTerm,
    TermUnit,
    due_after,
)
from gateway.systems.cases.model import CaseClock, ClockName, ClockProfile

Rows = list[tuple[str, ...]]

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = timedelta(days=1)
UNITS = {TermUnit.HOURS: "hours", TermUnit.DAYS: "days", TermUnit.WORKING_DAYS: "working days"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def working(days: int) -> ClockTerm:
    return ClockTerm(days, TermUnit.WORKING_DAYS, "a test")


@pytest.mark.parametrize(
    ("start", "days", "last"),
    [
        pytest.param("2013-09-27", 3, "2013-10-08", id="S01"),
        pytest.param("2013-09-27", 5, "2013-10-10", id="S02"),
        pytest.param("2013-12-31", 5, "2014-01-08", id="S04"),
        pytest.param("2014-01-29", 3, "2014-02-08", id="S05"),
    ],
)
@pytest.mark.parametrize("hour", ["00:00:00", "23:59:59"])
def test_r83_day_one_is_the_next_working_day_and_the_last_ends_at_24(
    calendar: HolidayCalendar, start: str, days: int, last: str, hour: str
) -> None:
    due = due_after(at(f"{start} {hour}"), working(days), calendar)

    assert due == at(last) + DAY


def test_r83_a_case_of_the_friday_before_the_national_holiday(calendar: HolidayCalendar) -> None:
    received = at("2013-09-27 15:30")
    terms = CLOCK_TERMS[ClockProfile.CN_O31]

    forward = due_after(received, terms[ClockName.FORWARD], calendar)
    feedback = due_after(received, terms[ClockName.FEEDBACK], calendar)

    assert forward == at("2013-10-11 00:00")  # the end of October 10
    assert feedback == at("2013-10-24 00:00")
    clock = CaseClock(ClockName.FORWARD, received, forward)
    assert not clock.is_overdue(at("2013-10-10 23:59:59"))
    assert clock.is_overdue(at("2013-10-11 00:00"))


def test_r83_the_day_of_receipt_is_that_of_shanghai(calendar: HolidayCalendar) -> None:
    # 2013-09-28 01:00 in Shanghai, a Saturday: day one is the working Sunday after it.
    late_on_friday = datetime(2013, 9, 27, 17, tzinfo=UTC)

    assert due_after(late_on_friday, working(1), calendar) == at("2013-09-30 00:00")


def test_r83_hours_and_plain_days_run_from_the_moment(calendar: HolidayCalendar) -> None:
    received = at("2013-09-30 15:30")
    respond = CLOCK_TERMS[ClockProfile.INTERNAL][ClockName.FIRST_RESPONSE]
    act = CLOCK_TERMS[ClockProfile.TRAI][ClockName.ACTION]

    assert due_after(received, respond, calendar) == at("2013-10-01 15:30")
    assert due_after(received, act, calendar) == at("2013-10-05 15:30")


@pytest.mark.parametrize(
    ("start", "days", "is_known"),
    [
        ("2014-12-20", 5, True),  # all within 2014
        ("2014-12-29", 5, False),  # ends in 2015
        ("2015-06-01", 3, False),
        ("2023-12-31", 3, True),  # begins on the day before the first year that is known
        ("2023-12-29", 3, False),  # December 30 may be worked in return for another day
        ("2026-12-15", 15, False),
    ],
)
def test_r83_a_year_without_holidays_on_record_is_not_guessed(
    calendar: HolidayCalendar, start: str, days: int, *, is_known: bool
) -> None:
    assert (due_after(at(start), working(days), calendar) is not None) == is_known


def test_r83_the_shipped_calendar_and_an_independent_one_work_on_the_same_days(
    calendar: HolidayCalendar,
) -> None:
    days = chain.from_iterable(map(days_of, sorted(calendar.years)))
    # The library learns of a year months after its notice; then this calendar may be ahead.
    known = [day for day in days if day.year <= max(chinese_calendar.constants.holidays).year]

    assert len(known) >= 5 * 365
    assert [
        day for day in known if calendar.is_workday(day) != chinese_calendar.is_workday(day)
    ] == []


def test_r83_a_case_is_escalated_at_80_and_at_100_percent() -> None:
    start = at("2025-11-03 00:00")
    clock = CaseClock(ClockName.ACTION, start, start + 10 * DAY)

    assert clock.escalation(start + timedelta(days=7, hours=23)) == 0
    assert clock.escalation(start + 8 * DAY) == 80
    assert clock.escalation(start + 10 * DAY - timedelta(seconds=1)) == 80
    assert clock.escalation(start + 10 * DAY) == 100


def test_r83_a_clock_that_stopped_stays_what_it_was() -> None:
    start = at("2025-11-03 00:00")
    in_time = CaseClock(ClockName.ACTION, start, start + DAY, stop=start + DAY / 2)
    late = CaseClock(ClockName.ACTION, start, start + DAY, stop=start + DAY)

    assert not in_time.is_overdue(start + 9 * DAY)
    assert late.is_overdue(start + 9 * DAY)
    assert in_time.escalation(start + 9 * DAY) == late.escalation(start + 9 * DAY) == 0


def test_a_clock_without_a_due_time_is_neither_overdue_nor_escalated() -> None:
    clock = CaseClock(ClockName.FEEDBACK, at("2026-12-28"), None)

    assert not clock.is_overdue(at("2030-01-01"))
    assert clock.escalation(at("2030-01-01")) == 0


def test_every_clock_is_stopped_by_an_act_that_does_not_precede_its_start() -> None:
    assert set(CLOCK_STOPS) == set(ClockName)
    assert set(CLOCK_TERMS) == set(ClockProfile)
    assert all(CLOCK_STARTS.get(name) != stops for name, stops in CLOCK_STOPS.items())


def test_the_docs_have_every_time_limit(table: Callable[[str, str], Rows]) -> None:
    rows = table("reference/cases.md", "## Clocks")

    assert rows == [
        (profile.value, name.value, f"{term.amount} {UNITS[term.unit]}", term.source)
        for profile, terms in CLOCK_TERMS.items()
        for name, term in terms.items()
    ]


def days_of(year: int) -> list[date]:
    first, last = date(year, 1, 1), date(year, 12, 31)
    return [first + DAY * after for after in range((last - first).days + 1)]
