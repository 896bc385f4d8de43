"""What characters may be read as beside what they fold to, and the class of such texts."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.batch_views import views_of
from gateway.filter.facts import shown_by, shown_in
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.normalise.shapes import DIRECTED, SHAPED, hints_of, shaped
from gateway.filter.normalise.views import Views
from gateway.filter.scan import ContentScan

WORDS = ("代开发票", "viagra", "казино", "도박사이트", "şans oyunu", "बीमा ऋण", "カジノ", "พนัน")
LISTS = [KeywordList("K", "fraud", ListAction.REJECT, WORDS)]
SCAN = ContentScan(KeywordIndex(LISTS))


def found(text: str) -> set[str]:
    return {hit.word for hit in SCAN.judge_texts([text]).hits}


def test_no_sign_of_all_of_unicode_between_the_letters_of_a_word_hides_it() -> None:
    signs = [
        chr(code)
        for code in range(128, 0x110000)
        if unicodedata.category(chr(code)) in {"Lm", "Nl", "No", "So"}
    ]

    hidden = [one for one in signs if found(one.join("代开发票")) != {"代开发票"}]

    assert len(signs) > 7_500
    assert hidden == []


@pytest.mark.parametrize("mark", "丨丶丿亅乛ㆍㄧー々〆〇ꞏᐧǀǁǂǃـˈːⵏߊᛁꓲ𐌉𖽄ᙹ·")
def test_letters_that_show_as_marks_hide_no_word(mark: str) -> None:
    assert found(mark.join("代开发票")) == {"代开发票"}


def clusters(word: str) -> list[str]:
    found: list[str] = []
    for one in word:
        if found and (unicodedata.category(one)[0] == "M" or found[-1][-1] == "\u094d"):
            found[-1] += one
        else:
            found.append(one)
    return found


def parted_by(mark: str) -> Callable[[str], str]:
    return lambda word: " ".join(mark.join(clusters(piece)) for piece in word.split(" "))


def overridden(word: str) -> str:
    return f"\u202e{''.join(reversed(clusters(word)))}\u202c"


DISGUISES: dict[str, Callable[[str], str]] = {
    "gaps": parted_by("·"),
    "boxes": parted_by("❶"),
    "override": overridden,
    "capitals": str.upper,
    "decomposed": lambda word: unicodedata.normalize("NFD", word),
    "tags": "\U000e0041".join,
    "zero width": "\u200b".join,
    "strike": "\u0336".join,
    "emoji": parted_by("👍"),
    "slashes": parted_by(" / "),
}


@pytest.mark.parametrize("name", DISGUISES)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_in_disguise_is_found_like_the_plain_word(word: str, name: str) -> None:
    disguised = DISGUISES[name](word)

    for text in (disguised, f"Hi, {disguised} 123", f"您好，{disguised}。"):
        assert found(text) == found(text.replace(disguised, word)) == {word}
        for hit in SCAN.explain_texts([text]).hits:
            assert hit.span is not None
            first, last = hit.span
            assert text[first:last].strip("\u202e\u202c\u200b") in disguised


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("代開発票 代发", "代开发票"),
        ("ㄷㅗㅂㅏㄱㅅㅏㅇㅣㅌㅡ", "도박사이트"),
        ("ㄷ·ㅗ·ㅂ·ㅏ·ㄱ·ㅅ·ㅏ·ㅇ·ㅣ·ㅌ·ㅡ", "도박사이트"),
        ("VΙAGRA", "viagra"),
        ("代1️⃣开2️⃣发3️⃣票", "代开发票"),
        ("力ジ丿", "カジノ"),
        ("ｶｼ゛ﾉ", "カジノ"),
        ("казинꙩ", "казино"),
        ("①viagra②", "viagra"),
    ],
)
def test_what_is_read_as_a_word_is_found(text: str, word: str) -> None:
    assert found(text) == {word}


def test_hints_tell_what_may_be_read_in_another_way() -> None:
    assert hints_of("abc 123") == hints_of("代开发票，您好！") == 0
    assert hints_of("①") == hints_of("1\u20e3") == SHAPED
    assert hints_of("\u202e") == DIRECTED
    assert shaped("代开发票") == []


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_each_way_to_read_a_text_is_as_long_as_the_text(text: str) -> None:
    ways = shaped(text)

    assert all(len(way) == len(text) for way in ways)
    assert bool(ways) <= bool(hints_of(text) & SHAPED)
    (seen,) = views_of([text])
    assert [one.raw for one in seen.further] == [one.raw for one in Views(text).further] == ways


@pytest.mark.parametrize(
    "text",
    [
        *("全ㆍ场ㆍ五ㆍ折ㆍ优ㆍ惠", "全丨场丨五丨折", "全场五ㆍ折", "全①场①五①折", "全·场·5·折"),
        *("满·300·减·30", "s.a.l.e and f.r.e.e", "大①促", "促 ❤ 销"),
    ],
)
def test_a_disguise_does_not_change_the_class(text: str) -> None:
    (seen,) = views_of([f"【丙商】{text}"])

    assert shown_in(seen).traffic is TrafficClass.COMMERCIAL
    assert shown_by(seen.raw).traffic is TrafficClass.COMMERCIAL


def test_the_order_on_the_screen_decides_the_class() -> None:
    assert SCAN.judge_texts(["\u202e惠优折五场全"]).shown().traffic is TrafficClass.COMMERCIAL


@pytest.mark.parametrize(
    "text", ["排名第三，折合每股", "尾号2345，折合人民币", "第3-5 折叠椅已发货"]
)
def test_what_sentences_part_stays_apart(text: str) -> None:
    assert shown_by(text).traffic is TrafficClass.SERVICE
