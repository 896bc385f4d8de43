"""Rows of numbers by their hash, against Python's own set."""

from importlib.util import find_spec, module_from_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel import number_rows
from gateway.kernel.number_rows import NumberRows
from tests.kernel.forms import Form, in_both_forms

NUMBERS = st.one_of(
    st.integers(0, 60), st.integers(2**31 - 9, 2**31 + 9), st.integers(0, 2**32 - 1)
)
CHANGES = st.lists(st.tuples(st.booleans(), st.lists(NUMBERS, max_size=60)), max_size=8)


@in_both_forms
@given(CHANGES)
def test_they_hold_what_a_set_would_hold(form: Form, changes: list[tuple[bool, list[int]]]) -> None:
    held, expected = NumberRows([]), set[int]()

    with form():
        for is_added, changed in changes:
            if is_added:
                held.update(changed)
                expected.update(changed)
            else:
                held.difference_update(changed)
                expected.difference_update(changed)

            asked = sorted(expected.union(*(some for _, some in changes)))
            assert {one for one in asked if held.has(one)} == expected
            assert found(held, asked, 7) == [one in expected for one in asked]
            assert not any(found(held, asked, 8))
            assert len(held) == len(expected)


@in_both_forms
def test_a_row_that_is_full_gets_room(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_rows, "_ROOM", 1)
    held = NumberRows([])

    with form():
        held.update(range(3_000))  # in 65 536 rows: some meet
        held.difference_update(range(0, 4_000, 2))

    assert [one for one in range(4_000) if held.has(one)] == list(range(1, 3_000, 2))


def test_a_row_that_is_full_gets_room_and_loses_nothing() -> None:
    numbers = range(0, 4_000_000_000, 1_000)  # sixty in each row
    held = NumberRows(numbers)

    held.difference_update(numbers[::2])

    assert len(held) == 2_000_000
    assert all(held.has(one) for one in numbers[1:40_000:2])
    assert not any(held.has(one) for one in numbers[0:40_000:2])
    assert not any(held.has(one + 1) for one in numbers[:40_000])


def test_numbers_in_a_pattern_fill_the_rows_evenly() -> None:
    for step in (1, 10, 1 << 12):
        held = NumberRows(range(0, 600_000 * step, step))

        assert held.octets < 10 * 600_000


def found(held: NumberRows, lows: list[int], high: int) -> list[bool]:
    """Ask for all of them at once, each under the high bits 7."""
    answers = np.zeros(len(lows), np.bool_)
    held.find(np.array([7 << 32 | low for low in lows], np.uint64), high, answers)
    return [bool(each) for each in answers]


def test_the_seed_is_another_each_time_the_module_is_loaded() -> None:
    spec = find_spec(number_rows.__name__)
    assert spec is not None
    assert spec.loader is not None
    again = module_from_spec(spec)
    spec.loader.exec_module(again)

    assert again._SEED != number_rows._SEED
