"""Hostile texts in pieces: nothing unseen is sent as it is, and nothing is lost."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.normalise.unicode_fold import FILLERS
from gateway.systems.quarantine.text_pieces import PieceKind, ShownText, shown_text

TEXTS = st.text() | st.text("a贷\u200b\u202e\u0301\ufe0f \n\u3000\t", max_size=40)
PLACES = st.lists(st.tuples(st.integers(-3, 45), st.integers(-3, 45)), max_size=6)


def told(shown: ShownText) -> list[tuple[str, str]]:
    return [(str(one.kind), one.text) for one in shown.pieces]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("您好 \n再见", [("plain", "您好 \n再见")]),
        ("贷\u200b款", [("plain", "贷"), ("box", "ZWSP"), ("plain", "款")]),
        ("\u202e\u202e\u202dx", [("box", "RLO ×2"), ("box", "LRO"), ("plain", "x")]),
        ("a\u00a0b\t", [("plain", "a"), ("box", "NBSP"), ("plain", "b"), ("box", "TAB")]),
        ("\ud800\U000e0041", [("box", "U+D800"), ("box", "U+E0041")]),
        ("e\u0301", [("plain", "e\u0301")]),
        ("e" + "\u0301" * 6, [("plain", "e" + "\u0301" * 4), ("box", "U+0301 ×2")]),
        ("全\u3000角", [("plain", "全\u3000角")]),
        ("\u3164\u2800", [("box", "U+3164"), ("box", "U+2800")]),
        ("<b>&amp;", [("plain", "<b>&amp;")]),
    ],
)
def test_what_does_not_show_becomes_a_box_with_its_name(
    text: str, pieces: list[tuple[str, str]]
) -> None:
    assert told(shown_text(text)) == pieces


def test_evidence_is_marked_through_what_hides_it() -> None:
    shown = shown_text("办贷\u200b款吗", [(1, 4)])

    assert told(shown) == [
        ("plain", "办"),
        ("evidence", "贷"),
        ("box", "ZWSP"),
        ("evidence", "款"),
        ("plain", "吗"),
    ]
    assert [one.is_evidence for one in shown.pieces] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("places", "marked"),
    [
        ([(0, 2), (2, 3)], ["abc"]),
        ([(4, 6), (0, 1)], ["a", "ef"]),
        ([(0, 4), (1, 2)], ["abcd"]),
        ([(-5, 1), (5, 99)], ["a", "f"]),
        ([(3, 3), (5, 2), (7, 9)], []),
    ],
)
def test_places_may_touch_overlap_and_miss(
    places: list[tuple[int, int]], marked: list[str]
) -> None:
    shown = shown_text("abcdef", places)

    assert [one.text for one in shown.pieces if one.kind is PieceKind.EVIDENCE] == marked


def test_a_very_long_text_is_cut_and_says_so() -> None:
    shown = shown_text("长" * 70_000, [(69_000, 69_002)], limit=100)

    assert (told(shown), shown.left) == ([("plain", "长" * 100)], 69_900)


@given(TEXTS, PLACES)
def test_no_unseen_character_is_ever_sent(text: str, places: list[tuple[int, int]]) -> None:
    for piece in shown_text(text, places).pieces:
        assert piece.text
        assert not FILLERS.search(piece.text)
        unseen = {unicodedata.category(one) for one in piece.text if one not in " \n\u3000"}
        assert not unseen & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}


@given(TEXTS, PLACES)
def test_what_shows_stays_in_its_order(text: str, places: list[tuple[int, int]]) -> None:
    pieces = shown_text(text, places).pieces
    plain = "".join(one.text for one in shown_text(text).pieces if one.kind is PieceKind.PLAIN)

    assert "".join(one.text for one in pieces if one.kind is not PieceKind.BOX) == plain
