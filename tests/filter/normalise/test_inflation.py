"""Texts that would become many times as long."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.normalise.folding import compact, normalise
from gateway.filter.normalise.shapes import deflated, is_inflated


def composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


# Characters that NFKC writes out as three and more, but for the ellipsis.
SWELLING = [
    character
    for code in range(0x110000)
    if unicodedata.decomposition(character := chr(code))
    and len(composed(composed(character).casefold())) > 2
    and character != "…"
]


@pytest.mark.parametrize("character", ["\ufdfa", "\ufdfb", "㌖", "⑽", "㎯", "¾", "⁗"])
def test_a_payload_of_characters_that_swell_stays_as_long_as_it_is(character: str) -> None:
    text = f"代开{character * 32_000}发票"

    assert is_inflated(text)
    assert normalise(deflated(text)) == "代开发票"


def test_every_character_that_swells_is_known_to() -> None:
    assert len(SWELLING) > 400
    assert [c for c in SWELLING if not is_inflated(c * 2_000)] == []


@pytest.mark.parametrize(
    "text",
    [
        "\ufdfa" * 56,
        "…" * 32_000,
        "好" * 32_000,
        "ﬁ①" * 16_000,
        "(株)" * 10_000,
        "㈱" * 200 + "好" * 2_000,
        "free " * 10_000,
    ],
)
def test_a_short_text_and_one_that_does_not_swell_are_not_inflated(text: str) -> None:
    assert not is_inflated(text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*SWELLING, "…", "好", "a", "\u0301", "-", "\u200b"]),
            st.sampled_from([1, 30, 256, 257, 4_000]),
        ),
        max_size=6,
    )
)
def test_no_text_becomes_much_longer_than_it_is(runs: list[tuple[str, int]]) -> None:
    text = "".join(character * count for character, count in runs)

    plain = normalise(deflated(text) if is_inflated(text) else text)

    assert len(plain) <= 3 * len(text) + 18 * 1_000


# What is left of the worst texts there are takes some ten milliseconds each.
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "text",
    [
        "\ufdfa" * 32_000,
        "a" + "\u0301" * 65_000,
        "a\u0301" * 32_000,
        "代" + "-" * 32_000 + "开",
        "代-.-" * 8_000,
        "（" * 16_000 + "）" * 16_000,
        "\u1161" * 32_000,
    ],
    ids=["ligatures", "marks", "letters and marks", "a rule", "separators", "nested", "jamo"],
)
def test_the_worst_texts_take_linear_time(text: str) -> None:
    for _ in range(20):
        compact(normalise(deflated(text) if is_inflated(text) else text))
