"""Folding by tables says what folding by all of Unicode's rules says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.normalise.folding import (
    FULL_FOLDING,
    PLAIN_FOLDING,
    SIMPLIFYING,
    SYLLABLES,
    Folding,
    sound_of,
)
from gateway.filter.normalise.unicode_fold import fold_fully

any_text = st.text(st.characters(exclude_categories=()))
# Full width, an ellipsis, fillers, marks that compose and that do not, jamo, kana with its
# voice mark, Thai, mathematical letters, a variant of Han beyond the tables, a tag.
EDGES = "Ａ…\u200b\u0301\u0336\u0323\u1112\u1161\u11abｶﾞ\u0e38\u0e48𝐟𐐀\U0002f800\U000e0041aé代"
edge_text = st.text(st.sampled_from(EDGES), max_size=12)


@given(any_text)
def test_the_table_and_the_rules_agree(text: str) -> None:
    assert PLAIN_FOLDING.fold(text) == fold_fully(text)


@given(edge_text)
def test_the_table_and_the_rules_agree_where_characters_act_on_each_other(text: str) -> None:
    assert PLAIN_FOLDING.fold(text) == fold_fully(text)


@pytest.mark.parametrize("folding", [PLAIN_FOLDING, SIMPLIFYING, FULL_FOLDING])
@given(text=st.one_of(any_text, edge_text))
def test_folding_again_changes_nothing(folding: Folding, text: str) -> None:
    folded = folding.fold(text)

    assert folding.fold(folded) == folded


@given(st.one_of(any_text, edge_text))
def test_a_plain_text_is_simplified_as_the_text_it_is_of(text: str) -> None:
    for folding in (SIMPLIFYING, FULL_FOLDING):
        assert folding.fold(PLAIN_FOLDING.fold(text)) == folding.fold(text)


@given(st.one_of(any_text, edge_text))
def test_clusters_fold_to_the_whole(text: str) -> None:
    clusters = list(FULL_FOLDING.clusters(text))

    assert "".join(FULL_FOLDING.fold(text[a:b]) for a, b in clusters) == FULL_FOLDING.fold(text)
    assert "".join(text[a:b] for a, b in clusters) == text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ⅤⅠＰ代開發票", "vip代开发票"),
        ("раураӏ", "paypal"),
        ("ｖıаgrа", "viagra"),
        ("𝐕𝐈𝐏", "vip"),
        ("\U0002f800", "丽"),
        ("\U000e0041票", "票"),
    ],
)
def test_one_spelling_comes_of_all_disguises(text: str, folded: str) -> None:
    assert FULL_FOLDING.fold(text) == folded


def test_what_is_read_alike_is_one_character() -> None:
    assert sound_of("发票") == sound_of("法漂") == sound_of("罚飘")
    assert sound_of("发票") != sound_of("发牌")


@given(any_text)
def test_the_sound_is_as_long_as_the_text_and_sounds_like_itself(text: str) -> None:
    folded = FULL_FOLDING.fold(text)
    sound = sound_of(folded)

    assert len(sound) == len(folded)
    assert sound_of(sound) == sound


def test_each_syllable_is_heard_in_the_character_that_stands_for_it() -> None:
    assert len(SYLLABLES) > 380
    assert len(set(SYLLABLES.values())) == len(SYLLABLES)
    assert all(syllable.isalpha() and syllable.isascii() for syllable in SYLLABLES)
