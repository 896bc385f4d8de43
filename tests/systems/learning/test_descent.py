import numpy as np
import pytest

from gateway.systems.learning.linear_model import Descent, Matrix
from tests.kernel.forms import Form, in_both_forms


def dense(rows: list[list[float]]) -> Matrix:
    """Return a matrix of which every place is told."""
    values = np.array(rows, dtype=np.float32)
    height, width = values.shape
    columns = np.tile(np.arange(width, dtype=np.int32), height)
    return Matrix(columns, values.ravel(), np.arange(height + 1) * width, width)


def test_two_samples_have_the_margin_that_can_be_worked_out() -> None:
    # By symmetry w = (a, 0), and a minimises a^2 / 2 + 2 C max(0, 1 - a)^2.
    matrix = dense([[1, 0], [-1, 0]])

    weights = Descent(cost=1.0, passes=200, tolerance=1e-9).fit(
        matrix, np.array([True, False]), np.ones(2)
    )

    assert weights.tolist() == pytest.approx([4 / 5, 0], abs=1e-6)


@in_both_forms
def test_the_end_is_the_same_for_every_seed(form: Form) -> None:
    rng = np.random.default_rng(2)
    matrix = dense(rng.normal(size=(60, 8)).tolist())
    is_spam = rng.random(60) < 0.5

    with form():
        ends = [
            Descent(cost=0.5, passes=500, tolerance=1e-6, seed=seed).fit(
                matrix, is_spam, np.ones(60)
            )
            for seed in (1, 2)
        ]

    assert ends[0].tolist() == pytest.approx(ends[1].tolist(), abs=1e-4)


def test_what_is_important_is_believed() -> None:
    matrix = dense([[1.0], [1.0]])
    is_spam = np.array([True, False])

    weights = Descent(cost=1.0, passes=100).fit(matrix, is_spam, np.array([5.0, 0.1]))

    assert weights[0] > 0.5


def test_each_pass_is_told_and_the_last_one_ends_it() -> None:
    told: list[int] = []
    matrix = dense([[1.0, 0.0], [-1.0, 0.0]])

    Descent(cost=1.0, passes=50, tolerance=0.1).fit(
        matrix, np.array([True, False]), np.ones(2), told.append
    )

    assert 0 < sum(told) < 50


def test_a_product_is_that_of_the_row() -> None:
    matrix = dense([[1.0, 2.0], [0.0, 3.0]])

    assert matrix.products(np.array([10.0, 1.0])).tolist() == [12.0, 3.0]
