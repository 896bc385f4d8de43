"""Sorted numbers with signposts, against Python's own set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import number_set
from gateway.policy.number_set import SortedNumbers
from tests.kernel.forms import Form, in_both_forms

NUMBERS = st.one_of(
    st.integers(0, 60), st.integers(2**31 - 9, 2**31 + 9), st.integers(0, 2**32 - 1)
)
CHANGES = st.lists(st.tuples(st.booleans(), st.lists(NUMBERS, max_size=60)), max_size=8)


@pytest.mark.parametrize("max_astray", [0, 3, 1000])
@pytest.mark.parametrize("few", [0, 1000])
@given(CHANGES)
def test_they_hold_what_a_set_would_hold(
    few: int, max_astray: int, changes: list[tuple[bool, list[int]]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_set, "_FEW", few)
        patch.setattr(number_set, "_MAX_ASTRAY", max_astray)
        patch.setattr(number_set, "_PER_SIGN_BITS", 1)
        held, expected = SortedNumbers(), set[int]()

        for is_added, changed in changes:
            if is_added:
                held.update(changed)
                expected.update(changed)
            else:
                held.difference_update(changed)
                expected.difference_update(changed)

            asked = expected.union(*(some for _, some in changes))
            assert {one for one in asked if held.has(one)} == expected
            assert list(held.lows) == sorted(expected)
            assert len(held) == len(expected)


@in_both_forms
@given(st.lists(NUMBERS, max_size=300), st.lists(NUMBERS, max_size=20))
def test_numbers_of_a_tick_are_found_as_each_alone(
    form: Form, numbers: list[int], later: list[int]
) -> None:
    held = SortedNumbers(numbers)
    for one in later:
        held.update([one])
        held.difference_update([one + 1])
    asked = sorted({near for one in (*numbers, *later) for near in (one, one ^ 1)})
    found = np.zeros(len(asked), np.bool_)

    with form():
        held.find(np.array([7 << 32 | one for one in asked], np.uint64), 7, found)
        held.find(np.array([8 << 32 | one for one in asked], np.uint64), 7, ~found)

    assert found.tolist() == [held.has(one) for one in asked]


def test_thousands_that_come_and_go_one_by_one_are_all_found() -> None:
    numbers = [n * 2_654_435_761 % 2**32 for n in range(6_000)]
    held = SortedNumbers(numbers[:4_000])

    for gone, new in zip(numbers[:2_000], numbers[4_000:], strict=True):
        held.difference_update([gone])
        held.update([new])

    assert all(held.has(one) for one in numbers[2_000:])
    assert not any(held.has(one) for one in numbers[:2_000])
