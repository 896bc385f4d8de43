from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.optout_notices.service import LONGEST_PAUSE, pause_after


def test_the_first_pause_is_a_second_and_each_is_twice_the_one_before() -> None:
    pauses = [pause_after(attempts, 0).total_seconds() for attempts in range(1, 6)]

    assert pauses == [1, 2, 4, 8, 16]


def test_no_pause_is_longer_than_a_quarter_of_an_hour() -> None:
    assert pause_after(10, 0) == timedelta(seconds=512)
    assert pause_after(11, 0) == LONGEST_PAUSE == timedelta(minutes=15)
    assert pause_after(10**9, 0) == LONGEST_PAUSE


def test_webhooks_that_failed_together_are_not_tried_together() -> None:
    assert pause_after(11, 1) == timedelta(seconds=675)
    assert pause_after(5, 0.5) == timedelta(seconds=14)


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_every_pause_lies_between_a_second_and_a_quarter_of_an_hour(
    attempts: int, jitter: float
) -> None:
    assert timedelta(seconds=1) <= pause_after(attempts, jitter) <= LONGEST_PAUSE
