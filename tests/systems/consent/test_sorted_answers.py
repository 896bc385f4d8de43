import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.consent.cli.answer_import import SortedAnswers, SpoolError
from gateway.systems.consent.sql import PlainAnswer

ROWS = st.lists(
    st.tuples(
        st.integers(1, 10**15 - 1),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        st.sampled_from(["refused", "agreed"]),
        st.integers(0, 2**60),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        st.none(),
    ),
    max_size=30,
)


@given(ROWS, ROWS, st.integers(1, 7))
def test_answers_come_back_whole_in_the_order_of_number_and_scope(
    first: list[PlainAnswer], second: list[PlainAnswer], size: int
) -> None:
    answers = SortedAnswers()
    answers.add(first)
    answers.add(second)

    batches = list(answers.batches(size))
    answers.close()

    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == sorted(first + second)
    keys = [(row[0], row[1].encode()) for row in rows]
    assert keys == sorted(keys)
    assert all(len(batch) == size for batch in batches[:-1])


def test_a_disk_without_room_is_said_in_words() -> None:
    answers = SortedAnswers()
    answers._file.execute("PRAGMA max_page_count=10")
    row: PlainAnswer = (8613800138000, "sp1", "refused", 0, "x" * 64, "", None)

    with pytest.raises(SpoolError, match="full"):
        answers.add([row] * 10_000)

    answers.close()


def test_a_file_that_is_gone_is_said_in_words() -> None:
    answers = SortedAnswers()
    answers.close()

    with pytest.raises(SpoolError) as raised:
        list(answers.batches(1))

    assert isinstance(raised.value.__cause__, sqlite3.Error)
