"""Frequency limits: the rules, the counting, and what it costs in memory."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.policy import ROLLING_DAY, Clock, CountDimension, Limit, RollingWindow
from gateway.policy.checks.too_often import Frequencies
from gateway.policy.counters import CounterTerms, Full, Parts
from gateway.policy.hours import HolidayCalendar
from gateway.policy.submission import TokenBucket

CHINA = timezone(timedelta(hours=8))
CALENDAR = HolidayCalendar("test", frozenset({date(2013, 10, 1)}))
COUNTING = CounterTerms(capacity=2000, calendar=CALENDAR)
SOMEBODY = 8613800138000

TO_SIGNED = (CountDimension.SIGNATURE, CountDimension.DESTINATION)
A_MINUTE = Limit(TO_SIGNED, 1, Clock.MINUTE)
AN_HOUR = Limit(TO_SIGNED, 5, Clock.HOUR)
A_DAY = Limit(TO_SIGNED, 10, ROLLING_DAY)
FROM_ANYONE = Limit((CountDimension.DESTINATION,), 40, ROLLING_DAY)
CODES = (A_MINUTE, AN_HOUR, A_DAY, FROM_ANYONE)

PERSONAL_HOUR = Limit((CountDimension.SOURCE,), 200, Clock.HOUR, holiday_maximum=500)
PERSONAL_DAY = Limit((CountDimension.SOURCE,), 1000, Clock.DAY, holiday_maximum=2000)


def message(
    destination: int = SOMEBODY,
    signature: str = "【商城】",
    template: str = "",
    sender: str = "sp1",
    source: str = "10690001",
) -> Parts:
    return (destination, signature, template, sender, source)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp()


def admitted(store: Frequencies, parts: Parts, now: float, tries: int) -> int:
    return sum(store.admit(parts, now) is None for _ in range(tries))


def test_r42_one_code_a_minute_by_the_clock() -> None:
    codes = Frequencies(CODES, COUNTING)

    outcomes = [
        codes.admit(message(), at(f"2013-09-10T{clock}"))
        for clock in ("14:03:10", "14:03:59", "14:04:00")
    ]

    assert outcomes == [None, A_MINUTE, None]


def test_r42_five_codes_an_hour_by_the_clock() -> None:
    codes = Frequencies(CODES, COUNTING)

    outcomes = [codes.admit(message(), at(f"2013-09-10T14:{m:02}:00")) for m in range(50, 56)]

    assert outcomes == [None] * 5 + [AN_HOUR]
    assert codes.admit(message(), at("2013-09-10T15:00:00")) is None


def test_r42_ten_codes_in_the_last_twenty_four_hours() -> None:
    codes = Frequencies(CODES, COUNTING)
    for hour in (13, 14):
        for minute in range(5):
            assert codes.admit(message(), at(f"2013-09-10T{hour}:0{minute}:07")) is None

    outcomes = [
        codes.admit(message(), at(f"2013-09-{moment}"))
        for moment in ("10T23:59:59", "11T13:00:06", "11T13:00:07", "11T13:01:06", "11T13:01:07")
    ]

    assert outcomes == [A_DAY, A_DAY, None, A_DAY, None]


def test_r42_forty_from_all_senders_together() -> None:
    codes = Frequencies(CODES, COUNTING)
    start = at("2013-09-10T14:00:00")

    outcomes = [codes.admit(message(signature=f"【{n}】"), start + n) for n in range(41)]

    assert outcomes == [None] * 40 + [FROM_ANYONE]
    assert codes.admit(message(SOMEBODY + 1), start + 41) is None


def test_r42_the_zone_says_when_a_day_begins() -> None:
    a_day = Limit((CountDimension.DESTINATION,), 1, Clock.DAY)
    moments = (at("2013-09-10T23:59:59"), at("2013-09-11T00:00:00"))

    def outcomes(counting: CounterTerms) -> list[Limit | Full | None]:
        frequencies = Frequencies([a_day], counting)
        return [frequencies.admit(message(), moment) for moment in moments]

    assert outcomes(COUNTING) == [None, None]
    assert outcomes(replace(COUNTING, utc_offset_s=0)) == [None, a_day]
    assert outcomes(replace(COUNTING, utc_offset_s=-8 * 3600)) == [None, a_day]


def test_r42_a_message_that_one_limit_refuses_is_counted_by_none() -> None:
    hourly = Limit((CountDimension.DESTINATION,), 2, Clock.HOUR)
    frequencies = Frequencies([hourly, A_DAY, A_MINUTE], COUNTING)
    start = at("2013-09-10T14:00:00")
    frequencies.admit(message(), start)

    refused = admitted(frequencies, message(), start, 100)

    assert refused == 0
    assert frequencies.admit(message(), start + 60) is None
    assert frequencies.admit(message(), start + 120) is hourly


def test_r43_a_personal_number_s_hour_and_holiday() -> None:
    personal = Frequencies([PERSONAL_HOUR, PERSONAL_DAY], COUNTING)
    from_person = message(source="13800138000")

    workday = admitted(personal, from_person, at("2013-09-30T23:59:59"), 600)
    holiday = admitted(personal, from_person, at("2013-10-01T00:00:00"), 600)

    assert (workday, holiday) == (200, 500)
    assert personal.admit(from_person, at("2013-10-01T00:59:59")) is PERSONAL_HOUR
    assert personal.admit(message(source="13800138001"), at("2013-10-01T00:59:59")) is None


def test_r43_a_personal_number_s_day() -> None:
    personal = Frequencies([PERSONAL_HOUR, PERSONAL_DAY], COUNTING)
    from_person = message(source="13800138000")

    def day(text: str) -> int:
        hours = (at(f"{text}T{hour:02}:00:00") for hour in range(24))
        return sum(admitted(personal, from_person, hour, 600) for hour in hours)

    assert (day("2013-09-30"), day("2013-10-01"), day("2013-10-02")) == (1000, 2000, 1000)


def test_r43_a_suspension_ends_after_working_days() -> None:
    assert CALENDAR.add_workdays(date(2013, 9, 30), 3) == date(2013, 10, 4)


def test_r44_a_port_has_its_rate_and_its_burst() -> None:
    bucket = TokenBucket(50, 100)

    accepted = sum(bucket.take(n / 200) for n in range(200))

    assert 100 <= accepted <= 151
    assert not bucket.take(199 / 200)


def test_signature_and_template_and_sender_can_be_counted_by() -> None:
    per = (CountDimension.SIGNATURE, CountDimension.TEMPLATE, CountDimension.DESTINATION)
    limits = [Limit(per, 1, ROLLING_DAY), Limit((CountDimension.SENDER,), 3, RollingWindow(3600))]
    frequencies = Frequencies(limits, COUNTING)
    now = at("2013-09-10T14:00:00")

    outcomes = [
        frequencies.admit(message(template=template, sender=sender), now)
        for template, sender in (
            ("a", "x"),
            ("a", "x"),
            ("b", "x"),
            ("c", "x"),
            ("d", "x"),
            ("d", "y"),
        )
    ]

    assert outcomes == [None, limits[0], None, None, limits[1], None]


def test_a_rolling_window_is_exact_to_the_second() -> None:
    limit = Limit((CountDimension.DESTINATION,), 2, RollingWindow(100))
    frequencies = Frequencies([limit], COUNTING)

    outcomes = [frequencies.admit(message(), 1000 + n) for n in (0, 60, 99.9, 100, 159, 160)]

    assert outcomes == [None, None, limit, None, limit, None]


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_a_message_that_was_not_forwarded_after_all_is_taken_back(
    every: Clock | RollingWindow,
) -> None:
    limit = Limit(TO_SIGNED, 3, every)
    frequencies = Frequencies([limit], COUNTING)
    for now in (7200.0, 7201.0, 7202.0):
        frequencies.admit(message(), now)

    frequencies.forget(message(), 7201.0)

    assert admitted(frequencies, message(), 7203.0, 5) == 1
    assert frequencies.keys == 1


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_taking_all_back_leaves_nothing_behind(every: Clock | RollingWindow) -> None:
    frequencies = Frequencies([Limit(TO_SIGNED, 3, every)], COUNTING)
    for n in range(50):
        frequencies.admit(message(signature=f"【{n}】"), 7200.0)

    for n in range(50):
        frequencies.forget(message(signature=f"【{n}】"), 7200.0)

    assert frequencies.keys == 0
    assert keys_in_tables(frequencies) == 0


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_what_is_not_counted_cannot_be_taken_back(every: Clock | RollingWindow) -> None:
    frequencies = Frequencies([Limit(TO_SIGNED, 1, every)], COUNTING)
    frequencies.admit(message(), 7200.0)

    frequencies.forget(message(SOMEBODY + 1), 7200.0)
    frequencies.forget(message(signature=""), 7200.0)
    frequencies.forget(message(), 3599.0)
    frequencies.forget(message(), 10800.0)

    assert frequencies.admit(message(), 7201.0) is not None
    assert frequencies.keys == 1


def test_what_an_older_generation_counted_can_be_taken_back() -> None:
    limit = Limit((CountDimension.DESTINATION,), 1, RollingWindow(100))
    frequencies = Frequencies([limit], COUNTING)
    frequencies.admit(message(SOMEBODY + 1), 1000)
    frequencies.admit(message(), 1099)
    frequencies.admit(message(SOMEBODY + 2), 1100)

    assert frequencies.admit(message(), 1100) is limit
    frequencies.forget(message(), 1099)

    assert frequencies.admit(message(), 1100) is None


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_a_key_for_which_there_is_no_room_is_told_and_counted_by_none(
    every: Clock | RollingWindow,
) -> None:
    narrow = Limit((CountDimension.DESTINATION,), 5, every)
    wide = Limit((CountDimension.SENDER,), 5, every)
    frequencies = Frequencies([wide, narrow], CounterTerms(capacity=3))
    for n in range(3):
        frequencies.admit(message(SOMEBODY + n, sender=f"sp{n}"), 7200.0)

    is_full = has_full_counter(frequencies)
    outcomes = [frequencies.admit(message(SOMEBODY + 9, sender="sp0"), 7200.0) for _ in range(99)]

    assert is_full
    assert set(outcomes) == {Full(narrow)}
    assert admitted(frequencies, message(SOMEBODY, sender="sp0"), 7200.0, 9) == 4
    assert frequencies.keys == 6


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
@pytest.mark.parametrize("per", [TO_SIGNED, (CountDimension.DESTINATION,)])
def test_an_sp_that_fills_the_counters_leaves_room_for_the_others(
    every: Clock | RollingWindow, per: tuple[CountDimension, ...]
) -> None:
    limit = Limit(per, 5, every)
    frequencies = Frequencies([limit], COUNTING)
    greedy = [frequencies.admit(message(SOMEBODY + n, sender="sp1"), 7200.0) for n in range(2_000)]

    others = [
        frequencies.admit(message(SOMEBODY - 1 - n, sender="sp2"), 7200.0) for n in range(500)
    ]

    assert greedy == [None] * 1_000 + [Full(limit)] * 1_000
    assert others == [None] * 500
    assert frequencies.admit(message(sender="sp1"), 7200.0) is None  # what it has, it may count


def test_an_sp_has_its_room_back_when_its_keys_have_gone() -> None:
    frequencies = Frequencies([Limit(TO_SIGNED, 5, RollingWindow(100))], COUNTING)
    for n in range(2_000):
        frequencies.admit(message(SOMEBODY + n), 1000)

    on_and_on = [frequencies.admit(message(), 1100 + n) for n in range(0, 101, 25)]
    later = [frequencies.admit(message(SOMEBODY + 5_000 + n), 1200) for n in range(999)]

    assert on_and_on == [None] * 5
    assert later == [None] * 999


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_time_makes_room(every: Clock | RollingWindow) -> None:
    frequencies = Frequencies([Limit(TO_SIGNED, 5, every)], CounterTerms(capacity=1))
    frequencies.admit(message(signature="【甲】"), 7200.0)
    frequencies.admit(message(signature="【甲】"), 7200.0)
    assert frequencies.admit(message(), 7200.0) is not None

    later = frequencies.admit(message(), 7200.0 + 2 * 3600)

    assert later is None
    assert frequencies.keys == 1


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_a_signature_for_each_message_leaves_no_more_behind_than_keys(
    every: Clock | RollingWindow,
) -> None:
    first = Limit(TO_SIGNED, 5, every)
    frequencies = Frequencies([first, Limit((CountDimension.SENDER,), 1, Clock.DAY)], COUNTING)

    outcomes = {
        frequencies.admit(message(signature=f"【{n}】"), 7200.0) is None for n in range(5000)
    }

    assert outcomes == {True, False}
    assert frequencies.keys == 2
    assert keys_in_tables(frequencies) == 2


def has_full_counter(frequencies: Frequencies) -> bool:
    return any(counter.shares.is_full for counter in frequencies.counters)


def keys_in_tables(frequencies: Frequencies) -> int:
    kept = 0
    for counter in frequencies.counters:
        for name in ("kept", "young", "old"):
            kept += sum(map(len, getattr(counter, name, ())))
    return kept


def retired_keys(frequencies: Frequencies) -> int:
    return sum(map(len, frequencies.retired))


def test_what_expired_is_taken_apart_a_little_with_each_message() -> None:
    frequencies = Frequencies([Limit(TO_SIGNED, 5, Clock.MINUTE)], COUNTING)
    for n in range(900):
        frequencies.admit(message(SOMEBODY + n, f"【{n % 60}】"), 6000.0)

    left = []
    for _ in range(120):
        frequencies.admit(message(), 6060.0)
        left.append(retired_keys(frequencies))

    assert 800 < left[0] <= 900
    assert all(0 <= before - after <= 16 for before, after in pairwise(left))
    assert left[-1] == 0
    assert not frequencies.retired


def test_a_large_table_is_taken_apart_a_little_with_each_message() -> None:
    frequencies = Frequencies([Limit(TO_SIGNED, 5, Clock.MINUTE)], COUNTING)
    for n in range(900):
        frequencies.admit(message(SOMEBODY + 64 * n), 6000.0)

    frequencies.admit(message(), 6060.0)
    before = retired_keys(frequencies)
    frequencies.admit(message(), 6060.0)

    assert (before, retired_keys(frequencies)) == (900, 884)


def test_keys_of_a_rolling_window_leave_after_two_of_them() -> None:
    frequencies = Frequencies(
        [Limit((CountDimension.DESTINATION,), 5, RollingWindow(100))], COUNTING
    )
    for n in range(50):
        frequencies.admit(message(SOMEBODY + n), 1000)

    frequencies.admit(message(SOMEBODY + 99), 1100)
    once = frequencies.keys
    frequencies.admit(message(SOMEBODY + 99), 1200)

    assert (once, frequencies.keys) == (51, 1)


def test_nothing_counted_for_a_whole_window_is_nothing_kept() -> None:
    frequencies = Frequencies(
        [Limit((CountDimension.DESTINATION,), 1, RollingWindow(100))], COUNTING
    )
    frequencies.admit(message(), 1000)
    frequencies.admit(message(SOMEBODY + 1), 1150)

    assert frequencies.admit(message(), 5000) is None
    assert frequencies.keys == 1


def test_a_clock_that_is_set_back_a_little_stands_still() -> None:
    frequencies = Frequencies([A_MINUTE, Limit(TO_SIGNED, 2, RollingWindow(100))], COUNTING)
    frequencies.admit(message(), 6000)

    outcomes = [frequencies.admit(message(), now) for now in (5990, 5940, 6059, 6060)]

    assert outcomes == [A_MINUTE, A_MINUTE, A_MINUTE, None]
    assert frequencies.restarts == 0


def test_a_clock_that_is_set_back_far_starts_all_counts_anew() -> None:
    frequencies = Frequencies([A_MINUTE, Limit(TO_SIGNED, 2, RollingWindow(100))], COUNTING)
    in_error = 9_000_000
    for n in range(2):
        frequencies.admit(message(), in_error + n * 60)

    outcomes = [frequencies.admit(message(), now) for now in (6000, 6001, 6060)]
    frequencies.forget(message(), in_error)

    assert outcomes == [None, A_MINUTE, None]
    assert frequencies.restarts == 1
    assert frequencies.keys == 2
    assert frequencies.admit(message(), 6061) is A_MINUTE


def test_a_reload_gives_nobody_a_fresh_start() -> None:
    start = at("2013-09-10T14:00:00")
    before = Frequencies(CODES, COUNTING)
    for minute in range(4):
        before.admit(message(), start + minute * 60)
    shuffled = [replace(limit, per=limit.per[::-1]) for limit in reversed(CODES)]

    after = Frequencies(shuffled, COUNTING)
    after.adopt(before)

    outcomes = [after.admit(message(), start + now) for now in (181, 240, 300)]
    assert outcomes == [shuffled[3], None, shuffled[2]]
    assert after.keys == 4


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_a_reload_may_change_how_many_are_too_many(every: Clock | RollingWindow) -> None:
    five = Limit((CountDimension.DESTINATION,), 5, every)

    def left_with(maximum: int) -> int:
        before = Frequencies([five], COUNTING)
        for n in range(4):
            before.admit(message(), 7200 + n)
        after = Frequencies([replace(five, maximum=maximum)], COUNTING)
        after.adopt(before)
        return admitted(after, message(), 7210, 20)

    assert [left_with(maximum) for maximum in (1, 3, 4, 5, 9)] == [0, 0, 0, 1, 5]


def test_a_lowered_rolling_limit_counts_the_newest() -> None:
    limit = Limit((CountDimension.DESTINATION,), 4, RollingWindow(100))
    before = Frequencies([limit], COUNTING)
    for now in (1000, 1010, 1020, 1030):
        before.admit(message(), now)

    lower = replace(limit, maximum=2)
    after = Frequencies([lower], COUNTING)
    after.adopt(before)

    outcomes = [after.admit(message(), now) for now in (1119, 1120, 1129, 1130)]
    assert outcomes == [lower, None, lower, None]


def test_a_reload_takes_up_a_new_calendar_and_less_room() -> None:
    start = at("2013-09-10T14:00:00")
    before = Frequencies([PERSONAL_HOUR], COUNTING)
    admitted(before, message(), start, 200)
    before.admit(message(source="13800138000"), start)
    holiday = HolidayCalendar("test", frozenset({date(2013, 9, 10)}))

    after = Frequencies([PERSONAL_HOUR], CounterTerms(capacity=1, calendar=holiday))
    after.adopt(before)

    assert has_full_counter(after)
    assert admitted(after, message(), start, 600) == 300
    assert after.admit(message(source="13800138009"), start) == Full(PERSONAL_HOUR)


def test_a_reload_lets_go_of_limits_that_are_gone_and_keeps_its_clock() -> None:
    before = Frequencies([A_MINUTE, A_DAY], COUNTING)
    before.admit(message(), 9_000_000)
    before.admit(message(), 6000)
    weekly = Limit((CountDimension.DESTINATION,), 1, RollingWindow(7 * 86400))

    after = Frequencies([A_MINUTE, weekly], COUNTING)
    after.adopt(before)

    assert after.restarts == 1
    assert after.keys == 1
    assert after.admit(message(), 5999) is A_MINUTE
    assert after.admit(message(), 6060) is None


def test_without_limits_every_message_passes() -> None:
    assert Frequencies([], COUNTING).admit(message(), 6000) is None


def test_limits_that_could_not_be_told_apart_are_refused() -> None:
    twice = [A_MINUTE, replace(A_MINUTE, per=A_MINUTE.per[::-1], maximum=2)]

    with pytest.raises(ValueError, match="two limits"):
        Frequencies(twice, COUNTING)


def test_holidays_cannot_be_asked_for_without_a_calendar() -> None:
    with pytest.raises(ValueError, match="no calendar"):
        Frequencies([PERSONAL_DAY], CounterTerms())


class Naive:
    """Keeps every message and counts anew each time."""

    def __init__(self, limits: list[Limit], counting: CounterTerms) -> None:
        self.limits, self.counting = limits, counting
        self.kept: list[tuple[Parts, int]] = []

    def admit(self, parts: Parts, now: int) -> Limit | None:
        for limit in self.limits:
            if self._count(limit, parts, now) >= self._maximum(limit, now):
                return limit
        self.kept.append((parts, now))
        return None

    def forget(self, parts: Parts, now: int) -> None:
        self.kept.remove((parts, now))

    def _count(self, limit: Limit, parts: Parts, now: int) -> int:
        places = [list(CountDimension).index(part) for part in limit.per]
        begin = self._begin(limit, now)
        same = [(kept, second) for kept, second in self.kept if second >= begin]
        return Counter(tuple(kept[n] for n in places) for kept, _ in same)[
            tuple(parts[n] for n in places)
        ]

    def _begin(self, limit: Limit, now: int) -> int:
        if isinstance(limit.every, RollingWindow):
            return now - limit.every.seconds + 1
        offset = self.counting.utc_offset_s
        return (now + offset) // limit.every.length_s * limit.every.length_s - offset

    def _maximum(self, limit: Limit, now: int) -> int:
        if limit.holiday_maximum is None:
            return limit.maximum
        local = datetime.fromtimestamp(now, UTC) + timedelta(seconds=self.counting.utc_offset_s)
        return limit.holiday_maximum if CALENDAR.is_holiday(local.date()) else limit.maximum


PARTS = st.builds(
    message,
    destination=st.integers(SOMEBODY, SOMEBODY + 2),
    signature=st.sampled_from(["", "【甲】"]),
    template=st.sampled_from(["", "t"]),
    sender=st.sampled_from(["sp1", "sp2"]),
    source=st.sampled_from(["10690001", "10690002"]),
)
EVERY = st.sampled_from(list(Clock)) | st.sampled_from([1, 7, 61, 3600, 86400]).map(RollingWindow)
PER = st.lists(st.sampled_from(CountDimension), min_size=1, unique=True).map(tuple)
LIMITS = st.lists(
    st.builds(Limit, PER, st.integers(1, 4), EVERY),
    max_size=3,
    unique_by=lambda limit: (frozenset(limit.per), limit.every),
)
ON_HOLIDAYS = st.builds(
    Limit, PER, st.integers(1, 3), st.sampled_from(Clock), st.integers(1, 6)
).map(lambda limit: [limit])
STEPS = st.lists(
    st.tuples(
        PARTS, st.sampled_from([0, 0, 0, 1, 1, 6, 30, 60, 61, 3599, 3600, 43200, 86400, 200_000])
    ),
    max_size=60,
)
EVE = int(datetime(2013, 9, 30, 15, 59, 30, tzinfo=UTC).timestamp())


@given(
    limits=LIMITS | ON_HOLIDAYS,
    steps=STEPS,
    offset=st.sampled_from([0, 8 * 3600, -5 * 3600, 20700]),
    draw=st.data(),
)
def test_counts_agree_with_keeping_every_message(
    limits: list[Limit], steps: list[tuple[Parts, int]], offset: int, draw: st.DataObject
) -> None:
    counting = replace(COUNTING, utc_offset_s=offset)
    frequencies, naive, now = Frequencies(limits, counting), Naive(limits, counting), EVE

    for parts, step in steps:
        now += step
        assert frequencies.admit(parts, now + 0.9) == naive.admit(parts, now)
        if naive.kept and draw.draw(st.integers(0, 5)) == 0:
            kept, second = draw.draw(st.sampled_from(naive.kept))
            frequencies.forget(kept, second)
            naive.forget(kept, second)


@given(limits=LIMITS | ON_HOLIDAYS, steps=STEPS, size=st.integers(1, 9))
def test_many_counted_at_once_are_counted_as_if_one_by_one(
    limits: list[Limit], steps: list[tuple[Parts, int]], size: int
) -> None:
    at_once, one_by_one = (Frequencies(limits, COUNTING) for _ in range(2))
    now = EVE

    for first in range(0, len(steps), size):
        some = [parts for parts, _ in steps[first : first + size]]
        now += steps[first][1]
        found = [one_by_one.admit(parts, now) for parts in some]
        against = at_once.admit_all(some, now)
        assert dict(against) == {n: one for n, one in enumerate(found) if one is not None}
        # One by one, a key that holds nothing but what expired may be kept a while longer.
        assert at_once.keys <= one_by_one.keys


@pytest.mark.parametrize("size", [1, 2])
def test_a_counter_is_left_alone_by_messages_that_the_first_one_refuses_all(size: int) -> None:
    """Else what it holds would turn early, and what expired be kept a window longer."""
    once = Limit((CountDimension.DESTINATION,), 1, RollingWindow(3600))
    at_once, one_by_one = (
        Frequencies([once, Limit((CountDimension.TEMPLATE,), 9, RollingWindow(61))], COUNTING)
        for _ in range(2)
    )
    sent = ((0, SOMEBODY, "甲"), (60, SOMEBODY + 1, "甲"), (120, SOMEBODY + 1, "甲"))

    for second, destination, template in (*sent, (126, SOMEBODY + 2, "乙")):
        some = [message(destination, template=template)] * size
        at_once.admit_all(some, 6000 + second)
        for one in some:
            one_by_one.admit(one, 6000 + second)

    assert [frequencies.keys for frequencies in (at_once, one_by_one)] == [4, 4]


@pytest.mark.parametrize("every", [Clock.HOUR, RollingWindow(3600)])
def test_who_made_a_key_is_no_longer_charged_once_it_is_taken_back(
    every: Clock | RollingWindow,
) -> None:
    first, second = Limit(TO_SIGNED, 5, every), Limit((CountDimension.DESTINATION,), 1, every)
    frequencies = Frequencies([first, second], CounterTerms(capacity=4))
    shared = [message(sender=sender) for sender in ("sp1", "sp2", "sp2")]

    against = frequencies.admit_all(shared, 7200.0)

    assert dict(against) == {1: second, 2: second}
    assert [counter.shares.held_by("sp1") for counter in frequencies.counters] == [1, 1]
    assert [counter.shares.held_by("sp2") for counter in frequencies.counters] == [0, 0]


@given(limits=LIMITS, steps=STEPS, capacity=st.integers(1, 4))
def test_no_limit_ever_keeps_more_keys_than_it_may(
    limits: list[Limit], steps: list[tuple[Parts, int]], capacity: int
) -> None:
    frequencies, now = Frequencies(limits, CounterTerms(capacity)), EVE

    for parts, step in steps:
        now += step
        frequencies.admit(parts, now)
        assert frequencies.keys <= capacity * len(limits)
        assert keys_in_tables(frequencies) <= 2 * capacity * len(limits)
        assert retired_keys(frequencies) <= 2 * capacity * len(limits)


@pytest.mark.parametrize("every", [Clock.HOUR, ROLLING_DAY])
def test_taking_one_key_back_leaves_its_neighbours_in_the_group(
    every: Clock | RollingWindow,
) -> None:
    frequencies = Frequencies([Limit(TO_SIGNED, 1, every)], COUNTING)
    neighbours = [message(SOMEBODY + 64 * n) for n in range(2)]  # of one group
    for one in neighbours:
        frequencies.admit(one, 6000.0)

    frequencies.forget(neighbours[0], 6000.0)

    assert frequencies.keys == 1
    assert [frequencies.admit(one, 6001.0) is None for one in neighbours] == [True, False]
