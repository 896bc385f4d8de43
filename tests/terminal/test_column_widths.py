from hypothesis import given
from hypothesis import strategies as st

from gateway.terminal.screen import fitted

COLUMNS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), min_size=1, max_size=12)


def test_what_fits_is_left_alone() -> None:
    assert fitted([["id", "evidence"], ["1", "x" * 20]], 22) == [2, 20]


def test_words_stay_whole_and_sentences_are_folded() -> None:
    rows = [["number", "note"], ["138****8007", "by hand, for a while"]]

    assert fitted(rows, 20) == [11, 9]


def test_a_date_and_the_time_behind_it_may_be_kept_together() -> None:
    rows = [["since (UTC)", "note"], ["2026-11-26 07:23:00", "by hand, for a while"]]

    assert fitted(rows, 26, keeps_times=True) == [19, 7]
    assert fitted(rows, 26) == [13, 13]
    assert fitted(rows, 22, keeps_times=True) is None


def test_a_column_that_wants_little_gets_no_more() -> None:
    rows = [["no", "one two three four", "five six seven eight nine"]]

    assert fitted(rows, 32) == [2, 15, 15]


def test_han_may_be_folded_anywhere() -> None:
    assert fitted([["138****8007", "用户拒收后不得再发"]], 20) == [11, 9]


def test_a_han_character_that_leads_a_number_is_part_of_it() -> None:
    assert fitted([["粤B2-20200001", "用户拒收后不得再发"]], 20) == [13, 7]


def test_a_word_that_is_too_long_to_be_read_as_one_is_folded() -> None:
    assert fitted([["138****8007", "0123456789abcdef" * 4]], 30) == [11, 19]


def test_where_the_words_alone_do_not_fit_nothing_is_fitted() -> None:
    assert fitted([["138****8007", "138****8007"]], 20) is None


@given(COLUMNS, st.integers(1, 100))
def test_whatever_is_fitted_fits(columns: list[tuple[int, int]], room: int) -> None:
    row = [" ".join(["x" * word] * max(1, total // word)) for word, total in columns]

    widths = fitted([row], room)

    if widths is not None:
        assert sum(widths) <= room
        assert all(width <= max(len(cell), 2) for width, cell in zip(widths, row, strict=True))
