"""Models made by hand, whose every weight is known, and scorers that know one word."""

from collections.abc import Callable, Mapping, Sequence
from math import inf

import numpy as np
import pytest

from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_BUCKETS,
    SIGNS,
    SPAM_GRAMS,
    Calibration,
    CategoryModel,
    LinearModel,
    levels_of,
)
from gateway.filter.classifier.model import ClassModel, Model, Threshold
from gateway.filter.classifier.score import Piece, TextClass, TextScore
from gateway.filter.normalise.views import Views

MakeLinear = Callable[..., LinearModel]


@pytest.fixture
def linear() -> MakeLinear:
    """Return what makes a model that knows only the characters of some words, weight 1 each."""

    def make(*words: str, constant: float = 0.0) -> LinearModel:
        weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
        for word in words:
            singles = next(levels_of(Views(word), SPAM_GRAMS))
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


class WordScorer:
    """Finds texts guilty, from a share of innocent ones on, that hold a word; fails on others."""

    measured_from: Mapping[TextClass, float] = {TextClass.PORT: 0.001}

    def __init__(self, word: str, guilty_from: float = 0.005, fails_on: str = "") -> None:
        self.digest = f"knows {word}"
        self._word = word
        self._guilty_from = guilty_from
        self._fails_on = fails_on

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> list[TextScore]:
        if self._fails_on and any(self._fails_on in text.raw for text in texts):
            raise ArithmeticError("broken")
        return [
            TextScore(
                TextClass.PORT if is_port else TextClass.PERSON,
                0.5,
                guilty_from=self._guilty_from if self._word in text.raw else inf,
                measured_from=0.001,
            )
            for text in texts
        ]

    def pieces(self, _text: Views, maximum: int, *, is_port: bool = True) -> list[Piece]:
        return [Piece(self._word, 1.0 if is_port else 0.5)][:maximum]


Knowing = Callable[..., WordScorer]


@pytest.fixture
def knowing() -> Knowing:
    """Return what makes a scorer that knows one word."""
    return WordScorer
