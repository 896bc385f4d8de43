"""A linear model of the n-grams of many texts: matrix, weights, trust, descent, calibration.

Weights: Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
Classification" (ACL 2012). The values of an n-gram are multiplied by the log of how much likelier
it is in one label than in the other. Its sign is left to the training. What is learnt stays
linear: the factor goes into the weight.

Descent: Hsieh, Chang, Lin, Keerthi and Sundararajan, "A Dual Coordinate Descent Method for
Large-scale Linear SVM" (ICML 2008), with squared loss: one pass over the samples needs neither a
step width nor the matrix a second time, and the end is the same for every order.

Trust: where many people were asked what they call spam, like texts have unlike labels, and to
follow them spoils what the other sources teach.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gateway.filter.classifier.linear import (
    BUCKET_BITS,
    BUCKETS,
    SIGNS,
    SPAM_GRAMS,
    Calibration,
    Grams,
    buckets_of,
    signs_of,
)
from gateway.filter.normalise.views import Views
from gateway.kernel.gram_loops import FEW, go_through, lengths_of
from gateway.systems.learning.evaluation import Floats, Marks, auc
from gateway.systems.learning.samples import Sample, campaign_of

_TEXTS_AT_ONCE = 1000

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Row r has `values[starts[r]:starts[r + 1]]` in the columns of the same places."""

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    starts: NDArray[np.int64]
    width: int

    def products(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product of each row and `weights`."""
        summed = np.zeros(len(self.values) + 1)
        np.cumsum(weights[self.columns] * self.values, out=summed[1:])
        return np.asarray(summed[self.starts[1:]] - summed[self.starts[:-1]])


def spam_matrix(texts: Sequence[Views], told: Told) -> Matrix:
    """Return what LinearModel multiplies its weights with; `told` hears of each text done."""
    return _matrix(texts, SPAM_GRAMS, BUCKET_BITS, told, with_signs=True)


def category_matrix(texts: Sequence[Views], grams: Sequence[Grams], bucket_bits: int) -> Matrix:
    """Return what CategoryModel multiplies its weights with."""
    return _matrix(texts, grams, bucket_bits, lambda _: None, with_signs=False)


def _matrix(
    texts: Sequence[Views],
    grams: Sequence[Grams],
    bucket_bits: int,
    told: Told,
    *,
    with_signs: bool,
) -> Matrix:
    columns, values, counts = [], [], []
    buckets = 1 << bucket_bits
    width = buckets + (len(SIGNS) if with_signs else 1)
    for at in range(0, len(texts), _TEXTS_AT_ONCE):
        batch = texts[at : at + _TEXTS_AT_ONCE]
        rows, found, value = _counted(batch, grams, bucket_bits)
        signs = signs_of(batch) if with_signs else np.ones((len(batch), 1), dtype=np.float32)
        rows = np.concatenate((rows, np.repeat(np.arange(len(batch)), signs.shape[1])))
        found = np.concatenate((found, np.tile(np.arange(buckets, width), len(batch))))
        value = np.concatenate((value, signs.ravel()))
        order = np.argsort(rows, kind="stable")
        columns.append(found[order].astype(np.int32))
        values.append(value[order].astype(np.float32))
        counts.append(np.bincount(rows, minlength=len(batch)))
        told(len(batch))
    starts = np.concatenate(([0], np.cumsum(np.concatenate(counts))))
    return Matrix(np.concatenate(columns), np.concatenate(values), starts, width)


def _counted(
    batch: Sequence[Views], grams: Sequence[Grams], bucket_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return row, bucket and count, by the root of the n-grams and FEW, of what is in a batch."""
    buckets, counts = buckets_of(batch, grams)
    rows = np.repeat(np.arange(len(batch)), counts)
    keys = (rows << BUCKET_BITS) | (buckets & ((1 << bucket_bits) - 1))
    distinct, times = np.unique(keys, return_counts=True)
    rows = distinct >> BUCKET_BITS
    totals = np.bincount(rows, weights=times, minlength=len(batch))
    return rows, distinct & (BUCKETS - 1), times / np.sqrt(FEW + totals)[rows]


# What tells nothing, as it stands in both labels alike, may still tell something beside others.
_LEAST = 0.1
_ROWS_AT_ONCE = 4000


def scale_of(
    matrix: Matrix,
    is_spam: Marks,
    importance: Floats,
    *,
    kept: int,
    smoothing: float,
    emphasis: float = 1.0,
) -> Floats:
    """Return a factor for each column: 1 for the last `kept`, which are no n-grams.

    Each row counts as so many texts as its `importance`, and each n-gram as if it had stood in
    `smoothing` more of either label. The mean square of the factors, by how often each is
    used, is 1: values are as large as they were. That is before they are taken to the power
    of `emphasis`, which beyond 1 leans more on what tells much.
    """
    ham, spam = np.zeros(matrix.width), np.zeros(matrix.width)
    used = np.zeros(matrix.width)
    for first, past in _blocks(matrix):
        columns, lengths = _block(matrix, first, past)
        counted = np.repeat(importance[first:past], lengths)
        from_spam = np.repeat(is_spam[first:past], lengths)
        spam += np.bincount(columns[from_spam], counted[from_spam], matrix.width)
        ham += np.bincount(columns[~from_spam], counted[~from_spam], matrix.width)
        used += np.bincount(columns, minlength=matrix.width)
    in_spam, in_ham = spam + smoothing, ham + smoothing
    ratios = np.log(in_spam / in_spam.sum()) - np.log(in_ham / in_ham.sum())
    scale = np.abs(ratios) + _LEAST
    scale /= np.sqrt((used * scale * scale).sum() / max(used.sum(), 1))
    scale **= emphasis
    scale[len(scale) - kept :] = 1
    return np.asarray(scale)


def scaled(matrix: Matrix, scale: Floats) -> Matrix:
    """Return `matrix` with each value multiplied by the factor of its column."""
    factors: NDArray[np.float32] = scale.astype(np.float32)
    values = matrix.values.copy()
    for first, past in _blocks(matrix):
        block = slice(matrix.starts[first], matrix.starts[past])
        values[block] *= factors[matrix.columns[block]]
    return replace(matrix, values=values)


def _blocks(matrix: Matrix) -> Iterator[tuple[int, int]]:
    rows = len(matrix.starts) - 1
    yield from ((at, min(at + _ROWS_AT_ONCE, rows)) for at in range(0, rows, _ROWS_AT_ONCE))


def _block(matrix: Matrix, first: int, past: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    starts = matrix.starts[first : past + 1]
    return matrix.columns[starts[0] : starts[-1]], np.diff(starts)


# Samples far beyond the margin are left out; all are asked again now and then, and at the end.
_ALL_EVERY = 6


@dataclass(frozen=True, slots=True)
class Descent:
    """How long to go on, and what a sample on the wrong side costs.

    `cost` is C: the larger, the closer to the samples; `tolerance` is the largest violation
    of the optimum that ends it before `passes`.
    """

    cost: float = 16.0
    passes: int = 10
    tolerance: float = 0.1
    seed: int = 1

    def fit(
        self,
        matrix: Matrix,
        is_spam: NDArray[np.bool_],
        importance: NDArray[np.float64],
        told: Callable[[int], None] = lambda _: None,
    ) -> NDArray[np.float64]:
        """Return the weights of the columns; each sample costs `importance` times `cost`.

        `told` hears of each pass.
        """
        signs = np.where(is_spam, 1.0, -1.0)
        softness = 0.5 / (self.cost * importance)
        curvatures = lengths_of(matrix.values, matrix.starts) + softness
        weights, shares = np.zeros(matrix.width), np.zeros(len(signs))
        rng = np.random.default_rng(self.seed)
        everybody = np.arange(len(signs))
        active = everybody
        for turn in range(self.passes):
            is_full = turn % _ALL_EVERY <= 1
            order = rng.permutation(everybody if is_full else active)
            worst = go_through(
                order,
                matrix.columns,
                matrix.values,
                matrix.starts,
                signs,
                curvatures,
                softness,
                shares,
                weights,
            )
            ended = np.flatnonzero(order < 0)
            active = order[: ended[0]] if len(ended) else order
            told(1)
            if worst < self.tolerance and is_full:
                break
        return weights


_FEWEST = 20
_LEAST_TRUST = 0.05

Rows = NDArray[np.int64]
Fit = Callable[[Matrix, Rows], Floats]


def trust_in(
    samples: Sequence[Sample], matrix: Matrix, fit: Fit, distrust: int
) -> dict[str, float]:
    """Return for each origin, between 0 and 1, how well its labels can be foretold.

    What `fit` learns of half the campaigns is tried on the other half, either way; row r of
    `matrix` is `samples[r]`, further rows do not count. The best origin has 1. Those of one
    label alone, or of only a few of either, cannot be tried and are left out; of a single one
    there is nothing to say. Where spam stands above ham nine times of ten, (2 * 0.9 - 1) to the
    power of `distrust` is left of the trust: with 12 a fourteenth.
    """
    is_spam = np.array([one.is_spam for one in samples], dtype=np.bool_)
    origins = np.array([one.origin for one in samples])
    tried = [one for one in sorted(set(origins.tolist())) if _is_enough(is_spam[origins == one])]
    if len(tried) < 2:
        return {}
    halves = np.array([crc32(campaign_of(one).encode(errors="replace")) & 1 for one in samples])
    scores = np.zeros(len(samples))
    for half in (0, 1):
        taught, tested = np.flatnonzero(halves == half), np.flatnonzero(halves != half)
        weights = fit(rows_of(matrix, taught), taught)
        scores[tested] = rows_of(matrix, tested).products(weights)
    found = {}
    for origin in tried:
        own = origins == origin
        parted = 2 * auc(scores[own & ~is_spam], scores[own & is_spam]) - 1
        found[origin] = max(parted, 0.0) ** distrust
    best = max(*found.values(), _LEAST_TRUST)
    return {origin: max(trust / best, _LEAST_TRUST) for origin, trust in found.items()}


def rows_of(matrix: Matrix, rows: Rows) -> Matrix:
    """Return the matrix of some `rows` of another, in their order."""
    lengths = np.diff(matrix.starts)[rows]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    within = np.arange(int(starts[-1])) - np.repeat(starts[:-1], lengths)
    places = within + np.repeat(matrix.starts[rows], lengths)
    return Matrix(matrix.columns[places], matrix.values[places], starts, matrix.width)


def _is_enough(is_spam: NDArray[np.bool_]) -> bool:
    spam = int(is_spam.sum())
    return min(spam, len(is_spam) - spam) >= _FEWEST


_STEPS = 60
_LEAST_SLOPE = 1e-3


def calibrated(innocent: Floats, spam: Floats) -> Calibration:
    """Return the sigmoid that fits best (Platt 1999, with the targets of Lin, Lin and Weng 2007).

    The targets stay away from 0 and 1, so that scores that part the two wholly do not make a
    certainty of every text.
    """
    scores = np.concatenate((innocent, spam))
    low, high = 1 / (len(innocent) + 2), (len(spam) + 1) / (len(spam) + 2)
    targets = np.repeat([low, high], [len(innocent), len(spam)])
    slope, offset = 1.0, 0.0
    for _ in range(_STEPS):
        chances = Calibration(slope, offset).probabilities(scores)
        missed, weight = targets - chances, chances * (1 - chances) + 1e-12
        a, b, c = (weight * scores * scores).sum(), (weight * scores).sum(), weight.sum()
        gradient_slope, gradient_offset = (missed * scores).sum(), missed.sum()
        scale = a * c - b * b + 1e-9
        step_slope = (c * gradient_slope - b * gradient_offset) / scale
        step_offset = (a * gradient_offset - b * gradient_slope) / scale
        # Far from the end a whole step may overshoot into where the sigmoid is flat.
        damping = min(1.0, 2.0 / max(abs(step_slope), abs(step_offset), 1e-12))
        slope, offset = slope + damping * step_slope, offset + damping * step_offset
    return Calibration(max(float(slope), _LEAST_SLOPE), float(offset))
