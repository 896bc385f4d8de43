"""Libraries: exceptions, combinations, patterns, sounds, evidence, validity and places."""

import gc
import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.keywords import automata
from gateway.filter.keywords.index import MAX_HITS, KeywordIndex
from gateway.filter.normalise.folding import compact
from gateway.filter.normalise.views import Views


def found(index: KeywordIndex, *texts: str) -> set[str]:
    return {hit.word for hit in index.search(texts)}


def library(*entries: str, **said: object) -> KeywordList:
    base = KeywordList("L", "fraud", ListAction.QUARANTINE, entries)
    return replace(base, **said)  # type: ignore[arg-type] # each test knows its field


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("请开发票", True),
        ("请填写发票抬头", False),
        ("发-票 抬 头", False),
        ("发票抬头和发票", True),
        ("发票抬头发票抬头", False),
    ],
)
def test_a_word_does_not_count_within_an_exception(text: str, is_found: bool) -> None:  # noqa: FBT001 - a parameter of the test
    index = KeywordIndex([library("发票", exceptions=("发票抬头",))])

    assert bool(found(index, text)) is is_found


def test_an_exception_is_one_for_its_own_list_alone() -> None:
    lists = [
        library("发票", exceptions=("发票抬头",)),
        KeywordList("B", "fraud", ListAction.REJECT, ("发票",)),
    ]

    assert [hit.list_id for hit in KeywordIndex(lists).search(["发票抬头"])] == ["B"]


def test_an_exception_may_hold_words_and_han() -> None:
    index = KeywordIndex([library("vip", exceptions=("vip客服热线",))])

    assert found(index, "请拨打VIP客服热线") == set()
    assert found(index, "办理vip") == {"vip"}


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("代开各类发票", True),
        ("代开，正规机打餐饮住宿发票", True),
        ("代开发票", True),
        ("发票代开", False),
        ("代开" + "一二三四五六七八九十一二三" + "发票", False),
        ("代开 代开" + "一" * 11 + "发票", True),
    ],
)
def test_the_parts_of_a_combination_stand_in_order_and_near(text: str, is_found: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert bool(found(KeywordIndex([library("代开…发票")]), text)) is is_found


def test_a_part_counts_for_each_of_the_combinations_that_share_it() -> None:
    index = KeywordIndex(
        [
            library("代开…发票", "代开…税票", "发票…点低", "代开发票…点低"),
            library("发票…点低", id="B"),
        ]
    )

    assert found(index, "代开餐饮发票，点低") == {"代开…发票", "发票…点低"}
    assert {hit.list_id for hit in index.search(["发票点低"])} == {"L", "B"}
    assert found(index, "代开发票，点低") == {"代开…发票", "发票…点低", "代开发票…点低"}
    assert found(index, "税票都可代开") == set()


def test_a_combination_without_letters_is_none() -> None:
    assert found(KeywordIndex([library("★…☆", "代开…发票")]), "代开★发票☆") == {"代开…发票"}


@pytest.mark.parametrize("filling", ["", "一" * 2_000])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("your parcel is on hold, please pay", {"parcel…on hold…pay", "parcel…pay"}),
        ("a parcel for you: pay at the door", {"parcel…pay"}),
        ("parcels on hold, repay nothing", set()),
        ("on hold: one parcel", set()),
    ],
)
def test_parts_of_scripts_with_spaces_are_whole_words_in_texts_of_any_length(
    text: str, words: set[str], filling: str
) -> None:
    index = KeywordIndex([library("parcel…on hold…pay", "parcel…pay", gap=30)])

    assert found(index, text + filling) == words


def test_a_combination_of_three_parts_is_as_far_apart_as_its_list_says() -> None:
    index = KeywordIndex([library("加…vx…领", gap=2)])

    assert found(index, "快加我VX号,领") == {"加…vx…领"}
    assert found(index, "快加我们的VX领") == set()
    assert found(index, "加avxb领") == set()


@given(st.text("代开发票x ", max_size=24))
def test_a_combination_is_what_a_regular_expression_finds(text: str) -> None:
    index = KeywordIndex([library("代开…发票", gap=3)])
    letters = compact(Views(text).folded)

    assert bool(found(index, text)) is bool(re.search(r"(?=代开(.{0,3})发票)", letters))


def test_a_pattern_is_a_hit_under_its_name() -> None:
    index = KeywordIndex([library(patterns=(("QQ号", r"(?:加|扣)\s?q{1,2}\s?[1-9][0-9]{4,10}"),))])

    assert found(index, "请加ＱＱ 12345678") == {"QQ号"}
    assert found(index, "请加群") == set()


def test_what_sounds_like_a_word_is_that_word_where_the_list_says_so() -> None:
    heard, read = library("代开发票", sound=True), library("代开发票")

    assert found(KeywordIndex([heard]), "戴开法飘") == {"代开发票"}
    assert found(KeywordIndex([heard]), "代开FaPiao") == {"代开发票"}
    assert found(KeywordIndex([heard]), "代开发票") == {"代开发票"}
    assert found(KeywordIndex([read]), "戴开法飘") == set()


def test_evidence_decides_together_and_is_only_recorded_alone() -> None:
    lists = [
        library("贷款", weight=6),
        replace(library("加微信", weight=4), id="M"),
        replace(library("到账", weight=3, action=ListAction.REJECT, threshold=13), id="N"),
    ]
    index = KeywordIndex(lists)

    def decided(text: str) -> list[tuple[str, ListAction]]:
        return [(hit.word, hit.action) for hit in index.search([text])]

    shadow, hold, reject = ListAction.SHADOW, ListAction.QUARANTINE, ListAction.REJECT
    assert decided("贷款") == [("贷款", shadow)]
    assert decided("贷款到账") == [("到账", shadow), ("贷款", shadow)]
    assert decided("贷款加微信") == [("贷款", hold), ("加微信", hold)]
    assert decided("加微信贷款到账")[0] == ("到账", reject)


def test_a_list_holds_from_its_first_day_to_its_last() -> None:
    index = KeywordIndex([library("发票", not_before=date(2027, 1, 5), not_after=date(2027, 1, 6))])

    days = [date(2027, 1, day) for day in (4, 5, 6, 7)]
    assert [bool(index.search(["发票"], day)) for day in days] == [False, True, True, False]
    assert index.search(["发票"])
    assert index.has_dates
    assert not KeywordIndex([library("发票")]).has_dates


def test_every_hit_says_what_all_evidence_of_the_text_comes_to() -> None:
    index = KeywordIndex(
        [
            library(*(chr(0x4E00 + number) for number in range(MAX_HITS + 4)), weight=2),
            library("加微信", weight=5, action=ListAction.REJECT),
        ]
    )

    hits = index.search(["".join(map(chr, range(0x4E00, 0x4E00 + MAX_HITS + 4))), "加微信"])

    assert len(hits) == MAX_HITS
    assert {hit.total for hit in hits} == {2 * (MAX_HITS + 4) + 5}


LOCATED = KeywordIndex(
    [
        library(
            "代开发票",
            "free money",
            "加…领",
            patterns=(("电话", "1[0-9]{10}"), ("句首", "^您|$")),
            sound=True,
        )
    ]
)


@pytest.mark.parametrize(
    ("text", "word", "written"),
    [
        ("您好，代-開 發.票！", "代开发票", "代-開 發.票"),
        ("您好，戴開\u200bFAPIAO！", "代开发票", "戴開\u200bFAPIAO"),
        ("now FREE  Money!", "free money", "FREE  Money"),
        ("快加我们领钱", "加…领", "加我们领"),
        ("电话１３８00138000。", "电话", "１３８00138000"),
    ],
)
def test_a_hit_is_located_in_the_text_as_it_was_written(text: str, word: str, written: str) -> None:
    (hit,) = [hit for hit in LOCATED.located([text]) if hit.word == word]

    assert hit.span is not None
    assert text[slice(*hit.span)] == written
    assert hit.told == f"{word} ({hit.span[0] + 1}-{hit.span[1]})"


def test_the_first_place_is_told_of_several() -> None:
    (hit,) = KeywordIndex([library("发票")]).located(["好发票发票", "发票"])

    assert hit.span == (1, 3)


def test_a_hit_that_is_nowhere_is_told_without_a_place() -> None:
    hits = {hit.word: hit.told for hit in LOCATED.located(["好"])}

    assert hits == {"句首": "句首"}


@given(st.lists(st.text(st.characters(exclude_categories=())), max_size=3))
def test_what_is_located_is_what_is_found(texts: list[str]) -> None:
    assert LOCATED.located(texts) == LOCATED.search(texts)


@pytest.mark.parametrize("by_sound", [False, True])
def test_of_many_words_each_is_found_as_itself(by_sound: bool) -> None:  # noqa: FBT001 - a parameter of the test
    words = [f"{first}{second}货" for first in "代开发票刷单兼职" for second in range(200)]
    words[700], words[701] = "vip 通道", "free money"
    words[1_400] = "办证…速办"
    index = KeywordIndex([library("高仿"), library(*words, sound=by_sound)])

    assert [word for word in words if found(index, word.replace("…", "")) != {word}] == []


PIECES = ["发票", "发票抬头", "代开", "代开…发票", "票抬", "vip", "vip客服", "v", "开发"]
WORDS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8, unique=True)
EXCEPTIONS = st.lists(st.sampled_from(["代开发票", "发票抬头", "vip客服"]), max_size=2, unique=True)


@given(
    WORDS,
    EXCEPTIONS,
    st.lists(st.sampled_from(PIECES), max_size=6),
    st.integers(1, 4),
    st.integers(2, 9),
)
def test_words_in_several_automata_are_found_as_in_one(
    words: list[str], exceptions: list[str], said: list[str], entries: int, most: int
) -> None:
    lists = [library(*words, exceptions=tuple(exceptions)), replace(library("开发"), id="M")]
    one, text = KeywordIndex(lists), "，".join(said)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automata, "_ENTRIES", entries)
        patch.setattr(automata, "_MOST_AUTOMATA", most)
        several = KeywordIndex(lists)

    assert several.located([text]) == one.located([text])
    assert found(several, text) == found(one, text)


@pytest.mark.parametrize(
    ("first", "again"),
    [("代开发票", "代-开发票"), ("Free money", "free  money"), ("v信", "V 信")],
)
@pytest.mark.parametrize("between", [0, 1_200])
def test_of_words_that_come_to_the_same_the_first_is_told(
    first: str, again: str, between: int
) -> None:
    others = [f"刷单{number}号" for number in range(between)]

    assert found(KeywordIndex([library(first, *others, again)]), f"招 {first} 招") == {first}


@pytest.mark.parametrize("word", ["代开{}票", "vip {}", "代开…{}票"])
def test_words_by_the_thousand_are_no_burden_to_the_garbage_collector(word: str) -> None:
    many = library(*(word.format(number) for number in range(2_000)), sound=True)
    KeywordIndex([library(word)])
    gc.collect()
    before = len(gc.get_objects())

    index = KeywordIndex([many])
    gc.collect()

    assert word.format(1_999) in found(index, word.format(1_999))
    assert len(gc.get_objects()) - before < 100


# Each takes some ten milliseconds; in quadratic time it would be minutes.
@pytest.mark.parametrize("unit", ["发票抬头", "发票", "代开", "代开发票", "加1领", "av ", "代"])
def test_a_text_of_nothing_but_words_takes_a_moment(unit: str) -> None:
    index = KeywordIndex(
        [library("发票", "av", "代开…发票", "代…票…领", exceptions=("发票抬头",), sound=True)]
    )

    assert len(index.search([(unit * 65_000)[:65_000]])) <= MAX_HITS
