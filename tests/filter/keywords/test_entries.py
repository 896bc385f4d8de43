"""The words of a list as they are looked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.keywords.index import word_id
from gateway.filter.keywords.search import closed_up
from gateway.filter.normalise.folding import begin_run_on, compact, is_run_on
from gateway.filter.normalise.views import Views

# Any word that is one: what a line may hold, and what NFKC and the look-alikes change.
WORDS = st.text(
    st.one_of(
        st.sampled_from("代開发票Ｖ信𝓪①½ﬁ٣가か\n .…_-"),
        st.characters(exclude_categories=("M", "C", "Z")),
    ),
    min_size=1,
    max_size=12,
)


@given(st.lists(WORDS, max_size=8))
def test_words_closed_up_together_are_as_each_is_alone(words: list[str]) -> None:
    views = [Views(word.replace("\n", " ")) for word in words]

    assert closed_up(words, by_sound=False) == [view.letters for view in views]
    assert closed_up(words, by_sound=True) == [compact(view.sound) for view in views]


def test_of_many_words_each_is_closed_up() -> None:
    words = [f"代{number}开" for number in range(1_200)]
    words[700] = "代 开-发\n票"

    assert closed_up(words, by_sound=False) == [*words[:700], "代开发票", *words[701:]]


@pytest.mark.parametrize(
    ("letters", "is_so"),
    [
        ("发票", True),
        ("vip客服", True),
        ("加vx", True),
        ("가나", True),
        ("vip", False),
        ("é", False),
    ],
)
def test_a_script_without_spaces_is_known_wherever_it_stands(
    letters: str,
    is_so: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert is_run_on(letters) is is_so


def test_nothing_is_of_no_script() -> None:
    assert not is_run_on("")
    assert not begin_run_on(["发票", ""])


@given(st.lists(WORDS, max_size=8))
def test_words_that_begin_so_are_of_a_script_without_spaces(words: list[str]) -> None:
    letters = closed_up(words, by_sound=False)

    assert begin_run_on(letters) is all(is_run_on(one[:1]) for one in letters)


def test_an_entry_has_an_id_that_neither_order_nor_list_changes() -> None:
    assert word_id("代开发票") == word_id("代开发票") == "3c2e966"
    assert word_id("代开发票") != word_id("代开…发票")
    assert len({word_id(f"word {number}") for number in range(1000)}) == 1000
