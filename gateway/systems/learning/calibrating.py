"""The probability that belongs to a score, fitted on texts that were not trained on."""

import numpy as np

from gateway.filter.model.linear import Calibration
from gateway.systems.learning.measures import Floats

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
