"""Models made by hand, whose every weight is known."""

from collections.abc import Callable

import numpy as np
import pytest

from gateway.filter.model.classes import TextClass
from gateway.filter.model.features import BUCKETS, SIGNS, SPAM_GRAMS, levels_of
from gateway.filter.model.linear import (
    CATEGORY_BUCKETS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.model.model import ClassModel, Model, Threshold
from gateway.filter.views import views

MakeLinear = Callable[..., LinearModel]


@pytest.fixture
def linear() -> MakeLinear:
    """Return what makes a model that knows only the characters of some words, weight 1 each."""

    def make(*words: str, constant: float = 0.0) -> LinearModel:
        weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
        for word in words:
            singles = next(levels_of(views(word), SPAM_GRAMS))
            # Without the edges that every text has.
            weights[singles.buckets[1:-1]] = 1.0
        weights[-1] = constant
        return LinearModel(weights, Calibration(2.0, -0.5))

    return make


@pytest.fixture
def model(linear: MakeLinear) -> Model:
    """Return a model of ports and of what has no Han, with two categories."""
    rows = np.zeros((2, CATEGORY_BUCKETS + 1), dtype=np.float32)
    rows[1, -1] = 0.5
    return Model(
        {
            TextClass.PORT: ClassModel(
                linear("发票"), (Threshold(0.001, 0.75), Threshold(0.01, 0.25))
            ),
            TextClass.FOREIGN: ClassModel(linear("casino", constant=-1.0), ()),
        },
        CategoryModel(("forged_documents", "loan"), rows),
        {"limits": "made by hand"},
    )
