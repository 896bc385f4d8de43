"""How well scores part spam from innocent texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """Of `count` texts with a like probability: the mean of it, and the share that was spam."""

    count: int
    probability: float
    spam: float


def threshold_at(innocent: Floats, tolerated: float) -> float:
    """Return the score above which no more than `tolerated` of the innocent texts stand."""
    falling = np.sort(innocent)[::-1]
    return float(falling[min(int(tolerated * len(falling)), len(falling) - 1)])


def share_above(scores: Floats, threshold: float) -> float:
    """Return which share of `scores` stands above `threshold`, 0 of none."""
    return float((scores > threshold).mean()) if len(scores) else 0.0


def auc(innocent: Floats, spam: Floats) -> float:
    """Return how often a spam has a higher score than an innocent text (area under the ROC)."""
    rising = np.sort(innocent)
    below = np.searchsorted(rising, spam, side="left") + np.searchsorted(rising, spam, side="right")
    return float(below.mean() / 2 / len(rising))


def f1(found: Marks, is_spam: Marks) -> float:
    """Return the harmonic mean of precision and recall."""
    right = int((found & is_spam).sum())
    return 2 * right / max(int(found.sum()) + int(is_spam.sum()), 1)


def best_f1(innocent: Floats, spam: Floats) -> tuple[float, float]:
    """Return the best F1 that any threshold reaches, and the lowest score that it finds."""
    scores = np.concatenate((innocent, spam))
    is_spam = np.repeat([False, True], [len(innocent), len(spam)])
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(is_spam[order])
    values = 2 * right / (np.arange(1, len(order) + 1) + len(spam))
    # Equal scores are found together: only the last of them is a threshold.
    is_last = np.append(np.diff(scores[order]) != 0, True)
    best = int(np.where(is_last, values, -1).argmax())
    return float(values[best]), float(scores[order][best])


def reliability(probabilities: Floats, is_spam: Marks, bins: int = 10) -> tuple[Bin, ...]:
    """Return what became of each tenth of the probabilities; empty ones are left out."""
    places = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    return tuple(
        Bin(int(mask.sum()), float(probabilities[mask].mean()), float(is_spam[mask].mean()))
        for mask in (places == place for place in range(bins))
        if mask.any()
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return by how much probabilities and shares differ, on the mean over all texts."""
    count = sum(one.count for one in bins)
    return sum(one.count * abs(one.probability - one.spam) for one in bins) / max(count, 1)


def macro_f1(named: Sequence[str], true: Sequence[str]) -> float:
    """Return the mean F1 over the categories that there are in `true`."""
    found, known = np.array(named), np.array(true)
    each = [f1(found == name, known == name) for name in sorted(set(true))]
    return sum(each) / max(len(each), 1)
