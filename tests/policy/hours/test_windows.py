"""Windows of local time, and when what came outside of them may leave."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.hours import (
    HolidayCalendar,
    Locality,
    OnHolidays,
    Window,
    WindowSet,
    next_opening,
    open_for,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
NATIONAL_DAYS = frozenset(date(2013, 10, day) for day in range(1, 8))
CALENDAR = HolidayCalendar("test", NATIONAL_DAYS)
NO_HOLIDAYS = HolidayCalendar("none")
HERE = Locality(SHANGHAI, CALENDAR)
DAYTIME = WindowSet((Window(time(8), time(21)),))
HALF_HOUR = timedelta(minutes=30)


def windows(*spans: tuple[str, str]) -> WindowSet:
    return WindowSet(
        tuple(
            Window(time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in spans
        )
    )


def local(text: str, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("clock", "is_open"),
    [
        ("07:59:59.999999", False),
        ("08:00:00", True),
        ("20:59:59", True),
        ("21:00:00", False),
        ("03:00:00", False),
    ],
)
def test_r40_a_window_opens_on_the_second_and_closes_before_it(
    clock: str, *, is_open: bool
) -> None:
    assert DAYTIME.judge(local(f"2013-09-10T{clock}"), CALENDAR) is is_open


def test_r40_outside_the_window_a_message_waits_for_the_opening() -> None:
    moment = local("2013-09-10T21:00:00")

    until = next_opening(DAYTIME, moment, HERE)

    assert until == local("2013-09-11T08:00:00")


def test_r40_inside_the_window_a_message_goes_as_it_is() -> None:
    moment = local("2013-09-10T20:59:59")

    assert next_opening(DAYTIME, moment, HERE) == moment


def test_r40_the_recipient_s_clock_counts_and_not_the_sender_s() -> None:
    moment = local("2013-09-10T10:00:00")  # 22:00 of the day before in New York

    until = next_opening(DAYTIME, moment, Locality(NEW_YORK, NO_HOLIDAYS))

    assert until == local("2013-09-10T08:00:00", NEW_YORK)


def test_r40_a_window_is_open_until_the_last_that_follows_it_closes() -> None:
    brief = windows(("08:00", "08:10"), ("08:10", "08:20"), ("20:00", "21:00"))
    opening = local("2013-09-11T08:00:00")

    assert open_for(brief, opening, HALF_HOUR, HERE) == timedelta(minutes=20)
    assert open_for(brief, opening, timedelta(minutes=15), HERE) == timedelta(minutes=15)
    assert open_for(brief, opening, timedelta(), HERE) == timedelta()


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2013-09-10T22:00:00", True),
        ("2013-09-11T07:59:59", True),
        ("2013-09-11T08:00:00", False),
        ("2013-09-10T21:59:59", False),
        ("2013-09-10T00:00:00", True),
    ],
)
def test_a_window_may_lie_over_midnight(moment: str, *, is_open: bool) -> None:
    assert windows(("22:00", "08:00")).judge(local(moment), CALENDAR) is is_open


def test_a_window_over_midnight_belongs_to_the_day_it_opens_on() -> None:
    friday_night = Window(time(22), time(8), frozenset({4}))
    eve = Window(time(22), time(8), on_holidays=OnHolidays.CLOSED)

    assert WindowSet((friday_night,)).judge(local("2013-09-14T03:00:00"), CALENDAR)
    assert not WindowSet((friday_night,)).judge(local("2013-09-13T03:00:00"), CALENDAR)
    assert WindowSet((eve,)).judge(local("2013-10-01T03:00:00"), CALENDAR)
    assert not WindowSet((eve,)).judge(local("2013-10-01T22:00:00"), CALENDAR)
    assert not WindowSet((eve,)).judge(local("2013-10-08T03:00:00"), CALENDAR)


def test_equal_times_are_a_whole_day() -> None:
    sundays = WindowSet((Window(time(9), time(9), frozenset({6})),))

    assert [
        sundays.judge(local(moment), CALENDAR)
        for moment in (
            "2013-09-15T08:59",
            "2013-09-15T09:00",
            "2013-09-16T08:59",
            "2013-09-16T09:00",
        )
    ] == [False, True, True, False]


def test_a_day_may_have_several_windows() -> None:
    lunch = windows(("08:00", "12:00"), ("14:00", "21:00"))

    assert not lunch.judge(local("2013-09-10T12:30:00"), CALENDAR)
    assert next_opening(lunch, local("2013-09-10T12:30:00"), HERE) == local("2013-09-10T14:00:00")


def test_r40_fr_neither_sundays_nor_holidays() -> None:
    french = WindowSet((Window(time(8), time(22), frozenset(range(6)), OnHolidays.CLOSED),))
    paris = ZoneInfo("Europe/Paris")
    calendar = HolidayCalendar("fr", frozenset({date(2013, 7, 14), date(2013, 7, 15)}))

    until = next_opening(french, local("2013-07-13T22:30", paris), Locality(paris, calendar))

    assert until == local("2013-07-16T08:00", paris)


def test_a_make_up_workday_keeps_its_weekday() -> None:
    worked = HolidayCalendar("cn", workdays=frozenset({date(2013, 9, 29)}))
    weekdays = WindowSet((Window(time(8), time(21), frozenset(range(5))),))

    assert not weekdays.judge(local("2013-09-29T12:00:00"), worked)


def test_the_week_of_national_day_is_waited_for() -> None:
    closed = WindowSet((Window(time(8), time(21), on_holidays=OnHolidays.CLOSED),))

    until = next_opening(closed, local("2013-09-30T21:00:00"), HERE)

    assert until == local("2013-10-08T08:00:00")


def test_what_does_not_open_within_fourteen_days_never_does() -> None:
    closed = WindowSet((Window(time(8), time(21), on_holidays=OnHolidays.CLOSED),))

    def after(free_days: int) -> datetime | None:
        free = frozenset(date(2013, 9, 10) + timedelta(n) for n in range(free_days))
        locality = Locality(SHANGHAI, HolidayCalendar("test", free))
        return next_opening(closed, local("2013-09-10T08:00:00"), locality)

    assert after(13) == local("2013-09-23T08:00:00")
    assert after(14) is None


def test_an_hour_that_does_not_exist_opens_nothing() -> None:
    there = Locality(NEW_YORK, NO_HOLIDAYS)
    moment = local("2025-03-09T01:00", NEW_YORK)  # at 02:00 it becomes 03:00

    assert next_opening(windows(("02:10", "02:50")), moment, there) == utc("2025-03-10T06:10")
    assert next_opening(windows(("02:30", "08:00")), moment, there) == utc("2025-03-09T07:00")


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    there = Locality(NEW_YORK, NO_HOLIDAYS)
    early = windows(("01:00", "01:30"))  # at 02:00 it becomes 01:00

    first = next_opening(early, local("2025-11-02T00:30", NEW_YORK), there)
    second = next_opening(early, local("2025-11-02T01:45", NEW_YORK), there)
    third = next_opening(early, local("2025-11-02T01:45", NEW_YORK, fold=1), there)

    assert (first, second) == (utc("2025-11-02T05:00"), utc("2025-11-02T06:00"))
    assert third == utc("2025-11-03T06:00")


def test_an_opening_in_an_hour_that_comes_twice_is_the_first() -> None:
    there = Locality(NEW_YORK, NO_HOLIDAYS)

    until = next_opening(windows(("01:30", "01:40")), local("2025-11-02T01:35", NEW_YORK), there)
    after = next_opening(windows(("01:30", "01:40")), local("2025-11-02T01:41", NEW_YORK), there)

    assert until == utc("2025-11-02T05:35")
    assert after == utc("2025-11-02T06:30")


def test_a_change_of_the_clock_just_a_day_away_is_seen() -> None:
    there = Locality(NEW_YORK, NO_HOLIDAYS)

    until = next_opening(windows(("02:30", "02:50")), utc("2025-03-08T07:55:00.5"), there)
    late = next_opening(windows(("02:59", "03:01")), utc("2025-03-08T08:01"), there)
    on_the_hour = next_opening(
        WindowSet((Window(time(2, 59), time(4), frozenset({6})),)), utc("2025-03-08T07:00"), there
    )

    assert until == utc("2025-03-10T06:30")
    assert late == utc("2025-03-09T07:00")
    assert on_the_hour == utc("2025-03-09T07:00")


def test_a_day_that_a_country_leaves_out_opens_nothing() -> None:
    apia = ZoneInfo("Pacific/Apia")  # Thursday the 29th was followed by Saturday the 31st
    moment = local("2011-12-29T21:30", apia)

    assert next_opening(DAYTIME, moment, Locality(apia, NO_HOLIDAYS)) == local(
        "2011-12-31T08:00", apia
    )
    friday = WindowSet((Window(time(8), time(21), frozenset({4})),))
    assert next_opening(friday, moment, Locality(apia, NO_HOLIDAYS)) == local(
        "2012-01-06T08:00", apia
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Window(time(8), time(21), frozenset()),
        lambda: Window(time(8), time(21), frozenset({7})),
        lambda: Window(time(8, tzinfo=UTC), time(21)),
        lambda: Window(time(8), time(21, tzinfo=UTC)),
        lambda: WindowSet(()),
    ],
)
def test_a_window_that_means_nothing_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"weekdays|opens|windows"):
        make()


QUARTERS = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))
WINDOWS = st.builds(
    Window,
    opens=QUARTERS,
    closes=QUARTERS,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    on_holidays=st.sampled_from(OnHolidays),
)
SETS = st.lists(WINDOWS, min_size=1, max_size=3).map(lambda many: WindowSet(tuple(many)))
# Lord Howe changes by half an hour, Troll by two, Casablanca for a month, Apia lost a day.
ZONES = st.sampled_from(
    [
        "Asia/Shanghai",
        "America/New_York",
        "Europe/London",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "America/Santiago",
        "Africa/Casablanca",
        "Antarctica/Troll",
        "Asia/Kathmandu",
        "Pacific/Apia",
    ]
).map(ZoneInfo)
CHANGES = [
    utc(text)
    for text in (
        "2025-03-09T07:00",
        "2025-11-02T06:00",
        "2025-03-30T01:00",
        "2025-10-26T01:00",
        "2025-04-05T15:00",
        "2025-10-04T15:30",
        "2025-02-23T02:00",
        "2011-12-30T10:00",
    )
]
MOMENTS = st.builds(
    lambda change, seconds: change + timedelta(seconds=seconds),
    st.sampled_from(CHANGES),
    st.integers(-3 * 86400, 2 * 86400),
)
FREE = st.frozensets(st.sampled_from([change.date() for change in CHANGES]))


def quarters_from(moment: datetime) -> Iterator[datetime]:
    yield moment
    quarter = timedelta(minutes=15)
    aligned = datetime.fromtimestamp(moment.timestamp() // 900 * 900, UTC)
    for n in range(1, 14 * 96 + 1):
        if aligned + n * quarter < moment + timedelta(days=14):
            yield aligned + n * quarter


@given(chosen=SETS, zone=ZONES, moment=MOMENTS, free=FREE)
def test_the_next_opening_is_the_first_quarter_at_which_a_window_is_open(
    chosen: WindowSet, zone: ZoneInfo, moment: datetime, free: frozenset[date]
) -> None:
    calendar = HolidayCalendar("test", free)

    until = next_opening(chosen, moment, Locality(zone, calendar))

    expected = (at for at in quarters_from(moment) if chosen.judge(at.astimezone(zone), calendar))
    assert until == next(expected, None)


LOCALITIES = st.builds(
    lambda zone, free: Locality(zone, HolidayCalendar("test", free)), ZONES, FREE
)


@given(
    chosen=SETS,
    locality=LOCALITIES,
    moment=MOMENTS,
    at_most=st.integers(0, 600).map(lambda minutes: timedelta(minutes=minutes)),
    share=st.floats(0, 1, exclude_max=True),
)
def test_at_each_moment_for_which_it_is_open_a_message_may_arrive(
    chosen: WindowSet, locality: Locality, moment: datetime, at_most: timedelta, share: float
) -> None:
    opening = next_opening(chosen, moment, locality)
    if opening is None:
        return

    lasts = open_for(chosen, opening, at_most, locality)

    assert timedelta() <= lasts <= at_most
    within = opening + timedelta(seconds=int(lasts.total_seconds() * share))
    assert chosen.judge(within.astimezone(locality.zone), locality.calendar)
    if lasts < at_most:
        closed = (opening + lasts).astimezone(locality.zone)
        assert not chosen.judge(closed, locality.calendar)
