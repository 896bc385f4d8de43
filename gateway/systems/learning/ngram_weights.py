"""How much each n-gram tells by itself, so that training leans on those that tell much.

After Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification"
(ACL 2012): the values of an n-gram are multiplied by the log of how much likelier it is in one
label than in the other. Its sign is left to the training. What is learnt stays linear: the
factor goes into the weight.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gateway.systems.learning.measures import Floats, Marks
from gateway.systems.learning.occurrences import Matrix

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
