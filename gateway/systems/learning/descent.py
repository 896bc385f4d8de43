"""A linear support vector machine by dual coordinate descent.

After Hsieh, Chang, Lin, Keerthi and Sundararajan, "A Dual Coordinate Descent Method for
Large-scale Linear SVM" (ICML 2008), with squared loss: one pass over the samples needs
neither a step width nor the matrix a second time, and the end is the same for every order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.systems.learning.occurrences import Matrix

# A sample beyond the margin by this much is left out for a while; all are asked again now
# and then, and at the end.
_SETTLED = 0.3
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
        squares = np.square(matrix.values, dtype=np.float64)
        lengths = np.add.reduceat(squares, matrix.starts[:-1])
        softness = 0.5 / (self.cost * importance)
        weights = np.zeros(matrix.width)
        state = _State(matrix, signs.tolist(), (lengths + softness).tolist(), softness.tolist())
        shares = [0.0] * len(signs)
        rng = np.random.default_rng(self.seed)
        everybody = np.arange(len(signs))
        active = everybody
        for turn in range(self.passes):
            is_full = turn % _ALL_EVERY <= 1
            asked = everybody if is_full else active
            kept, worst = state.go_through(rng.permutation(asked).tolist(), weights, shares)
            active = np.array(kept, dtype=np.int64)
            told(1)
            if worst < self.tolerance and is_full:
                break
        return weights


@dataclass(frozen=True, slots=True)
class _State:
    matrix: Matrix
    signs: list[float]
    curvatures: list[float]
    softness: list[float]

    def go_through(
        self, order: list[int], weights: NDArray[np.float64], shares: list[float]
    ) -> tuple[list[int], float]:
        """Take one step for each row of `order`; return the rows to go on with, and the worst."""
        starts = self.matrix.starts.tolist()
        all_columns, all_values = self.matrix.columns, self.matrix.values
        kept: list[int] = []
        worst = 0.0
        for row in order:
            columns = all_columns[starts[row] : starts[row + 1]]
            values = all_values[starts[row] : starts[row + 1]]
            sign, share = self.signs[row], shares[row]
            slope = sign * float(weights[columns] @ values) - 1 + self.softness[row] * share
            if share == 0 and slope > 0:
                if slope < _SETTLED:
                    kept.append(row)
                continue
            kept.append(row)
            worst = max(worst, abs(slope))
            shares[row] = max(share - slope / self.curvatures[row], 0.0)
            weights[columns] += (shares[row] - share) * sign * values
        return kept, worst
