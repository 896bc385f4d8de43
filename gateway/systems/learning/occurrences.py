"""N-grams of many texts as a sparse matrix, row by row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.filter.model.features import (
    BUCKET_BITS,
    BUCKETS,
    SIGNS,
    SPAM_GRAMS,
    Grams,
    buckets_of,
    signs_of,
)
from gateway.filter.model.loops import FEW
from gateway.filter.views import Views

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
