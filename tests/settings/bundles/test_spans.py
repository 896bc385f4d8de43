"""Times as people write them in rules."""

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.policy import Clock, RollingWindow
from gateway.settings.bundles.check_fields import parse_duration, parse_every, parse_hours


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    ["", "30", "m", "30 m", "-1h", "0s", "1.5h", "1w", "9999999s", "٣٠m", 30, 1.5, None, True, []],
)
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="must be a duration in quotes"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "opens", "closes"),
    [
        ("08:00-21:00", time(8), time(21)),
        ("22:00-08:00", time(22), time(8)),
        ("08:30-24:00", time(8, 30), time()),
        ("00:00-24:00", time(), time()),
        ("00:00-00:01", time(), time(0, 1)),
    ],
)
def test_hours_are_two_times_in_one_text(text: str, opens: time, closes: time) -> None:
    assert parse_hours(text) == (opens, closes)


@pytest.mark.parametrize(
    "value",
    ["08:00", "8:00-21:00", "08:00 - 21:00", "08:00–21:00", "0800-2100", 1260, 21.0, None, [8, 21]],
)
def test_r40_the_trap_that_yaml_sets_for_hours_is_named(value: object) -> None:
    with pytest.raises(ValueError, match=r"in quotes.*take 21:00 for 1260"):
        parse_hours(value)


@pytest.mark.parametrize("text", ["25:00-26:00", "08:60-21:00", "24:00-08:00", "08:00-24:01"])
def test_hours_that_no_clock_shows_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be times from 00:00 to 24:00"):
        parse_hours(text)


@pytest.mark.parametrize("text", ["08:00-08:00", "00:00-00:00"])
def test_hours_that_end_as_they_begin_could_be_none_or_all(text: str) -> None:
    with pytest.raises(ValueError, match="never opens"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("minute", Clock.MINUTE),
        ("day", Clock.DAY),
        ("rolling 24h", RollingWindow(86_400)),
        ("rolling 90s", RollingWindow(90)),
    ],
)
def test_r42_a_limit_counts_by_the_clock_or_in_a_time_that_moves_along(
    text: str, every: Clock | RollingWindow
) -> None:
    assert parse_every(text) == every


@pytest.mark.parametrize(
    "value", ["week", "24h", "rolling", "rolling 24", "rolling 99d", "Rolling 24h", 60, None]
)
def test_anything_else_is_nothing_to_count_in(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_every(value)


@given(st.one_of(st.text(max_size=12), st.integers(), st.none()))
def test_anything_is_read_or_refused(value: object) -> None:
    for parse in (parse_duration, parse_hours, parse_every):
        try:
            parse(value)
        except ValueError as error:
            assert str(error)
