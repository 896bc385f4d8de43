"""Keyword lists in one automaton."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.keywords.index import MAX_HITS, Hit, KeywordIndex, is_matchable
from gateway.filter.normalise.folding import compact, normalise


def words(
    *spelt: str, list_id: str = "K", category: str = "fraud", action: ListAction = ListAction.REJECT
) -> KeywordList:
    return KeywordList(list_id, category, action, spelt)


def found(index: KeywordIndex, *texts: str) -> set[str]:
    return {hit.word for hit in index.search(texts)}


def test_a_hit_names_list_category_action_and_the_word_as_written() -> None:
    index = KeywordIndex([words("代开 发票", list_id="K-FRAUD", action=ListAction.QUARANTINE)])

    hits = index.search(["本公司代开发票"])

    assert hits == (Hit("K-FRAUD", "fraud", ListAction.QUARANTINE, "代开 发票"),)
    assert not hits[0].is_unreadable


@pytest.mark.parametrize(
    "text",
    [
        "代开发票",
        "本公司代开发票联系王经理",
        "代-开 发.票",
        "代 开 发 票",
        "代\u3000开\u3000发\u3000票",
        "代\u200b开\u200d发\ufeff票",
        "代\u202e开\u2066发\u2069票",
        "代\ufe0f开\U000e0100发\U000e0041票",
        "代\u3164开\u115f发\u2800票",
        "【代】【开】【发】【票】",
        "代_开*发/票",
        "代★开☆发♥票",
        "代😊开😊发😊票",
        "代\n开\r\n发\t票",
        "代\x00开\x01发\x1b票",
        "代\u0336开\u0336发\u0336票",
        "代 \u200b-\u3000开…发——票",
    ],
)
def test_a_han_word_is_found_in_every_disguise(text: str) -> None:
    assert found(KeywordIndex([words("代开发票")]), text) == {"代开发票"}


@pytest.mark.parametrize(
    "text",
    [
        "free money",
        "FREE  MONEY",
        "Ｆｒｅｅ　Ｍｏｎｅｙ",
        "fr\u200bee mon\u00adey",
        "free-money!",
        "free\nmoney",
        "f\u0336r\u0336e\u0336e\u0336 money",
        "𝐟𝐫𝐞𝐞 𝓶𝓸𝓷𝓮𝔂",
        "领取free money吧",
    ],
)
def test_a_latin_phrase_is_found_in_every_disguise(text: str) -> None:
    assert found(KeywordIndex([words("Free Money")]), text) == {"Free Money"}


@pytest.mark.parametrize("text", ["have", "avis", "kav", "av8", "7av", "a v", "a-v", "ave maria"])
def test_a_latin_word_inside_another_is_no_hit(text: str) -> None:
    assert found(KeywordIndex([words("av")]), text) == set()


@pytest.mark.parametrize("text", ["av", "(AV)", "看av片", "have av", "av av av", "x:av,y", "ＡＶ"])
def test_a_latin_word_is_found_beside_separators_and_han(text: str) -> None:
    assert found(KeywordIndex([words("av")]), text) == {"av"}


def test_a_number_is_found_as_a_whole_only() -> None:
    index = KeywordIndex([words("95588")])

    assert found(index, "致电95588咨询") == {"95588"}
    assert found(index, "单号1955881") == set()


@pytest.mark.parametrize(
    "text",
    [
        *("v,i,a,g,r,a", "v/i/a/g/r/a", "v☆i☆a☆g☆r☆a", "v  i  a  g  r  a", "v\ni\na\ng\nr\na"),
        *("vi-agra", "via/gra", "via - gra", "buy a v.i.a.g.r.a", "viagra50mg", "100viagra"),
        *("víàgrä", "🅥🅸🅐🅶🅡🅰", "🇻🇮🇦🇬🇷🇦", "ᴠɪᴀɢʀᴀ", "vı①agra", "VΙAGRA", "⒱⒤⒜⒢⒭⒜"),
    ],
)
def test_a_long_word_in_pieces_is_found(text: str) -> None:
    assert found(KeywordIndex([words("viagra")]), f"Hi, {text} now") == {"viagra"}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("cialis", "our specialist is in"),
        ("casino", "casinos, casinoso"),
        ("bet365", "order bet 365"),
        ("free money", "freemoney"),
        ("viagra", "vi....agra"),
        ("sex", "mid-se x"),
        ("loan", "lo an, lo.an, lo, an"),
        ("400123", "400 123"),
        ("av", "a v"),
    ],
)
def test_what_only_happens_to_have_the_letters_of_a_word_is_no_hit(word: str, text: str) -> None:
    assert found(KeywordIndex([words(word)]), text) == set()


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("sex", "s e x"),
        ("loan", "lo-an"),
        ("loan", "l. o. a. n"),
        ("av sex", "av s,e,x"),
        ("free money", "f.r.e.e m.o.n.e.y"),
        ("free money", "fr-ee mo-ney"),
        ("बीमा ऋण", "बी-मा ऋ-ण"),
    ],
)
def test_short_words_are_found_where_they_are_spelt_out(word: str, text: str) -> None:
    assert found(KeywordIndex([words(word)]), text) == {word}


def test_a_phrase_does_not_reach_over_han() -> None:
    index = KeywordIndex([words("free money")])

    assert found(index, "free钱money freemoney") == set()


def test_a_word_of_han_and_letters_needs_no_boundary() -> None:
    assert found(KeywordIndex([words("加V信")]), "请加-v-信号abc") == {"加V信"}


def test_whole_words_and_run_on_words_are_found_side_by_side() -> None:
    index = KeywordIndex([words("贷款", "vip", "av")])

    assert found(index, "VIP低息贷 款，have fun") == {"贷款", "vip"}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("คาสิโน", "เล่นคาสิโนออนไลน์"),
        ("카지노", "온라인카지노에서"),
        ("カジノ", "ｵﾝﾗｲﾝｶｼﾞﾉで"),
        ("𠮷野家", "去𠮷 野家"),
    ],
)
def test_words_of_other_scripts_without_spaces_are_found_within_a_run(word: str, text: str) -> None:
    assert found(KeywordIndex([words(word)]), text) == {word}


def test_words_of_scripts_with_spaces_are_whole_words() -> None:
    index = KeywordIndex([words("кредит")])

    assert found(index, "Дешёвый КРЕДИТ!") == {"кредит"}
    assert found(index, "аккредитация") == set()


def test_overlapping_words_are_all_found() -> None:
    index = KeywordIndex([words("代开", "代开发票", "发票", "开发")])

    assert found(index, "代开发票") == {"代开", "代开发票", "发票", "开发"}


def test_a_word_on_two_lists_hits_for_both() -> None:
    index = KeywordIndex([words("发票", list_id="A"), words("发票", list_id="B")])

    assert [hit.list_id for hit in index.search(["发票"])] == ["A", "B"]


def test_two_spellings_of_one_word_hit_once() -> None:
    index = KeywordIndex([words("AV", "av", "发票", "发-票")])

    assert [hit.word for hit in index.search(["av 发票"])] == ["AV", "发票"]


def test_reject_lists_come_first_and_shadow_lists_last() -> None:
    index = KeywordIndex(
        [
            words("贷款", list_id="S", action=ListAction.SHADOW),
            words("发票", list_id="Q", action=ListAction.QUARANTINE),
            words("赌场", list_id="R", action=ListAction.REJECT),
        ]
    )

    assert [hit.list_id for hit in index.search(["贷款发票赌场"])] == ["R", "Q", "S"]


def test_more_hits_than_the_bound_never_hide_a_reject() -> None:
    shadows = [chr(0x4E00 + number) for number in range(100)]
    index = KeywordIndex([words(*shadows, action=ListAction.SHADOW), words("赌场")])

    hits = index.search(["".join(shadows) + "赌场"])

    assert len(hits) == MAX_HITS
    assert hits[0].word == "赌场"


@pytest.mark.parametrize("action", [ListAction.REJECT, ListAction.QUARANTINE])
def test_r60_words_of_another_list_never_push_a_prohibited_one_out(action: ListAction) -> None:
    others = [chr(0x4E00 + number) for number in range(MAX_HITS)]
    prohibited = words("赌场", list_id="Z", category="赌博", action=action)
    index = KeywordIndex([words(*others, list_id="A", category="retail"), prohibited])

    hits = index.search(["".join(others) + "赌场"])

    assert len(hits) == MAX_HITS
    assert "赌场" in {hit.word for hit in hits}
    assert hits[0].action is ListAction.REJECT


def test_prohibited_words_to_look_at_never_push_out_what_is_rejected() -> None:
    many = [chr(0x4E00 + number) for number in range(MAX_HITS + 4)]
    held = words(*many, list_id="A", category="gambling", action=ListAction.QUARANTINE)
    index = KeywordIndex([held, words("清仓", list_id="Z", category="retail")])

    hits = index.search(["".join(many) + "清仓"])

    assert len(hits) == MAX_HITS
    assert (hits[0].word, hits[0].action) == ("清仓", ListAction.REJECT)


def test_a_prohibited_word_that_is_only_noted_takes_no_other_ones_place() -> None:
    others = [chr(0x4E00 + number) for number in range(MAX_HITS)]
    noted = words("赌场", list_id="Z", category="gambling", action=ListAction.SHADOW)
    index = KeywordIndex([words(*others, list_id="A", category="retail"), noted])

    assert "赌场" not in {hit.word for hit in index.search(["".join(others) + "赌场"])}


def test_hits_are_gathered_over_all_texts_and_told_once() -> None:
    index = KeywordIndex([words("发票", "赌场")])

    hits = index.search(["发票发票", "无关", "赌场发票"])

    assert [hit.word for hit in hits] == ["发票", "赌场"]


def test_a_word_does_not_reach_from_one_text_into_the_next() -> None:
    assert found(KeywordIndex([words("发票")]), "发", "票") == set()


def test_a_word_without_letters_or_digits_is_left_out() -> None:
    index = KeywordIndex([words("★★", "", "\u200b", "发票")])

    assert found(index, "★★ \u200b 发票") == {"发票"}
    assert not is_matchable("★★")
    assert is_matchable("★票★")


@pytest.mark.parametrize("lists", [[], [words()], [words("★")]])
def test_an_index_of_no_words_finds_nothing(lists: list[KeywordList]) -> None:
    assert KeywordIndex(lists).search(["代开发票 av"]) == ()


def test_no_text_has_no_hits() -> None:
    assert KeywordIndex([words("发票")]).search([]) == ()


@given(st.lists(st.text(st.characters(exclude_categories=())), max_size=3))
def test_no_text_makes_the_search_raise(texts: list[str]) -> None:
    index = KeywordIndex([words("发票", "av", "free money")])

    assert isinstance(index.search(texts), tuple)


spelt = st.text("ab c发票-８", max_size=6)


@given(st.lists(spelt, max_size=6), st.text("ab c发票-８", max_size=16))
def test_the_automaton_finds_what_looking_for_each_word_finds(
    keywords: list[str], text: str
) -> None:
    found_spellings = {
        spelling(hit.word) for hit in KeywordIndex([words(*keywords)]).search([text])
    }

    assert found_spellings == {
        spelling(word) for word in keywords if is_matchable(word) and stands_in(word, text)
    }


def spelling(word: str) -> tuple[str, ...]:
    return (compact(normalise(word)),) if has_han(word) else tokens(word)


def stands_in(word: str, text: str) -> bool:
    if has_han(word):
        return compact(normalise(word)) in compact(normalise(text))
    whole = f"|{'|'.join(tokens(word))}|" in f"|{'|'.join(tokens(text))}|"
    return whole or any(pattern.search(normalise(text)) for pattern in disguises(tokens(word)))


def disguises(pieces: tuple[str, ...]) -> Iterator[re.Pattern[str]]:
    """Yield how a word in pieces is written to be read: spelt out, hyphened, parted."""
    letters = "".join(pieces)
    if not letters.isalpha():
        return
    gap, some_gap = r"[^\w]{1,3}", r"[^\w]{1,3}?"
    if len(letters) >= 3:
        spelt_out = gap.join(f"(?:{piece}|{some_gap.join(piece)})" for piece in pieces)
        yield re.compile(rf"(?<![a-z0-9]){spelt_out}(?![a-z0-9])")
    if len(letters) >= 4:
        closed = r"(?=[a-z]*-)" + "-?".join(letters)
        yield re.compile(rf"(?<![a-z0-9]){closed}(?![a-z0-9])")
    if len(letters) >= 6:
        parted = r"(?=[a-z]{1,5}[^\w])" + r"[^\w]{0,3}".join(letters)
        yield re.compile(rf"(?<![a-z]){parted}(?![a-z])")


def has_han(word: str) -> bool:
    return "发" in word or "票" in word


def tokens(text: str) -> tuple[str, ...]:
    return tuple(re.findall("[a-z0-9]+|[发票]+", normalise(text)))
