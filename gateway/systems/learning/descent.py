"""A linear support vector machine by dual coordinate descent.

After Hsieh, Chang, Lin, Keerthi and Sundararajan, "A Dual Coordinate Descent Method for
Large-scale Linear SVM" (ICML 2008), with squared loss: one pass over the samples needs
neither a step width nor the matrix a second time, and the end is the same for every order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.systems.learning.descent_loop import go_through, lengths_of
from gateway.systems.learning.occurrences import Matrix

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
