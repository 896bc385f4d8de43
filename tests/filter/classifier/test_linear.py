import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_BUCKETS,
    CATEGORY_GRAMS,
    SIGNS,
    SPAM_GRAMS,
    Calibration,
    CategoryModel,
    LinearModel,
    levels_of,
)
from gateway.filter.normalise.views import Views
from gateway.kernel.gram_loops import FEW
from tests.filter.classifier import plainly
from tests.kernel.forms import Form, in_both_forms

MakeLinear = Callable[..., LinearModel]

RANDOM = LinearModel(
    np.random.default_rng(3).normal(size=BUCKETS + len(SIGNS)).astype(np.float32),
    Calibration(1.0, 0.0),
)


TEXTS = st.lists(st.text(st.characters(), max_size=30), max_size=5)


@in_both_forms
@given(texts=TEXTS)
def test_a_score_is_the_sum_of_the_weights_of_what_is_read(form: Form, texts: list[str]) -> None:
    batch = [Views(text) for text in texts]

    with form():
        scores = RANDOM.scores(batch)

    weights = RANDOM.weights.astype(np.float16).astype(np.float64)
    expected = [
        weights[found].sum() / np.sqrt(FEW + len(found))
        + weights[BUCKETS:] @ np.array(plainly.signs(text), dtype=np.float32)
        for text in batch
        for found in [plainly.buckets(text, SPAM_GRAMS)]
    ]
    assert scores.tolist() == pytest.approx(expected, abs=1e-5)


@in_both_forms
@given(texts=TEXTS)
def test_a_category_scores_the_weights_of_its_row(form: Form, texts: list[str]) -> None:
    rows = np.random.default_rng(2).normal(size=(3, CATEGORY_BUCKETS + 1)).astype(np.float32)
    batch = [Views(text) for text in texts]

    with form():
        scores = CategoryModel(("gambling", "loan", "retail"), rows).scores(batch)

    assert scores.shape == (len(batch), 3)
    for text, found in zip(batch, scores, strict=True):
        buckets = np.array(plainly.buckets(text, CATEGORY_GRAMS)) & (CATEGORY_BUCKETS - 1)
        expected = rows[:, buckets].sum(axis=1) / np.sqrt(FEW + len(buckets)) + rows[:, -1]
        assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-5)


@given(TEXTS)
def test_a_text_has_the_same_score_alone_and_among_others(texts: list[str]) -> None:
    batch = [Views(text) for text in texts]

    together = RANDOM.scores(batch)

    alone = [float(RANDOM.scores([text])[0]) for text in batch]
    assert together.tolist() == alone
    assert np.isfinite(together).all()


def test_what_a_half_cannot_say_exactly_weighs_nothing() -> None:
    weights = np.full(BUCKETS + len(SIGNS), 5e-5, dtype=np.float32)
    weights[-1] = -7e-5

    (score,) = LinearModel(weights, Calibration(1.0, 0.0)).scores([Views("代开发票")])

    assert score == pytest.approx(-7e-5, rel=1e-3)


def test_the_words_of_spam_score(linear: MakeLinear) -> None:
    invoice = linear("发票")

    guilty, innocent = invoice.scores([Views("代开发票"), Views("快递到了")])

    assert guilty > 0
    assert innocent == 0


def test_a_text_twice_as_long_does_not_weigh_twice(linear: MakeLinear) -> None:
    invoice = linear("代开发票")

    once, twice = invoice.scores([Views("发票"), Views("代开发票")])

    assert once < twice < 2 * once


def test_the_constant_is_added(linear: MakeLinear) -> None:
    assert linear("发票", constant=-1.5).scores([Views("快递到了")]).tolist() == [-1.5]


def test_no_text_has_no_score(linear: MakeLinear) -> None:
    assert linear("发票").scores([]).tolist() == []


@in_both_forms
def test_probabilities_rise_with_the_score(form: Form, linear: MakeLinear) -> None:
    with form():
        low, high = linear("发票").probabilities([Views("快递到了"), Views("发票")])

    assert low == pytest.approx(1 / (1 + np.exp(0.5)))
    assert low < high < 1


def test_no_score_is_too_large_for_a_probability() -> None:
    chances = Calibration(1e4, 0.0).probabilities(np.array([-1e4, 0.0, 1e4]))

    assert chances.tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_an_explanation_names_the_pieces_that_weigh(linear: MakeLinear) -> None:
    (found,) = linear("发票", constant=3.0).explain(Views("诚信代开发票，来电"))

    assert (found.piece, found.start, found.end) == ("发票", 4, 6)
    assert found.weight > 0


def test_what_speaks_against_is_told_apart() -> None:
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    singles = next(levels_of(Views("代快"), SPAM_GRAMS))
    weights[singles.buckets[1]], weights[singles.buckets[2]] = 1.0, -2.0

    found = LinearModel(weights, Calibration(1, 0)).explain(Views("代快递"))

    assert [(one.piece, one.weight > 0) for one in found] == [("快", False), ("代", True)]


def test_numbers_are_not_told(linear: MakeLinear) -> None:
    (found,) = linear("13800").explain(Views("请回电13800"))

    assert found.piece == "00000"


@given(st.text(st.characters(), max_size=40))
def test_an_explanation_has_pieces_of_the_text_apart_from_each_other(text: str) -> None:
    seen = Views(text)

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
    text = Views("代开发piao")
    assert len(text.sound) < len(text.folded)

    (found,) = linear("代").explain(text)

    assert found.piece == "代"


def test_an_explanation_is_no_longer_than_asked_for() -> None:
    assert len(RANDOM.explain(Views("代开各类发票，欢迎来电咨询"), 2)) == 2


def test_what_weighs_nothing_explains_nothing(linear: MakeLinear) -> None:
    assert linear("发票").explain(Views("快递")) == ()


@pytest.fixture
def categories() -> CategoryModel:
    """Return a model that takes every text for a loan, and 赌 for gambling."""
    rows = np.zeros((2, CATEGORY_BUCKETS + 1), dtype=np.float32)
    rows[1, -1] = 0.5
    singles = next(levels_of(Views("赌"), CATEGORY_GRAMS))
    rows[0, singles.buckets[1] & (CATEGORY_BUCKETS - 1)] = 9.0
    return CategoryModel(("gambling", "loan"), rows)


def test_the_likeliest_category_is_named(categories: CategoryModel) -> None:
    found = categories.categories([Views("网上赌场"), Views("当天放款")])

    assert found == ["gambling", "loan"]


def test_no_text_has_no_category(categories: CategoryModel) -> None:
    assert categories.categories([]) == []
    assert categories.scores([]).shape == (0, 2)


def test_weights_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1048576,\), not \(1048584,\)"):
        LinearModel(np.zeros(BUCKETS, dtype=np.float32), Calibration(1.0, 0.0))
    with pytest.raises(ValueError, match=r"\(2, 65536\), not \(2, 65537\)"):
        CategoryModel(("gambling", "loan"), np.zeros((2, CATEGORY_BUCKETS), dtype=np.float32))
