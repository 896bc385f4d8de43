"""The loops of the dual coordinate descent, compiled."""

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.compiler import compiled, float32, float64, int32, int64

# A sample that is right by more than this beyond the margin is left out for a while.
_SETTLED = 0.3


@compiled(float64[::1](float32[::1], int64[::1]))
def lengths_of(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the square of the length of each row."""
    lengths = np.zeros(len(starts) - 1)
    for row in range(len(lengths)):
        for at in range(starts[row], starts[row + 1]):
            lengths[row] += values[at] * values[at]
    return lengths


@compiled(
    float64(
        int64[::1],
        int32[::1],
        float32[::1],
        int64[::1],
        float64[::1],
        float64[::1],
        float64[::1],
        float64[::1],
        float64[::1],
    )
)
def go_through(  # noqa: PLR0913, PLR0917 - compiled code takes arrays, no objects
    order: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
    starts: NDArray[np.int64],
    signs: NDArray[np.float64],
    curvatures: NDArray[np.float64],
    softness: NDArray[np.float64],
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    """Take one step for each row of `order`, changing `shares` and `weights`; return the worst.

    The rows to go on with are written over the first of `order`, and -1 behind the last of
    them, unless all are.
    """
    kept = 0
    worst = 0.0
    for place in range(len(order)):
        row = order[place]
        product = 0.0
        for at in range(starts[row], starts[row + 1]):
            product += weights[columns[at]] * values[at]
        share = shares[row]
        slope = signs[row] * product - 1 + softness[row] * share
        if share == 0 and slope > 0:
            if slope < _SETTLED:
                order[kept] = row
                kept += 1
            continue
        order[kept] = row
        kept += 1
        worst = max(worst, abs(slope))
        shares[row] = max(share - slope / curvatures[row], 0.0)
        step = (shares[row] - share) * signs[row]
        for at in range(starts[row], starts[row + 1]):
            weights[columns[at]] += step * values[at]
    if kept < len(order):
        order[kept] = -1
    return worst
