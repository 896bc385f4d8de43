import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.model.features import (
    BUCKETS,
    CATEGORY_GRAMS,
    SIGNS,
    SPAM_GRAMS,
    Grams,
    View,
    levels_of,
    signs_of,
)
from gateway.filter.views import views

TEXTS = st.text(st.characters(), max_size=40)  # lone surrogates too


def grams(text: str, view: View, length: int) -> list[int]:
    """Return the buckets of one text alone."""
    for level in levels_of([views(text)], SPAM_GRAMS):
        if level.length == length and view in level.views:
            place = level.views.index(view)
            return list(level.buckets[level.first[place] : level.past[place]].tolist())
    return []


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_a_text_has_the_same_n_grams_alone_and_among_others(texts: list[str]) -> None:
    batch = [views(text) for text in texts]

    together = list(levels_of(batch, SPAM_GRAMS))

    for number, text in enumerate(batch):
        for alone, level in zip(levels_of([text], SPAM_GRAMS), together, strict=True):
            for place in range(len(level.views)):
                mine = place * len(batch) + number
                assert (
                    alone.buckets[alone.first[place] : alone.past[place]].tolist()
                    == level.buckets[level.first[mine] : level.past[mine]].tolist()
                )


@given(TEXTS)
def test_every_text_has_so_many_n_grams_as_characters_allow(text: str) -> None:
    seen = views(text)

    for level in levels_of([seen], SPAM_GRAMS):
        written = {View.SOUND: seen.sound}
        expected = [
            max(len(written.get(view, seen.folded)) + 2 - level.length + 1, 0)
            for view in level.views
        ]
        assert (level.past - level.first).tolist() == expected
        assert level.counts().tolist() == [sum(expected)]
        assert ((level.buckets >= 0) & (level.buckets < BUCKETS)).all()


def test_the_views_stop_where_their_n_grams_end() -> None:
    levels = list(levels_of([views("代开发票")], SPAM_GRAMS))

    assert [level.length for level in levels] == [1, 2, 3, 4, 5]
    assert levels[2].views == (View.FOLDED, View.NUMBERLESS, View.SOUND)
    assert levels[3].views == (View.FOLDED, View.NUMBERLESS)


def test_a_sum_is_that_of_the_weights_of_a_texts_own_n_grams() -> None:
    weights = np.random.default_rng(1).normal(size=BUCKETS).astype(np.float32)
    batch = [views("代开发票"), views(""), views("您的快递到了")]

    (level, *_) = levels_of(batch, CATEGORY_GRAMS)

    expected = [
        weights[level.buckets[first:past]].sum()
        for first, past in zip(level.first, level.past, strict=True)
    ]
    assert level.sums(weights) == pytest.approx(expected, abs=1e-5)


def test_numbers_differ_in_the_folded_view_alone() -> None:
    assert grams("回复1", View.FOLDED, 3) != grams("回复2", View.FOLDED, 3)
    assert grams("回复1", View.NUMBERLESS, 3) == grams("回复2", View.NUMBERLESS, 3)


@pytest.mark.parametrize("masked", ["pay xxx元", "pay ***元"])
def test_what_was_put_in_place_of_a_number_is_one(masked: str) -> None:
    numbers = grams("pay 123元", View.NUMBERLESS, 2)

    assert grams(masked, View.NUMBERLESS, 2) == numbers


def test_a_single_x_is_a_letter() -> None:
    assert grams("x光", View.NUMBERLESS, 1) != grams("0光", View.NUMBERLESS, 1)


def test_a_homophone_sounds_the_same_and_looks_different() -> None:
    assert grams("发票", View.SOUND, 2) == grams("发飘", View.SOUND, 2)
    assert grams("发票", View.FOLDED, 2) != grams("发飘", View.FOLDED, 2)


def test_the_same_characters_of_two_views_are_two_n_grams() -> None:
    assert grams("代开", View.FOLDED, 1) != grams("代开", View.NUMBERLESS, 1)


def test_the_han_view_leaves_all_else_out() -> None:
    han = (Grams(View.HAN, 3),)
    plain, mixed = (
        [level.buckets.tolist() for level in levels_of([views(text)], han)]
        for text in ("代开发票", "代 开8发,票!")
    )

    assert plain == mixed


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_signs_are_shares(texts: list[str]) -> None:
    signs = signs_of([views(text) for text in texts])

    assert signs.shape == (len(texts), len(SIGNS))
    assert ((signs >= 0) & (signs <= 1)).all()
    assert (signs[:, -1] == 1).all()


def test_signs_say_what_a_text_is_made_of() -> None:
    ((length, digits, small, capitals, han, others, signature, _),) = signs_of(
        [views("【店】AB12")]
    ).tolist()

    assert 0 < length < 0.5
    assert digits == pytest.approx(2 / 7)
    assert small == pytest.approx(2 / 7)  # folded
    assert capitals == pytest.approx(2 / 7)
    assert han == pytest.approx(1 / 7)
    assert others == pytest.approx(2 / 7)
    assert signature == 1


def test_a_disguised_number_is_a_number() -> None:
    plain, disguised = signs_of([views("加微信12345"), views("加微信①②③４５")])

    assert plain.tolist() == disguised.tolist()


def test_sixty_thousand_characters_take_no_longer_than_their_number() -> None:
    (first, *_) = levels_of([views("发票\u0301" * 21_000)], SPAM_GRAMS)

    assert len(first.buckets) < 3 * 18 * 63_000
