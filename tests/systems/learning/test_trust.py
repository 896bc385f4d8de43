from dataclasses import replace

import numpy as np
import pytest

from gateway.systems.learning.evaluation import Floats
from gateway.systems.learning.linear_model import Descent, Matrix, rows_of, spam_matrix, trust_in
from gateway.systems.learning.samples import Sample, sample_of

COUNT = 40


def labelled(origin: str, *, lies_every: int = 0) -> list[Sample]:
    """Return spam and ham of one source, each `lies_every`th with the wrong label."""
    found = []
    for number in range(2 * COUNT):
        is_spam = number % 2 == 0
        text = f"win casino prize {number}" if is_spam else f"your parcel has arrived {number}"
        is_lie = lies_every > 0 and number // 2 % lies_every == 0
        label = "spam" if is_spam is not is_lie else "ham"
        one = sample_of(f"{label}\ten\t{origin}\t{text}")
        found.append(replace(one, group=f"{origin}{number}"))
    return found


def trust(samples: list[Sample], distrust: int = 12) -> dict[str, float]:
    is_spam = np.array([one.is_spam for one in samples])

    def fit(part: Matrix, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
        return Descent(cost=1.0).fit(part, is_spam[rows], np.ones(len(rows)))

    matrix = spam_matrix([one.text for one in samples], lambda _: None)
    return trust_in(samples, matrix, fit, distrust)


def test_a_source_that_contradicts_itself_is_believed_less() -> None:
    found = trust([*labelled("sure"), *labelled("unsure", lies_every=3)])

    assert found["sure"] == 1
    assert found["unsure"] < 0.5


def test_the_less_distrust_the_more_a_source_that_contradicts_itself_is_believed() -> None:
    samples = [*labelled("sure"), *labelled("unsure", lies_every=10)]

    assert trust(samples, distrust=2)["unsure"] > trust(samples, distrust=12)["unsure"]


def test_a_source_of_which_nothing_can_be_foretold_still_counts_a_little() -> None:
    found = trust([*labelled("sure"), *labelled("sure too"), *labelled("lost", lies_every=2)])

    assert 0 < found["lost"] < 0.1


def test_where_nobody_can_be_foretold_nobody_is_divided_by_nothing() -> None:
    found = trust([*labelled("one", lies_every=2), *labelled("two", lies_every=2)])

    assert all(0 < one <= 1 for one in found.values())


def test_a_source_of_one_label_or_of_a_few_texts_is_not_tried() -> None:
    spam = [replace(one, source="nothing but spam") for one in labelled("x") if one.is_spam]

    found = trust([*labelled("one"), *labelled("two"), *spam, *labelled("few")[:10]])

    assert found.keys() == {"one", "two"}


def test_of_a_single_source_there_is_nothing_to_say() -> None:
    assert trust(labelled("alone", lies_every=3)) == {}


def test_rows_are_taken_in_the_order_that_is_asked_for() -> None:
    whole = spam_matrix([one.text for one in labelled("x")[:4]], lambda _: None)
    weights = np.random.default_rng(1).normal(size=whole.width)

    taken = rows_of(whole, np.array([3, 0]))

    assert taken.products(weights).tolist() == pytest.approx(
        whole.products(weights)[[3, 0]].tolist()
    )
