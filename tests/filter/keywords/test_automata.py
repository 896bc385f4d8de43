"""Automata, and the order of entries in which they are made."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.keywords import automata
from gateway.filter.keywords.automata import in_order

LETTERS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6)


@given(st.lists(LETTERS, min_size=1, max_size=30), st.integers(1, 40))
def test_each_entry_comes_once_and_those_that_begin_alike_together(
    letters: list[str], at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automata, "_MOVED_AT_ONCE", at_once)
        entries, ordered = in_order(letters)

    assert sorted(entries) == list(range(len(letters)))
    assert ordered == [letters[entry] for entry in entries]
    assert out_of_place(ordered) <= len(letters) // 10


def test_entries_that_nearly_are_in_order_stay_as_they_are() -> None:
    letters = ["贷款", *(f"代{number}" for number in range(30, 60)), "办证", *"发找招"]

    entries, ordered = in_order(letters)

    assert (list(entries), ordered) == (list(range(len(letters))), letters)
    assert out_of_place(letters) == 1


def out_of_place(letters: list[str]) -> int:
    return sum(after[:2] < one[:2] for one, after in pairwise(letters))
