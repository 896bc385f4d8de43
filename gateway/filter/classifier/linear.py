"""Linear models over the n-grams: scores of a whole batch, probabilities, explanations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.filter.model.features import (
    BUCKETS,
    CATEGORY_GRAMS,
    SHIFT,
    SIGNS,
    SPAM_GRAMS,
    NgramView,
    TextBatch,
    as_table,
    levels_of,
    read,
)
from gateway.filter.views import Views

# Categories need less room than spam: fewer texts, fewer n-grams.
CATEGORY_BUCKET_BITS = 16
CATEGORY_BUCKETS = 1 << CATEGORY_BUCKET_BITS

_TOLD, _NOTHING = 0.25, 1e-9
_DIGITS = re.compile("[0-9]")
_SPAM, _CATEGORY = as_table(SPAM_GRAMS), as_table(CATEGORY_GRAMS)

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a score becomes the probability of spam (Platt): 1 / (1 + exp(-slope s - offset))."""

    slope: float
    offset: float

    def probabilities(self, scores: Floats) -> Floats:
        """Return the probability for each score."""
        from gateway.filter.model.loops import chances  # noqa: PLC0415 - see LinearModel

        return chances(scores, self.slope, self.offset)


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

    Each n-gram of a text counts once. The sum is divided by the root of their number and FEW, so
    that neither a long text weighs by its length nor one word alone too much. It was trained
    that way. Scores are those of the weights in half precision, as a file keeps them; what is
    below 0.00006 counts as nothing.
    """

    weights: Weights
    calibration: Calibration
    _halves: NDArray[np.uint16] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Have the loops compiled now: no message waits for it, and who has no model never does.

        Raises ValueError for weights of another number: the loops look none of them over.
        """
        from gateway.filter.model import loops  # noqa: F401, PLC0415

        _check_shape(self.weights, (BUCKETS + len(SIGNS),))
        halves = self.weights.astype(np.float16)
        halves[np.abs(halves) < np.finfo(np.float16).smallest_normal] = 0
        object.__setattr__(self, "_halves", halves.view(np.uint16))

    def scores(self, batch: Sequence[Views]) -> Floats:
        """Return the score of each text: above 0 it is rather spam than not."""
        return self.scores_of(read(batch))

    def scores_of(self, batch: TextBatch) -> Floats:
        """Return the score of each text of a batch that is read already."""
        from gateway.filter.model.loops import spam_scores  # noqa: PLC0415

        codes, bounds, texts = batch
        scores = np.empty(texts)
        spam_scores(codes, bounds, _SPAM, SHIFT, self._halves, scores)
        return scores

    def probabilities(self, batch: Sequence[Views]) -> Floats:
        """Return the probability of spam of each text."""
        return self.calibration.probabilities(self.scores(batch))

    def explain(self, views: Views, maximum: int = 8) -> tuple[Contribution, ...]:
        """Return the pieces that made the score what it is, the strongest first, for or against.

        Every n-gram shares its weight among the characters where it stands; a piece is a run of
        characters that all add, or all take, a good part of what the strongest one does.
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
        from gateway.filter.model.loops import FEW  # noqa: PLC0415 - see LinearModel

        levels = list(levels_of(views, SPAM_GRAMS))
        met, times = np.unique(
            np.concatenate([level.buckets for level in levels]), return_counts=True
        )
        weights = self.weights[met].astype(np.float64) / times / np.sqrt(FEW + len(met))
        # How a text sounds may be shorter than how it is written (fapiao as two Han).
        is_as_written = len(views.sound) == len(views.folded)
        rises = np.zeros(len(views.folded) + 3)
        for level in levels:
            if level.view is not NgramView.SOUND or is_as_written:
                even = weights[np.searchsorted(met, level.buckets)] / (level.ends - level.starts)
                np.add.at(rises, level.starts, even)
                np.add.at(rises, level.ends, -even)
        return np.asarray(np.cumsum(rises)[1:-2])


@dataclass(frozen=True, slots=True, eq=False)
class CategoryModel:
    """Tells what a spam is about: one row of CATEGORY_BUCKETS and a constant for each of `ids`.

    `ids` are of gateway.domain.categories.
    """

    ids: tuple[str, ...]
    weights: Weights
    # What is looked up together lies together.
    _by_bucket: Weights = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Have the loops compiled, and raise ValueError, as LinearModel does."""
        from gateway.filter.model import loops  # noqa: F401, PLC0415

        _check_shape(self.weights, (len(self.ids), CATEGORY_BUCKETS + 1))
        object.__setattr__(self, "_by_bucket", np.ascontiguousarray(self.weights.T))

    def scores(self, batch: Sequence[Views]) -> Floats:
        """Return one row for each text, one column for each of `ids`."""
        return self._scored(read(batch))[0]

    def categories(self, batch: Sequence[Views]) -> list[str]:
        """Return the likeliest category of each text."""
        return self.categories_of(read(batch))

    def categories_of(self, batch: TextBatch) -> list[str]:
        """Return the likeliest category of each text of a batch that is read already."""
        return [self.ids[best] for best in self._scored(batch)[1].tolist()]

    def _scored(self, batch: TextBatch) -> tuple[Floats, NDArray[np.int64]]:
        from gateway.filter.model.loops import category_scores  # noqa: PLC0415

        codes, bounds, texts = batch
        scores = np.empty((texts, len(self.ids)))
        return scores, category_scores(codes, bounds, _CATEGORY, SHIFT, self._by_bucket, scores)


def _check_shape(weights: Weights, shape: tuple[int, ...]) -> None:
    if weights.shape != shape:
        raise ValueError(f"weights are {weights.shape}, not {shape}")
