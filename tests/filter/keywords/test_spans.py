"""Where words stand in a text that was closed up."""

import pytest

from gateway.filter.keywords.combinations import _are_spelt_out
from gateway.filter.keywords.index import _place_in


@pytest.mark.parametrize(
    ("cuts", "is_spelt"),
    [
        ([1, 2, 3], True),  # b u y n: every letter by itself
        ([2], True),  # by + nw: each word whole
        ([1, 3], False),  # an end of a word is no cut
        ([1, 2], True),  # b y nw: the first in letters, the second whole
    ],
)
def test_words_in_single_letters_are_told_from_words_cut_at_random(
    cuts: list[int], *, is_spelt: bool
) -> None:
    assert _are_spelt_out(cuts, [0, 2, 4]) is is_spelt


def test_what_is_not_the_order_on_the_screen_of_any_text_keeps_its_place() -> None:
    assert _place_in(["a\u202ebc\u202c"], "another", (0, 3)) == (0, 3)
