"""How far the labels of each source are believed, beside those of the others.

Where many people were asked what they call spam, like texts have unlike labels, and to follow
them spoils what the other sources teach.
"""

from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gateway.systems.learning.measures import Floats, auc
from gateway.systems.learning.occurrences import Matrix
from gateway.systems.learning.samples import Sample, campaign_of

_FEWEST = 20
# Where spam stands above ham nine times of ten, (2 * 0.9 - 1) ** 12 is left of it: a fourteenth.
_POWER = 12
_LEAST = 0.05

Rows = NDArray[np.int64]
Fit = Callable[[Matrix, Rows], Floats]


def trust_in(samples: Sequence[Sample], matrix: Matrix, fit: Fit) -> dict[str, float]:
    """Return for each origin, between 0 and 1, how well its labels can be foretold.

    What `fit` learns of half the campaigns is tried on the other half, either way; row r of
    `matrix` is `samples[r]`, further rows do not count. The best origin has 1. Those of one
    label alone, or of only a few of either, cannot be tried and are left out; of a single one
    there is nothing to say.
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
        found[origin] = max(parted, 0.0) ** _POWER
    best = max(*found.values(), _LEAST)
    return {origin: max(trust / best, _LEAST) for origin, trust in found.items()}


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
