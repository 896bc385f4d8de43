import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.bundles import keyword_lists
from gateway.settings.bundles.keyword_lists import parse_words, word_problem
from gateway.settings.yaml import Fault, SettingsError

HERE = Path("a.txt")
FaultsOf = Callable[[Callable[[], object]], list[str]]


def test_words_stand_one_a_line_and_count_once() -> None:
    text = "\ufeff代开发票\n\n# 说明\n  T D \r\n代开发票\n  # 缩进的说明\n𝓪微信\n"

    assert parse_words(HERE, text.encode()) == ("代开发票", "T D", "𝓪微信")


def test_an_empty_file_holds_no_words() -> None:
    assert parse_words(HERE, b"# nothing yet\n") == ()


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("", "holds no letter, digit or symbol"),
        ("  ", "holds no letter, digit or symbol"),
        ("...!", "holds no letter, digit or symbol"),
        ("。。", "holds no letter, digit or symbol"),
        ("a", "a single ASCII character is no word"),
        ("7", "a single ASCII character is no word"),
        ("＄", "a single ASCII character is no word"),
        ("７", "a single ASCII character is no word"),
        ("赌\u200b博", "holds a control character"),
        ("赌\x00博", "holds a control character"),
        ("赌" * 65, "longer than 64 characters"),
    ],
)
def test_what_would_hit_honest_texts_is_no_word(word: str, problem: str) -> None:
    assert word_problem(word) == problem


@pytest.mark.parametrize("word", ["赌", "ab", "17", "💰", "赌" * 64, "v信", "a.b", "$$"])
def test_short_and_odd_words_may_be_meant(word: str) -> None:
    assert word_problem(word) is None


def test_no_word_of_usual_letters_and_digits_is_bad_but_for_its_length() -> None:
    letters = list(filter(str.isalnum, map(chr, range(sys.maxunicode + 1))))
    usual = [one for one in letters if one < "\ua000" and one != "\u037a"]

    # Which is why parse_words does not look such words over in full.
    assert [one for one in letters if word_problem(f"赌{one}") is not None] == []
    assert [one for one in usual if word_problem(one * 2) is not None] == []


def test_every_bad_line_is_named(faults_of: FaultsOf) -> None:
    text = "代开发票\n  x\n" + "长" * 65 + "\n赌博\n\t。\n"

    assert faults_of(lambda: parse_words(HERE, text.encode())) == [
        "a.txt:2:3 a single ASCII character is no word",
        "a.txt:3:1 longer than 64 characters",
        "a.txt:5:2 holds no letter, digit or symbol",
    ]


def test_words_that_are_not_utf8_are_named(faults_of: FaultsOf) -> None:
    assert faults_of(lambda: parse_words(HERE, "赌博\n".encode() + b"\xb6\xc4")) == [
        "a.txt:2:1 not UTF-8"
    ]


def test_more_words_than_the_bound_are_refused(
    monkeypatch: pytest.MonkeyPatch, faults_of: FaultsOf
) -> None:
    monkeypatch.setattr(keyword_lists, "MAX_WORDS", 2)

    assert parse_words(HERE, b"ab\ncd\nab\n") == ("ab", "cd")
    assert faults_of(lambda: parse_words(HERE, b"ab\ncd\nef\n")) == ["a.txt:1:1 more than 2 words"]


LINES = st.lists(
    st.sampled_from(
        ["代开发票", "", " ", "# 说明", "T D", "x", "赌", "。", "刷单\r", "ﱞﱞ", "ͺͺ", "a" * 65]
    )
)


@given(LINES, st.integers(1, 20))
def test_many_lines_at_once_are_read_as_each_is_alone(lines: list[str], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyword_lists, "_CHARS_AT_ONCE", at_once)
        found, faults = read("\n".join(lines))

    alone = [read(line) for line in lines]
    assert found == [*dict.fromkeys(word for one, _ in alone for word in one)] or faults
    assert faults == [
        replace(fault, line=line) for line, (_, told) in enumerate(alone, 1) for fault in told
    ]


def read(text: str) -> tuple[list[str], list[Fault]]:
    try:
        return list(parse_words(HERE, text.encode())), []
    except SettingsError as error:
        return [], list(error.faults)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode())))
def test_any_octets_are_words_or_a_settings_error(octets: bytes) -> None:
    try:
        found = parse_words(HERE, octets)
    except SettingsError as error:
        assert error.faults
    else:
        assert all(word_problem(word) is None for word in found)
        assert len(set(found)) == len(found)
