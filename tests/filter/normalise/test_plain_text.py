"""A text in one spelling."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.normalise.folding import compact, folded, normalise, simplified

any_text = st.text(st.characters(exclude_categories=()))
# Characters that act on their neighbours: marks, jamo, what decomposes, what is invisible.
acting_text = st.text(
    st.sampled_from(
        [
            character
            for code in range(0x20000)
            if unicodedata.combining(character := chr(code))
            or unicodedata.decomposition(character)
            or unicodedata.category(character) in {"Mn", "Mc", "Cf"}
        ]
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", ""),
        ("Free MONEY", "free money"),
        ("fr\x00e\x1be\x7f", "free"),
        ("free\tmoney\r\n\x0bnow", "free\tmoney\r\n\x0bnow"),
        ("代开发票，税点：低！", "代开发票,税点:低!"),
        ("ＦＲＥＥ１２３", "free123"),
        ("代\u3000开", "代 开"),
        ("代\u200b开\u2060发\ufeff票", "代开发票"),
        ("代\u202e开\u2066发\u00ad票", "代开发票"),
        ("代\ufe0f开\U000e0101发\U000e0041票", "代开发票"),
        ("代\u3164开\u115f发\uffa0票\u2800", "代开发票"),
        ("c\u0336a\u0336s\u0336i\u0336n\u0336o", "casino"),
        ("1\ufe0f\u20e3", "1"),
        ("①②③", "123"),
        ("㈱", "(株)"),
        ("Straße", "strasse"),
        ("ﬁnance", "finance"),
        ("cafe\u0301", "café"),
        ("cafe\u200b\u0301", "café"),
        ("caf\u00e9", "café"),
        ("\u0627\u0300\u0653", "\u0622"),
        ("İstanbul", "istanbul"),
        ("ｶﾞｽ", "ガス"),
        ("カ゛ハ゜", "ガパ"),
        ("שָׁלוֹם", "שלום"),
        ("ка\u0489зино", "казино"),
        ("恭喜😊❤️中奖……", "恭喜😊❤中奖......"),
    ],
)
def test_the_plain_view_shows_what_a_reader_takes_it_for(text: str, plain: str) -> None:
    assert normalise(text) == plain


def test_a_filler_does_not_keep_a_syllable_apart() -> None:
    assert normalise("\u1112\u200b\u1161\u2060\u11ab") == "한"


def test_every_format_character_and_control_goes() -> None:
    kept = [
        code
        for code in range(0x110000)
        if unicodedata.category(character := chr(code)) in {"Cf", "Cc"}
        and not character.isspace()
        and normalise(character)
    ]

    assert kept == []


def test_every_character_that_shows_is_folded_as_nfkc_and_casefold_fold_it() -> None:
    wrong = []
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in {"Cn", "Co", "Cc"} or character in "゛゜":
            continue
        composed = unicodedata.normalize("NFKC", character)
        expected = unicodedata.normalize("NFKC", composed.casefold())
        if shown(normalise(character)) != shown(expected):
            wrong.append(hex(code))

    assert wrong == []


def shown(text: str) -> str:
    return "".join(
        character
        for character in text
        if character not in "\u115f\u1160\u2800"
        and (character.isspace() or unicodedata.category(character)[0] not in "MC")
    )


@given(any_text)
def test_normalising_again_changes_nothing(text: str) -> None:
    plain = normalise(text)

    assert normalise(plain) == plain


@given(acting_text)
def test_normalising_again_changes_nothing_where_characters_act_on_each_other(text: str) -> None:
    plain = normalise(text)

    assert normalise(plain) == plain


@given(any_text)
def test_the_compact_view_holds_letters_and_digits_only(text: str) -> None:
    closed_up = compact(normalise(text))

    assert closed_up == "".join(c for c in normalise(text) if c.isalnum())
    assert compact(closed_up) == closed_up


@pytest.mark.parametrize(
    "text",
    [
        "代-开 发.票",
        "代 开 发 票",
        "【代】开_发·票",
        "代，开。发！票",
        "代\n开\t发\r\n票",
        "代★开☆发♥票",
    ],
)
def test_separators_close_up(text: str) -> None:
    assert compact(normalise(text)) == "代开发票"


def test_two_sentences_close_up_as_well() -> None:
    # Promised by nobody, and the price of finding 代。开。发。票.
    assert compact(normalise("明天替代。开发票样")) == "明天替代开发票样"


# Sorted as they stand, each of these takes a second or more; cut, some milliseconds.
@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0323" * 16_000,
        "か" + "\u0301" * 16_000 + "\u3099" * 16_000,
        "か" + "\uff9e\u093c" * 16_000,
        "か" + "\uff9f\u093c" * 16_000,
        "\u05d0" + "\u05b9\u05b8\u05b7" * 10_000,
        "\u0f40" + "\u0f73" * 10_000,
    ],
    ids=["latin", "kana", "half width", "half width p", "hebrew", "marks that come apart"],
)
def test_a_payload_of_marks_is_cut_before_it_is_dear_to_sort(text: str) -> None:
    plains = {normalise(text) for _ in range(20)}

    assert [len(plain) <= 32 for plain in plains] == [True]
    assert plains == {normalise(plain) for plain in plains}


def test_long_runs_of_marks_take_no_letters_with_them() -> None:
    text = "代" + "\u05b9" * 500 + "开" + "★" * 500 + "发票"

    assert compact(normalise(text)) == "代开发票"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("退訂", "退订"), ("請回覆", "请回复"), ("恢復", "恢复"), ("絕", "绝"), ("stop", "stop")],
)
def test_traditional_spellings_come_out_simplified(written: str, meant: str) -> None:
    assert simplified(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("代開發票", "代开发票"),
        ("貸款秒批", "贷款秒批"),
        ("vіagrа", "viagra"),
        ("加νх群", "加vx群"),
    ],
)
def test_r62_what_looks_like_a_word_is_read_as_that_word(written: str, meant: str) -> None:
    assert folded(written) == meant


@given(any_text)
def test_simplifying_again_changes_nothing(text: str) -> None:
    for reading in (simplified, folded):
        once = reading(text)

        assert reading(once) == once
