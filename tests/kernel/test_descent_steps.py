"""The compiled steps of a descent, against what can be worked out by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from gateway.kernel import gram_loops
from tests.kernel.forms import Form, in_both_forms

SOFTNESS = 0.5


@dataclass
class Rows:
    """Rows of one column each: row r is `values[r]`, of the label `signs[r]`."""

    values: list[float]
    signs: list[float]

    def __post_init__(self) -> None:
        count = len(self.values)
        self.row = np.array(self.values, np.float32)
        self.starts = np.arange(count + 1)
        self.softness = np.full(count, SOFTNESS)
        self.shares, self.weights = np.zeros(count), np.zeros(1)

    def go_through(self, *places: int) -> tuple[float, list[int]]:
        """Take a step for each place; return the worst violation, and the order as it is left."""
        order = np.array(places, np.int64)
        worst = gram_loops.go_through(
            order,
            np.zeros(len(self.values), np.int32),
            self.row,
            self.starts,
            np.array(self.signs),
            gram_loops.lengths_of(self.row, self.starts) + self.softness,
            self.softness,
            self.shares,
            self.weights,
        )
        return worst, order.tolist()


@in_both_forms
def test_the_length_of_a_row_is_the_sum_of_its_squares(form: Form) -> None:
    values, starts = np.array([3, 4, 2], np.float32), np.array([0, 2, 2, 3])

    with form():
        assert gram_loops.lengths_of(values, starts).tolist() == [25, 0, 4]


@in_both_forms
def test_each_step_goes_where_its_row_is_best_off(form: Form) -> None:
    rows = Rows([1.0, -1.0], [1.0, -1.0])

    with form():
        worst, order = rows.go_through(0, 1)

    # Both are 1 short of the margin at first; then the weight is 2/3, and the other is 1/3 short.
    assert (worst, order) == (1.0, [0, 1])
    assert rows.shares.tolist() == pytest.approx([2 / 3, 2 / 9])
    assert rows.weights.tolist() == pytest.approx([8 / 9])


@in_both_forms
def test_steps_end_where_none_is_left_to_take(form: Form) -> None:
    rows = Rows([1.0, -1.0], [1.0, -1.0])

    with form():
        worst = [rows.go_through(0, 1)[0] for _ in range(40)][-1]

    # The weight w = 2 a is least where each share a is best off: 2 a - 1 + a / 2 = 0.
    assert worst == pytest.approx(0, abs=1e-9)
    assert rows.weights.tolist() == pytest.approx([4 / 5])


@in_both_forms
def test_a_row_far_beyond_the_margin_is_left_out_and_the_others_move_up(form: Form) -> None:
    rows = Rows([2.0, 1.2, 0.5], [1.0, 1.0, 1.0])
    rows.weights[0] = 1.0

    with form():
        worst, order = rows.go_through(0, 1, 2)

    # The first is right by 1 beyond the margin, the second by 0.2, the third is 0.5 short of it.
    assert order == [1, 2, -1]
    assert worst == 0.5
    assert rows.shares.tolist() == pytest.approx([0, 0, 0.5 / 0.75])
    assert rows.weights.tolist() == pytest.approx([1 + 0.5 * 0.5 / 0.75])


@in_both_forms
def test_no_share_is_below_nothing(form: Form) -> None:
    rows = Rows([1.0], [-1.0])
    rows.shares[0], rows.weights[0] = 0.1, -3.0

    with form():
        worst, order = rows.go_through(0)

    # 3 - 1 + 0.1 / 2 beyond the margin: it gives back all it has, and no more.
    assert worst == pytest.approx(2.05)
    assert order == [0]
    assert rows.shares.tolist() == [0]
    assert rows.weights.tolist() == pytest.approx([-2.9])
