"""Scorers whose every word is known, for the tests of what holds them."""

from collections.abc import Callable, Mapping, Sequence
from math import inf

import pytest

from gateway.filter.model.classes import TextClass
from gateway.filter.text_score import Piece, TextScore
from gateway.filter.views import Views


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
