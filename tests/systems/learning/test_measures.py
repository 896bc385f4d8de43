import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.learning.evaluation import (
    auc,
    best_f1,
    calibration_error,
    f1,
    macro_f1,
    reliability,
    share_above,
    threshold_at,
)

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20).map(np.array)


@given(SCORES, st.floats(0, 1))
def test_no_more_innocent_texts_than_tolerated_stand_above_the_threshold(
    innocent: np.ndarray[tuple[int], np.dtype[np.float64]], tolerated: float
) -> None:
    threshold = threshold_at(innocent, tolerated)

    assert share_above(innocent, threshold) <= tolerated


def test_a_threshold_tolerates_as_many_as_it_may() -> None:
    innocent = np.arange(100.0)

    assert share_above(innocent, threshold_at(innocent, 0.05)) == 0.05
    assert threshold_at(innocent, 0.0) == 99


def test_no_scores_have_no_share() -> None:
    assert share_above(np.zeros(0), 0.0) == 0.0


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order(
    innocent: np.ndarray[tuple[int], np.dtype[np.float64]],
    spam: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    pairs = [(a < b) + (a == b) / 2 for a in innocent for b in spam]

    assert auc(innocent, spam) == pytest.approx(sum(pairs) / len(pairs))


@given(SCORES, SCORES)
def test_the_best_f1_is_that_of_the_best_threshold(
    innocent: np.ndarray[tuple[int], np.dtype[np.float64]],
    spam: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    scores = np.concatenate((innocent, spam))
    is_spam = np.repeat([False, True], [len(innocent), len(spam)])

    value, threshold = best_f1(innocent, spam)

    assert value == pytest.approx(max(f1(scores >= one, is_spam) for one in scores))
    assert f1(scores >= threshold, is_spam) == pytest.approx(value)


def test_f1_of_nothing_found_and_nothing_to_find_is_0() -> None:
    assert f1(np.array([False]), np.array([False])) == 0


def test_probabilities_that_come_true_have_no_error() -> None:
    chances = np.repeat([0.25, 0.75], 4)
    is_spam = np.array([True, False, False, False, True, True, True, False])

    bins = reliability(chances, is_spam)

    assert [(one.count, one.probability, one.spam) for one in bins] == [
        (4, 0.25, 0.25),
        (4, 0.75, 0.75),
    ]
    assert calibration_error(bins) == 0


def test_a_certainty_that_is_wrong_is_the_largest_error() -> None:
    bins = reliability(np.ones(3), np.zeros(3, dtype=np.bool_))

    assert calibration_error(bins) == 1
    assert calibration_error(()) == 0


def test_every_category_counts_alike() -> None:
    assert macro_f1(["a", "a", "a", "b"], ["a", "a", "a", "b"]) == 1
    assert macro_f1(["a", "a", "a", "a"], ["a", "a", "a", "b"]) == pytest.approx(6 / 7 / 2)
