"""The views of a text, and the way back from them to the original."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.normalise.views import Trace, Views

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
telling_text = st.text(
    st.sampled_from("代開发票,- .*【】\nfaPIAO vｖ…\u200b\u0301\u0336\u0e38①𝐟é㈱"), max_size=20
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("Free MONEY now", "free money now"),
        ("代-开 发.票", "代开发票"),
        ("代★★★开", "代开"),
        ("代 ★★★ 开", "代 ★★★ 开"),
        ("代\n开", "代\n开"),
        ("【康美】您好", "【康美】您好"),
        ("加 qq 群", "加 qq 群"),
        ("f r e e money", "free money"),
        ("v-i-a-g-r-a", "viagra"),
        ("a b", "a b"),
        ("plan a b cd", "plan a b cd"),
        ("領\u200b取Ｆ.Ｒ.Ｅ.Ｅ", "领取free"),
    ],
)
def test_the_folded_view_is_what_is_meant(text: str, folded: str) -> None:
    assert Views(text).folded == folded


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("代开发票", "戴凯法飘"),
        ("代开fapiao吗", "代开发票吗"),
        ("代开FaPiao", "代开发票"),
    ],
)
def test_what_sounds_the_same_is_the_same(text: str, same: str) -> None:
    assert Views(text).sound == Views(same).sound


@pytest.mark.parametrize("text", ["fapiao", "加vx群", "点http://a.cn看", "看av片", "一a一"])
def test_latin_that_is_no_syllables_among_han_stays(text: str) -> None:
    latin = "".join(one for one in text if one.isascii())

    assert "".join(one for one in Views(text).sound if one.isascii()) == latin


def test_the_places_are_made_once() -> None:
    seen = Views("代-开")

    assert seen.trace_folded() is seen.trace_folded()


def test_the_view_for_the_ear_is_made_once() -> None:
    seen = Views("发票")

    assert seen.sound is seen.sound


@given(st.one_of(any_text, telling_text))
def test_the_traces_are_the_views(text: str) -> None:
    seen = Views(text)

    assert seen.trace_folded().text == seen.folded
    assert seen.trace_sound().text == seen.sound


@given(st.one_of(any_text, telling_text))
def test_every_character_of_a_view_has_its_place(text: str) -> None:
    for trace in (Views(text).trace_folded(), Views(text).trace_sound()):
        places = [trace.original(at, at + 1) for at in range(len(trace.text))]

        assert all(0 <= start < end <= len(text) for start, end in places)
        assert places == sorted(places)


def place(trace: Trace, word: str, text: str) -> str:
    at = trace.text.index(word)
    start, end = trace.original(at, at + len(word))
    return text[start:end]


@pytest.mark.parametrize(
    ("text", "word", "original"),
    [
        ("您好，代-開 發.票吗", "代开发票", "代-開 發.票"),
        ("加\u200bＶ\u200b信\u200b号", "v信", "Ｖ\u200b信\u200b"),
        ("领 f r e e 币", "free", "f r e e"),
        ("㈱x", "(株)", "㈱"),
        ("cafe\u0301代", "e", "e\u0301"),
    ],
)
def test_a_span_leads_back_to_what_was_written(text: str, word: str, original: str) -> None:
    assert place(Views(text).trace_folded(), word, text) == original


def test_a_romanised_word_leads_back_to_its_letters() -> None:
    text = "代开FA\u200bPIAO吗"
    sound = Views("发票").sound

    assert place(Views(text).trace_sound(), sound, text) == "FA\u200bPIAO"


# Each of these takes some milliseconds; in quadratic time it would be minutes.
@pytest.mark.parametrize(
    "unit",
    ["代-", "a ", "a.b", "【", "…", "fapiao", "代fa", "e\u0301", "\u200b", "★", "𝐟", "zhuang "],
)
def test_sixty_five_thousand_characters_take_a_moment(unit: str) -> None:
    text = (unit * 65_000)[:65_000]

    seen = Views(text)

    assert len(seen.folded) <= 18 * len(text)
    assert len(seen.sound) <= len(seen.folded)
    assert seen.trace_folded().text is not None


def test_what_a_text_may_be_read_as_besides_is_made_once() -> None:
    text = Views("代🅰开")

    assert text.further
    assert text.further is text.further
