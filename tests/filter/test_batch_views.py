"""Views made of many texts at once are those that are made of each alone."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter import batch_views
from gateway.filter.batch_views import views_of
from gateway.filter.normalise.folding import FULL_FOLDING, SYLLABLES
from gateway.filter.normalise.views import Views
from gateway.kernel.code_points import kinds_of_characters
from tests.kernel.forms import Form, in_both_forms

any_text = st.text(st.characters(exclude_categories=()), max_size=40)
# What closes up, what is spelt out and romanised, what folds to several characters or to none,
# acts on what stands before it, or is beyond the tables.
disguised = st.lists(
    st.sampled_from(
        [
            *("代", "开", "發", "票", "fa", "piao", "t", "td", "zhuang", "V", "x", "7"),
            *(" ", ",", "，", "。", "-", "_", "*", ".", "\n", "【", "】", "◆", "\u200b", "①", "ﷺ"),
            *("\u0301", "\u3099", "\ufe0f", "\U00020000", "\U0001f600", "\ud800", "\U0010ffff"),
        ]
    ),
    max_size=30,
).map("".join)


@in_both_forms
@given(texts=st.lists(disguised | any_text, max_size=5))
def test_a_text_among_others_is_read_as_it_is_alone(form: Form, texts: list[str]) -> None:
    with form():
        batch = views_of(texts)

    for text, seen in zip(texts, batch, strict=True):
        alone = Views(text)
        assert seen.raw == text
        assert seen.folded == alone.folded
        assert seen.letters == alone.letters
        assert seen.sound == alone.sound


@pytest.mark.parametrize(
    "text",
    [
        "代-开 发.票",
        "代---开",
        "代----开",
        "代\n开",
        "您 好,abc",
        "f-r-e-e money",
        "a - b",
        "dai开fa票",
        "开fa",
        "fa票",
        "开 fa",
        "fa 票",
        "开 piao",
        "piao 开",
        "回复TD退订",
        "ﷺ is one character",
        "e\u0301",
        "\U00020000",
        "a x",
        "x a b9",
        "ab cd",
        "",
    ],
)
@in_both_forms
def test_every_way_to_read_a_text_is_the_way_it_is_read_alone(form: Form, text: str) -> None:
    with form():
        (seen,) = views_of([text])

    alone = Views(text)
    assert (seen.folded, seen.letters, seen.sound) == (alone.folded, alone.letters, alone.sound)


def test_no_character_folds_to_one_that_has_no_class() -> None:
    # The loops look characters up without asking whether the table is that long.
    longest = max(ord(one) for entry in FULL_FOLDING.entries() for one in entry or "")

    assert longest < len(batch_views._CLASSES)
    assert len(batch_views._CLASSES) == len(batch_views._SOUNDS) == len(kinds_of_characters())


def test_every_syllable_has_a_letter_by_which_the_loops_know_it() -> None:
    # Romanised words without one are taken for abbreviations: TD, QX.
    assert all(set(syllable) & set("aeioumv") for syllable in SYLLABLES if len(syllable) > 1)


@pytest.mark.parametrize("piece", ["a.", "字", "代-", "ﷺ", "e\u0301", "fa票", "a b ", "\U00020000"])
def test_the_longest_payload_takes_no_square_of_its_length(piece: str) -> None:
    text = piece * (65_000 // len(piece))

    before = process_time()
    views_of([text])

    assert process_time() - before < 5.0  # a square of the length would take minutes
