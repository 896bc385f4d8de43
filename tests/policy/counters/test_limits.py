"""Limits as data."""

from collections.abc import Callable

import pytest

from gateway.domain.policy import DAY_S, MAX_ROLLING, Clock, CountDimension, Limit, RollingWindow
from gateway.policy.counters import CounterTerms

TO = (CountDimension.DESTINATION,)


def test_clock_windows_are_as_long_as_they_are_called() -> None:
    assert [clock.length_s for clock in Clock] == [60, 3600, DAY_S]


def test_the_largest_limits_can_be_made() -> None:
    assert Limit(TO, MAX_ROLLING, RollingWindow(31 * DAY_S)).maximum == 1000
    assert Limit(tuple(CountDimension), 10**9, Clock.DAY, holiday_maximum=1).per == tuple(
        CountDimension
    )
    assert CounterTerms(1, -DAY_S + 1).capacity == 1


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Limit((), 1, Clock.DAY), "per: "),
        (lambda: Limit((CountDimension.SENDER, CountDimension.SENDER), 1, Clock.DAY), "per: "),
        (lambda: Limit(TO, 0, Clock.DAY), "maximum: must be at least 1"),
        (lambda: Limit(TO, 1, Clock.DAY, 0), "maximum: must be at least 1"),
        (lambda: Limit(TO, MAX_ROLLING + 1, RollingWindow(60)), "counts to 1000 at most"),
        (lambda: Limit(TO, 1, RollingWindow(60), 5), "holiday_maximum: "),
        (lambda: RollingWindow(0), "seconds: "),
        (lambda: RollingWindow(31 * DAY_S + 1), "seconds: "),
        (lambda: CounterTerms(0), "capacity: "),
        (lambda: CounterTerms(1, DAY_S), "utc_offset_s: "),
        (lambda: CounterTerms(1, -DAY_S), "utc_offset_s: "),
    ],
)
def test_a_limit_that_means_nothing_cannot_be_made(
    make: Callable[[], object], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        make()
