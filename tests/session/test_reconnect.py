"""Waits before the SMSC is dialled again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.timers import reconnect_delay_s

fractions = st.floats(0, 1, exclude_max=True)


def test_the_wait_doubles_from_a_tenth_of_a_second_to_the_maximum() -> None:
    waits = [reconnect_delay_s(attempt, 15, 0.0) for attempt in range(10)]

    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15, 15])


def test_links_lost_together_do_not_come_back_together_even_at_the_maximum() -> None:
    waits = {reconnect_delay_s(50, 15, hundredth / 100) for hundredth in range(100)}

    assert len(waits) == 100
    assert min(waits) < 8
    assert max(waits) == 15


@given(st.integers(0, 10**9), st.floats(0.1, 3600), fractions)
def test_no_wait_is_past_the_maximum_or_under_half_of_the_first(
    attempt: int, maximum_s: float, fraction: float
) -> None:
    wait_s = reconnect_delay_s(attempt, maximum_s, fraction)

    assert 0.05 <= wait_s <= maximum_s


@given(st.integers(0, 100), st.floats(0.1, 3600), fractions)
def test_the_wait_never_shrinks_with_the_attempts(
    attempt: int, maximum_s: float, fraction: float
) -> None:
    earlier_s = reconnect_delay_s(attempt, maximum_s, fraction)
    later_s = reconnect_delay_s(attempt + 1, maximum_s, fraction)

    assert earlier_s <= later_s
