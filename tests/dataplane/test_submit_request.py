"""The work that a message is charged for."""

from gateway.dataplane.submit_request import Care


def test_the_characters_of_every_reading_count() -> None:
    care = Care(readings=("周末大促", "abc"), rivals=(("ab",), ("c", "d")))

    assert care.characters() == 4 + 3 + 2 + 1 + 1


def test_a_text_with_marks_of_direction_counts_three_times() -> None:
    care = Care(readings=("\u202e促大末周\u202c", "abc"))

    assert care.characters() == 3 * 6 + 3


def test_a_text_that_may_be_read_in_other_ways_counts_once_for_each() -> None:
    assert Care(readings=("①折",)).characters() == 3 * 2
    assert Care(readings=("\u202e折①\u202c",)).characters() == 3 * 3 * 4
