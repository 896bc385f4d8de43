import numpy as np
import pytest

from gateway.systems.learning.linear_model import calibrated


def test_probabilities_come_true() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(0, 2, 20_000)
    is_spam = rng.random(20_000) < 1 / (1 + np.exp(-1.5 * scores + 0.7))

    found = calibrated(scores[~is_spam], scores[is_spam])

    assert found.slope == pytest.approx(1.5, rel=0.1)
    assert found.offset == pytest.approx(-0.7, abs=0.1)


def test_scores_that_part_wholly_make_no_certainty() -> None:
    found = calibrated(np.full(20, -1.0), np.full(20, 1.0))

    low, high = found.probabilities(np.array([-1.0, 1.0]))
    assert 0.01 < low < 0.1
    assert 0.9 < high < 0.99


def test_scores_the_wrong_way_round_are_not_believed() -> None:
    found = calibrated(np.array([1.0, 2.0]), np.array([-1.0, -2.0]))

    assert 0 < found.slope < 0.01
