import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.model.features import BUCKETS, CATEGORY_GRAMS, SIGNS, SPAM_GRAMS, levels_of
from gateway.filter.model.linear import (
    CATEGORY_BUCKETS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.views import views

MakeLinear = Callable[..., LinearModel]

RANDOM = LinearModel(
    np.random.default_rng(3).normal(size=BUCKETS + len(SIGNS)).astype(np.float32),
    Calibration(1.0, 0.0),
)


@given(st.lists(st.text(st.characters(), max_size=30), max_size=5))
def test_a_text_has_the_same_score_alone_and_among_others(texts: list[str]) -> None:
    batch = [views(text) for text in texts]

    together = RANDOM.scores(batch)

    alone = [float(RANDOM.scores([text])[0]) for text in batch]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)
    assert np.isfinite(together).all()


def test_the_words_of_spam_score(linear: MakeLinear) -> None:
    invoice = linear("发票")

    guilty, innocent = invoice.scores([views("代开发票"), views("快递到了")])

    assert guilty > 0
    assert innocent == 0


def test_a_text_twice_as_long_does_not_weigh_twice(linear: MakeLinear) -> None:
    invoice = linear("发票")

    once, twice = invoice.scores([views("发票"), views("发票发票")])

    assert once < twice < 2 * once


def test_the_constant_is_added(linear: MakeLinear) -> None:
    assert linear("发票", constant=-1.5).scores([views("快递到了")]).tolist() == [-1.5]


def test_no_text_has_no_score(linear: MakeLinear) -> None:
    assert linear("发票").scores([]).tolist() == []


def test_probabilities_rise_with_the_score(linear: MakeLinear) -> None:
    low, high = linear("发票").probabilities([views("快递到了"), views("发票")])

    assert low == pytest.approx(1 / (1 + np.exp(0.5)))
    assert low < high < 1


def test_no_score_is_too_large_for_a_probability() -> None:
    chances = Calibration(1e4, 0.0).probabilities(np.array([-1e4, 0.0, 1e4]))

    assert chances.tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_an_explanation_names_the_pieces_that_weigh(linear: MakeLinear) -> None:
    (found,) = linear("发票", constant=3.0).explain(views("诚信代开发票，来电"))

    assert (found.piece, found.start, found.end) == ("发票", 4, 6)
    assert found.weight > 0


def test_what_speaks_against_is_told_apart() -> None:
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    (first, *_) = levels_of([views("代快")], SPAM_GRAMS)
    weights[first.buckets[1]], weights[first.buckets[2]] = 1.0, -2.0

    found = LinearModel(weights, Calibration(1, 0)).explain(views("代快递"))

    assert [(one.piece, one.weight > 0) for one in found] == [("快", False), ("代", True)]


def test_numbers_are_not_told(linear: MakeLinear) -> None:
    (found,) = linear("13800").explain(views("请回电13800"))

    assert found.piece == "00000"


@given(st.text(st.characters(), max_size=40))
def test_an_explanation_has_pieces_of_the_text_apart_from_each_other(text: str) -> None:
    seen = views(text)

    found = RANDOM.explain(seen, 100)

    by_place = sorted(found, key=lambda one: one.start)
    assert all(one.end <= other.start for one, other in pairwise(by_place))
    for one in found:
        assert re.sub("[0-9]", "0", seen.folded[one.start : one.end]) == one.piece
        assert one.weight != 0
    assert [abs(one.weight) for one in found] == sorted(
        (abs(one.weight) for one in found), reverse=True
    )


def test_a_romanised_syllable_is_explained_as_it_is_written(linear: MakeLinear) -> None:
    text = views("代开发piao")
    assert len(text.sound) < len(text.folded)

    (found,) = linear("代").explain(text)

    assert found.piece == "代"


def test_an_explanation_is_no_longer_than_asked_for() -> None:
    assert len(RANDOM.explain(views("代开各类发票，欢迎来电咨询"), 2)) == 2


def test_what_weighs_nothing_explains_nothing(linear: MakeLinear) -> None:
    assert linear("发票").explain(views("快递")) == ()


@pytest.fixture
def categories() -> CategoryModel:
    """Return a model that takes every text for a loan, and 赌 for gambling."""
    rows = np.zeros((2, CATEGORY_BUCKETS + 1), dtype=np.float32)
    rows[1, -1] = 0.5
    (first, *_) = levels_of([views("赌")], CATEGORY_GRAMS)
    rows[0, first.buckets[1] & (CATEGORY_BUCKETS - 1)] = 9.0
    return CategoryModel(("gambling", "loan"), rows)


def test_the_likeliest_category_is_named(categories: CategoryModel) -> None:
    found = categories.categories([views("网上赌场"), views("当天放款")])

    assert found == ("gambling", "loan")


def test_no_text_has_no_category(categories: CategoryModel) -> None:
    assert categories.categories([]) == ()
    assert categories.scores([]).shape == (0, 2)
