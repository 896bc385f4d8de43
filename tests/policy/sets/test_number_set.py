"""The set of numbers against Python's own, in small and in large parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import number_set
from gateway.policy.number_set import NumberSet

# Few enough to collide, on both sides of the cut at 2**32, and of any size.
NUMBERS = st.one_of(st.integers(0, 80), st.integers(2**32 - 40, 2**32 + 40), st.integers(0, 10**15))
MANY = st.lists(NUMBERS, max_size=100)
CHANGES = st.lists(st.tuples(st.booleans(), MANY), max_size=8)


@pytest.mark.parametrize("few", [0, 3, 1000])
@pytest.mark.parametrize("rows_from", [1, 20, 1 << 19])
@pytest.mark.parametrize("many", [0, 8])
@given(CHANGES, MANY)
def test_it_holds_what_a_set_would_hold(
    many: int,
    rows_from: int,
    few: int,
    changes: list[tuple[bool, list[int]]],
    others: list[int],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_set, "_ROWS_FROM", rows_from)
        patch.setattr(number_set, "_MANY", many)
        patch.setattr(number_set, "_FEW", few)
        numbers, expected = NumberSet(), set[int]()

        for is_added, changed in changes:
            if is_added:
                numbers.update(changed)
                expected.update(changed)
            else:
                numbers.difference_update(changed)
                expected.difference_update(changed)

        asked = set(others).union(*(changed for _, changed in changes))
        assert {number for number in asked if number in numbers} == asked & expected
        each = sorted(asked)
        assert list(numbers.among(each)) == [number in expected for number in each]
        assert len(numbers) == len(expected)


def test_a_snapshot_in_order_is_held_whole() -> None:
    numbers = NumberSet()

    for start in range(0, 1000, 100):
        numbers.update(range(start, start + 100))

    assert len(numbers) == 1000
    assert all(number in numbers for number in range(1000))
    assert 1000 not in numbers


def test_a_number_is_not_taken_for_one_with_other_high_digits() -> None:
    numbers = NumberSet([8613800138000])

    assert 8613800138000 in numbers
    assert 8613800138000 + 2**32 not in numbers
    assert 8613800138000 % 2**32 not in numbers
