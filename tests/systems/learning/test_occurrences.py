import numpy as np
import pytest

from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_BUCKET_BITS,
    CATEGORY_BUCKETS,
    CATEGORY_GRAMS,
    SIGNS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.normalise.views import Views
from gateway.systems.learning import linear_model
from gateway.systems.learning.linear_model import category_matrix, spam_matrix

TEXTS = [Views(text) for text in ("代开发票 13800", "", "您的快递到了", "Your parcel", "赌" * 300)]


def test_what_is_trained_on_is_what_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_model, "_TEXTS_AT_ONCE", 2)
    # As a model keeps them.
    weights = np.random.default_rng(1).normal(size=BUCKETS + len(SIGNS)).astype(np.float16)
    told: list[int] = []

    products = spam_matrix(TEXTS, told.append).products(weights.astype(np.float64))

    scores = LinearModel(weights.astype(np.float32), Calibration(1, 0)).scores(TEXTS)
    assert products.tolist() == pytest.approx(scores.tolist(), abs=1e-4)
    assert told == [2, 2, 1]


def test_categories_are_trained_on_what_is_scored() -> None:
    weights = np.random.default_rng(1).normal(size=CATEGORY_BUCKETS + 1)

    products = category_matrix(TEXTS, CATEGORY_GRAMS, CATEGORY_BUCKET_BITS).products(weights)

    scores = CategoryModel(("loan",), weights[None].astype(np.float32)).scores(TEXTS)
    assert products.tolist() == pytest.approx(scores[:, 0].tolist(), abs=1e-4)
