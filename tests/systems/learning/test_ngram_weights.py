import numpy as np
import pytest

from gateway.systems.learning import linear_model
from gateway.systems.learning.linear_model import Matrix, scale_of, scaled

# Column 0 stands in spam alone, 1 in both labels alike, 2 in ham alone, 3 is no n-gram.
ROWS = ((0, 1, 3), (0, 1, 3), (1, 2, 3), (1, 2, 3))
IS_SPAM = np.array([True, True, False, False])


@pytest.fixture(autouse=True)
def in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_model, "_ROWS_AT_ONCE", 3)


def matrix(*more: tuple[int, int, int]) -> Matrix:
    columns = np.array((*ROWS, *more), dtype=np.int32).ravel()
    values = np.full(len(columns), 0.5, dtype=np.float32)
    return Matrix(columns, values, np.arange(0, len(columns) + 1, 3, dtype=np.int64), 4)


def scale(importance: list[float], smoothing: float = 1.0) -> list[float]:
    found = scale_of(matrix(), IS_SPAM, np.array(importance), kept=1, smoothing=smoothing)
    return [float(one) for one in found]


def test_what_stands_in_one_label_alone_weighs_more_than_what_stands_in_both() -> None:
    in_spam, in_both, in_ham, _ = scale([1, 1, 1, 1])

    assert in_spam == pytest.approx(in_ham)
    assert in_spam > 5 * in_both > 0


def test_what_is_no_n_gram_stays_as_it_is() -> None:
    assert scale([1, 1, 1, 1])[3] == 1


def test_values_stay_as_large_as_they_were_on_the_mean() -> None:
    found = scale_of(matrix(), IS_SPAM, np.ones(4), kept=0, smoothing=1.0)

    assert float(np.square(found[matrix().columns]).mean()) == pytest.approx(1)


def test_a_text_that_counts_twice_tells_as_much_as_two() -> None:
    in_spam, in_both, *_ = scale([2, 1, 1, 1])

    two = scale_of(
        matrix(ROWS[0]), np.append(IS_SPAM, True), np.ones(5), kept=1, smoothing=1.0
    ).tolist()

    assert in_spam / in_both == pytest.approx(two[0] / two[1])


def test_the_smoother_the_less_a_rare_one_stands_out() -> None:
    rough, smooth = scale([1] * 4, 0.1), scale([1] * 4, 10)

    assert rough[0] / rough[1] > smooth[0] / smooth[1]


def test_each_value_is_multiplied_and_the_matrix_is_left_alone() -> None:
    before = matrix()

    after = scaled(before, np.array([2.0, 0.0, 4.0, 1.0]))

    assert after.values.tolist() == [1.0, 0.0, 0.5] * 2 + [0.0, 2.0, 0.5] * 2
    assert set(before.values.tolist()) == {0.5}


def test_the_more_emphasis_the_more_stands_out_what_tells_much() -> None:
    plain, emphasised = (
        scale_of(matrix(), IS_SPAM, np.ones(4), kept=1, smoothing=1.0, emphasis=emphasis).tolist()
        for emphasis in (1.0, 1.5)
    )

    assert emphasised[0] / emphasised[1] > plain[0] / plain[1]
    assert emphasised[3] == 1
