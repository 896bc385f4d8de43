"""Linear models over the n-grams: scores of a whole batch, probabilities, explanations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.filter.model.features import (
    BUCKETS,
    CATEGORY_GRAMS,
    SPAM_GRAMS,
    levels_of,
    signs_of,
)
from gateway.filter.views import Views

# Categories need less room than spam: fewer texts, fewer n-grams.
CATEGORY_BUCKET_BITS = 16
CATEGORY_BUCKETS = 1 << CATEGORY_BUCKET_BITS

_LARGEST_EXPONENT = 500.0
_TOLD, _NOTHING = 0.25, 1e-9
_DIGITS = re.compile("[0-9]")

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a score becomes the probability of spam (Platt): 1 / (1 + exp(-slope s - offset))."""

    slope: float
    offset: float

    def probabilities(self, scores: Floats) -> Floats:
        """Return the probability for each score."""
        exponents = np.clip(-self.slope * scores - self.offset, None, _LARGEST_EXPONENT)
        return np.asarray(1 / (1 + np.exp(exponents)))


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a piece of the folded view, from `start` to before `end`, adds to the score.

    `piece` has every digit as 0: numbers are no evidence for anybody to read.
    """

    piece: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """The weights of one traffic class: of BUCKETS n-grams, then of SIGNS.

    The sum over a text is divided by the root of the number of its n-grams, so that a long
    text weighs no more than a short one. It was trained that way.
    """

    weights: Weights
    calibration: Calibration

    def scores(self, batch: Sequence[Views]) -> Floats:
        """Return the score of each text: above 0 it is rather spam than not."""
        if not batch:
            return np.zeros(0)
        sums = np.zeros(len(batch))
        counts = np.zeros(len(batch))
        for level in levels_of(batch, SPAM_GRAMS):
            sums += level.sums(self.weights)
            counts += level.counts()
        return np.asarray(sums / np.sqrt(counts) + signs_of(batch) @ self.weights[BUCKETS:])

    def probabilities(self, batch: Sequence[Views]) -> Floats:
        """Return the probability of spam of each text."""
        return self.calibration.probabilities(self.scores(batch))

    def explain(self, views: Views, maximum: int = 8) -> tuple[Contribution, ...]:
        """Return the pieces that made the score what it is, the strongest first, for or against.

        Every n-gram shares its weight among its characters; a piece is a run of characters
        that all add, or all take, a good part of what the strongest one does.
        """
        shares = self._by_character(views)
        least = _TOLD * float(np.abs(shares).max(initial=0.0))
        kinds = np.where(np.abs(shares) >= max(least, _NOTHING), np.sign(shares), 0)
        found: list[Contribution] = []
        start = 0
        for end in range(1, len(kinds) + 1):
            if end < len(kinds) and kinds[end] == kinds[start]:
                continue
            if kinds[start]:
                piece = _DIGITS.sub("0", views.folded[start:end])
                found.append(Contribution(piece, start, end, float(shares[start:end].sum())))
            start = end
        found.sort(key=lambda one: (-abs(one.weight), one.start))
        return tuple(found[:maximum])

    def _by_character(self, views: Views) -> Floats:
        """Return what each character of the folded view adds to the score."""
        length = len(views.folded) + 2
        shares = np.zeros(length)
        count = 0.0
        for level in levels_of([views], SPAM_GRAMS):
            count += float(level.counts()[0])
            weights = self.weights[level.buckets].astype(np.float64)
            for first, past in zip(level.first, level.past, strict=True):
                # How a text sounds may be shorter than how it is written (fapiao as two Han).
                if past > first and past - first + level.length - 1 == length:
                    even = np.full(level.length, 1 / level.length)
                    shares += np.convolve(weights[first:past], even)
        return np.asarray(shares[1:-1] / np.sqrt(count))


@dataclass(frozen=True, slots=True, eq=False)
class CategoryModel:
    """Tells what a spam is about: one row of CATEGORY_BUCKETS and a constant for each of `ids`.

    `ids` are of gateway.domain.categories.
    """

    ids: tuple[str, ...]
    weights: Weights

    def scores(self, batch: Sequence[Views]) -> Floats:
        """Return one row for each text, one column for each of `ids`."""
        scores = np.tile(self.weights[:, CATEGORY_BUCKETS].astype(np.float64), (len(batch), 1))
        if not batch:
            return scores
        sums = np.zeros((len(batch), len(self.ids)))
        counts = np.zeros(len(batch))
        for level in levels_of(batch, CATEGORY_GRAMS):
            level.buckets &= CATEGORY_BUCKETS - 1
            counts += level.counts()
            for column, weights in enumerate(self.weights):
                sums[:, column] += level.sums(weights)
        return np.asarray(scores + sums / np.sqrt(counts)[:, None])

    def categories(self, batch: Sequence[Views]) -> tuple[str, ...]:
        """Return the likeliest category of each text."""
        return tuple(self.ids[best] for best in self.scores(batch).argmax(axis=1).tolist())
