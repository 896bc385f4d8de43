"""Counting people within a sliding window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.crowd import BITS, SLOTS, Crowd, bit_of

FIRST = 8613800000000


def crowd_of(people: int, *, without: int = 0) -> Crowd:
    crowd = Crowd(0)
    for number in range(people):
        crowd.add(0, bit_of(FIRST + number), has_consent=number >= without)
    return crowd


def test_nobody_is_nobody() -> None:
    assert (Crowd(0).people(), Crowd(0).without_consent()) == (0, 0)


def test_somebody_who_got_it_ten_times_is_one() -> None:
    crowd = Crowd(0)
    for _ in range(10):
        crowd.add(0, bit_of(FIRST), has_consent=False)

    assert (crowd.people(), crowd.without_consent()) == (1, 1)


@pytest.mark.parametrize(("people", "share"), [(1, 0), (20, 0.05), (1_000, 0.05), (5_000, 0.12)])
def test_a_crowd_is_estimated(people: int, share: float) -> None:
    crowd = crowd_of(people, without=people // 2)

    assert crowd.people() == pytest.approx(people, rel=share)
    assert crowd.without_consent() == pytest.approx(people // 2, rel=max(share, 0.05))


def test_a_crowd_too_large_to_tell_is_as_large_as_its_messages() -> None:
    crowd = crowd_of(50_000)

    assert crowd.people() == 50_000


def test_there_are_never_more_people_than_messages() -> None:
    assert all(crowd_of(people).people() <= people for people in range(200))


def test_who_got_it_before_the_window_counts_no_more() -> None:
    crowd = crowd_of(5, without=5)
    for slot in range(1, SLOTS):
        crowd.add(slot, bit_of(FIRST), has_consent=True)
    assert crowd.people() == 5

    crowd.add(SLOTS, bit_of(FIRST), has_consent=True)

    assert (crowd.people(), crowd.without_consent()) == (1, 0)


def test_after_a_long_rest_a_crowd_begins_anew() -> None:
    for rest in range(SLOTS, 3 * SLOTS):
        crowd = Crowd(0)
        for slot in range(SLOTS):
            crowd.add(slot, bit_of(FIRST + slot), has_consent=True)
        crowd.add(SLOTS - 1 + rest, bit_of(FIRST + 9), has_consent=True)

        assert (crowd.people(), crowd.newest) == (1, SLOTS - 1 + rest)


def test_a_message_from_the_past_counts_as_the_newest() -> None:
    crowd = Crowd(10)
    crowd.add(3, bit_of(FIRST), has_consent=True)

    assert (crowd.people(), crowd.newest) == (1, 10)


def test_a_copy_goes_its_own_way() -> None:
    crowd = crowd_of(3, without=2)
    twin = crowd.copy()
    twin.add(0, bit_of(FIRST + 7), has_consent=False)

    assert (crowd.people(), crowd.without_consent()) == (3, 2)
    assert (twin.people(), twin.without_consent()) == (4, 3)


@given(st.integers(0, 10**15))
def test_every_number_is_one_bit(number: int) -> None:
    bit = bit_of(number)

    assert bit.bit_count() == 1
    assert bit.bit_length() <= BITS


def test_a_clock_that_was_far_ahead_and_is_put_right_begins_anew() -> None:
    crowd = Crowd(1_000)
    for number in range(20):
        crowd.add(1_000, bit_of(number), has_consent=False)

    crowd.add(10, bit_of(99), has_consent=False)

    assert (crowd.people(), crowd.without_consent(), crowd.newest) == (1, 1, 10)
