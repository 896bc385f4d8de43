"""Working days: the shipped calendar, and faulty ones."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.hours import CalendarError, HolidayCalendar, parse
from gateway.settings.yaml import load

SHIPPED = Path(__file__).parents[3] / "policies" / "calendars" / "cn.yaml"


@pytest.fixture(scope="module")
def china() -> HolidayCalendar:
    return parse(load(SHIPPED).value)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2013-09-27", 3, "2013-10-08"),
        ("2013-09-27", 5, "2013-10-10"),
        ("2013-12-31", 5, "2014-01-08"),
        ("2014-01-29", 3, "2014-02-08"),
        ("2013-09-27", 1, "2013-09-29"),  # a Sunday that is worked
        ("2014-10-10", 1, "2014-10-11"),  # a Saturday that is worked
        ("2014-01-25", 1, "2014-01-26"),
        ("2025-09-30", 1, "2025-10-09"),
        ("2026-02-13", 2, "2026-02-24"),
        ("2013-09-27", 0, "2013-09-27"),
    ],
)
def test_sla_a_time_limit_counts_working_days_from_the_next(
    china: HolidayCalendar, start: str, days: int, due: str
) -> None:
    assert china.add_workdays(date.fromisoformat(start), days) == date.fromisoformat(due)


@pytest.mark.parametrize("days", [-1, 1001])
def test_a_time_limit_beyond_reason_is_refused(china: HolidayCalendar, days: int) -> None:
    with pytest.raises(ValueError, match=f"{days} working days"):
        china.add_workdays(date(2013, 9, 27), days)


def test_national_day_is_a_holiday_and_a_plain_sunday_is_none(china: HolidayCalendar) -> None:
    assert china.is_holiday(date(2013, 10, 1))
    assert not china.is_workday(date(2013, 10, 1))
    assert not china.is_holiday(date(2013, 10, 13))
    assert not china.is_workday(date(2013, 10, 13))
    assert china.is_workday(date(2013, 10, 12))


@pytest.mark.parametrize(
    ("year", "holidays", "made_up"),
    [(2013, 29, 12), (2014, 23, 5), (2024, 28, 8), (2025, 28, 5), (2026, 33, 6)],
)
def test_the_shipped_years_have_the_announced_number_of_days(
    china: HolidayCalendar, year: int, holidays: int, made_up: int
) -> None:
    assert china.covers(date(year, 7, 1))
    assert sum(day.year == year for day in china.holidays) == holidays
    assert sum(day.year == year for day in china.workdays) == made_up


def test_a_year_without_a_notice_has_its_weekends_only(china: HolidayCalendar) -> None:
    assert not china.covers(date(2015, 10, 1))
    assert china.is_workday(date(2015, 10, 1))
    assert not china.is_workday(date(2015, 10, 3))


@given(start=st.dates(date(2013, 1, 1), date(2027, 1, 1)), days=st.integers(1, 30))
def test_the_last_of_n_working_days_is_one_and_has_n_minus_one_before_it(
    china: HolidayCalendar, start: date, days: int
) -> None:
    due = china.add_workdays(start, days)

    span = [start + timedelta(n) for n in range(1, (due - start).days + 1)]
    assert china.is_workday(due)
    assert sum(map(china.is_workday, span)) == days


def test_a_weekend_may_lie_elsewhere() -> None:
    calendar = parse({"version": 1, "name": "ae", "weekend": ["friday", "saturday"], "years": {}})

    assert calendar.is_workday(date(2013, 9, 29))
    assert not calendar.is_workday(date(2013, 9, 27))


def test_a_calendar_that_names_no_weekend_has_the_usual_one() -> None:
    calendar = parse({"version": 1, "name": "xx", "years": {"2014": {"holidays": {"a": "01-01"}}}})

    assert calendar == HolidayCalendar("xx", frozenset({date(2014, 1, 1)}), years=frozenset({2014}))


def test_a_leap_day_is_a_day_of_leap_years_only() -> None:
    def year(number: str) -> object:
        return {"version": 1, "name": "xx", "years": {number: {"holidays": {"a": "02-29"}}}}

    assert parse(year("2024")).is_holiday(date(2024, 2, 29))
    with pytest.raises(CalendarError, match=r"years\.2026\.holidays\.a: '02-29' is no day of 2026"):
        parse(year("2026"))


FAULTS: list[tuple[object, list[str]]] = [
    (None, ["calendar: must be a mapping", "version: must be 1", "name: must be text"]),
    ({"name": "x", "years": {}}, ["version: must be 1"]),
    ({"version": 1, "name": "x"}, ["years: must be a mapping"]),
    ({"version": 1, "name": 7, "years": {}}, ["name: must be text"]),
    ({"version": 1, "name": "x", "years": {}, "days": 1}, ["days: is not known here"]),
    ({"version": 1, "name": "x", "years": {"14": {}}}, ["years.14: '14' is no year"]),
    (
        {"version": 1, "name": "x", "years": {str(1900 + n): {} for n in range(101)}},
        ["years: more than 100"],
    ),
    (
        {"version": 1, "name": "x", "weekend": "sunday", "years": {}},
        ["weekend: must be a list"],
    ),
    (
        {"version": 1, "name": "x", "weekend": ["sunday", "sun"], "years": {}},
        ["weekend.1: 'sun' is no weekday"],
    ),
    (
        {
            "version": 1,
            "name": "x",
            "weekend": [
                "monday",
                "tuesday",
                "wednesday",
                "thursday",
                "friday",
                "saturday",
                "sunday",
            ],
            "years": {},
        },
        ["weekend: leaves no day to work on"],
    ),
    (
        {"version": 1, "name": "x", "years": {"2014": {"holiday": {}, "holidays": []}}},
        ["years.2014.holiday: is not known here", "years.2014.holidays: must be a mapping"],
    ),
    (
        {
            "version": 1,
            "name": "x",
            "years": {
                "2014": {
                    "holidays": {"a": "2014-01-01", "b": 101, "c": "01-03..01-01", "d": "13-01"},
                    "workdays": ["01-04", "01-06", "02-30", "01-05..1-06"],
                }
            },
        },
        [
            "years.2014.holidays.a: '2014-01-01' must be MM-DD or MM-DD..MM-DD, as text",
            "years.2014.holidays.b: 101 must be MM-DD or MM-DD..MM-DD, as text",
            "years.2014.holidays.c: '01-03..01-01' ends before it begins",
            "years.2014.holidays.d: '13-01' is no day of 2014",
            "years.2014.workdays.1: '01-06' is worked anyway",
            "years.2014.workdays.2: '02-30' is no day of 2014",
            "years.2014.workdays.3: '01-05..1-06' must be MM-DD or MM-DD..MM-DD, as text",
        ],
    ),
    (
        {
            "version": 1,
            "name": "x",
            "years": {"2014": {"holidays": {"a": "01-04"}, "workdays": ["01-04"]}},
        },
        ["years.2014.workdays.0: '01-04' is a holiday, too"],
    ),
]


@pytest.mark.parametrize(("document", "problems"), FAULTS)
def test_every_fault_of_a_calendar_is_told_with_its_key_path(
    document: object, problems: list[str]
) -> None:
    with pytest.raises(CalendarError) as told:
        parse(document)

    lines = str(told.value).split("\n")
    assert [line for line in lines if line in problems] == problems
    assert len(told.value.faults) == len(lines)


def test_faults_bear_the_way_to_the_value() -> None:
    with pytest.raises(CalendarError) as told:
        parse({"version": 1, "name": "x", "years": {"2014": {"workdays": ["01-06"]}}})

    assert [fault for fault in told.value.faults if "anyway" in fault[1]] == [
        (("years", "2014", "workdays", 0), "'01-06' is worked anyway")
    ]


def test_a_calendar_that_contradicts_itself_cannot_be_made() -> None:
    day = frozenset({date(2014, 1, 4)})

    with pytest.raises(ValueError, match="2014-01-04 is both"):
        HolidayCalendar("x", day, day)
    with pytest.raises(ValueError, match="weekend"):
        HolidayCalendar("x", weekend=frozenset(range(7)))
    with pytest.raises(ValueError, match="weekend"):
        HolidayCalendar("x", weekend=frozenset({7}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("01-04..01-05"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["version", "name", "weekend", "years", "2014", "holidays", "workdays"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_document_is_a_calendar_or_told_what_is_wrong(document: object) -> None:
    try:
        calendar = parse(document)
    except CalendarError as error:
        assert error.faults
    else:
        assert calendar.name
