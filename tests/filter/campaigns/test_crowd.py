"""Counting people within a sliding window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.campaigns import BITS, SLOTS, Crowd, bit_of

FIRST = 8613800000000


def crowd_of(people: int) -> Crowd:
    crowd = Crowd(0)
    for number in range(people):
        crowd.add(0, bit_of(FIRST + number))
    return crowd


def test_nobody_is_nobody() -> None:
    assert (Crowd(0).people(), Crowd(0).people_in_newest()) == (0, 0)


def test_somebody_who_got_it_ten_times_is_one() -> None:
    crowd = Crowd(0)
    for _ in range(10):
        crowd.add(0, bit_of(FIRST))

    assert (crowd.people(), crowd.people_in_newest()) == (1, 1)


@pytest.mark.parametrize(("people", "share"), [(1, 0), (20, 0.05), (1_000, 0.05), (5_000, 0.12)])
def test_a_crowd_is_estimated(people: int, share: float) -> None:
    assert crowd_of(people).people() == pytest.approx(people, rel=share)


def test_a_crowd_too_large_to_tell_is_as_large_as_its_messages() -> None:
    crowd = crowd_of(50_000)

    assert crowd.people() == 50_000


def test_there_are_never_more_people_than_messages() -> None:
    assert all(crowd_of(people).people() <= people for people in range(200))


def test_who_got_it_before_the_window_counts_no_more() -> None:
    crowd = crowd_of(5)
    for slot in range(1, SLOTS):
        crowd.add(slot, bit_of(FIRST))
    assert (crowd.people(), crowd.people_in_newest()) == (5, 1)

    crowd.add(SLOTS, bit_of(FIRST))

    assert crowd.people() == 1


def test_after_a_long_rest_a_crowd_begins_anew() -> None:
    for rest in range(SLOTS, 3 * SLOTS):
        crowd = Crowd(0)
        for slot in range(SLOTS):
            crowd.add(slot, bit_of(FIRST + slot))
        crowd.add(SLOTS - 1 + rest, bit_of(FIRST + 9))

        assert (crowd.people(), crowd.newest) == (1, SLOTS - 1 + rest)


def test_a_message_from_the_past_counts_as_the_newest() -> None:
    crowd = Crowd(10)
    crowd.add(3, bit_of(FIRST))

    assert (crowd.people(), crowd.newest) == (1, 10)


@given(st.integers(0, 10**15))
def test_every_number_is_one_bit(number: int) -> None:
    bit = bit_of(number)

    assert bit.bit_count() == 1
    assert bit.bit_length() <= BITS


def test_a_clock_that_was_far_ahead_and_is_put_right_begins_anew() -> None:
    crowd = Crowd(1_000)
    for number in range(20):
        crowd.add(1_000, bit_of(number))

    crowd.add(10, bit_of(99))

    assert (crowd.people(), crowd.newest) == (1, 10)
