"""What a classifier says of texts: plain values, and a trained model that gives them."""

from collections.abc import Callable
from math import inf

import numpy as np
import pytest

from gateway.domain.categories import Harm
from gateway.filter.classifier.linear import BUCKETS, SIGNS, Calibration, LinearModel
from gateway.filter.classifier.model import ClassModel, Model, ModelScorer, Threshold
from gateway.filter.classifier.score import TextClass, TextScore
from gateway.filter.normalise.views import Views

Constant = Callable[..., Model]


@pytest.fixture
def constant() -> Constant:
    """Return what makes a model of ports that gives every text the same score."""

    def constant(score: float, *thresholds: Threshold) -> Model:
        weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
        weights[-1] = score
        linear = LinearModel(weights, Calibration(1.0, 0.0))
        return Model({TextClass.PORT: ClassModel(linear, thresholds)}, None, {})

    return constant


NOTICE = Views("您的包裹已放入3号柜")
THRESHOLDS = (Threshold(0.001, 2.0), Threshold(0.005, 1.0), Threshold(0.01, 0.5))


def test_a_text_is_guilty_where_as_many_innocent_ones_may_be_stopped() -> None:
    one = TextScore(TextClass.PORT, 0.9, guilty_from=0.005, measured_from=0.001)

    assert [one.is_guilty(share) for share in (0.001, 0.004, 0.005, 0.1)] == [
        False,
        False,
        True,
        True,
    ]
    assert (one.is_measured(0.0009), one.is_measured(0.001)) == (False, True)


def test_where_nothing_was_measured_nothing_is_guilty() -> None:
    one = TextScore(TextClass.PORT, 0.9)

    assert (one.is_guilty(0.5), one.is_measured(0.5)) == (False, False)


def test_a_model_stops_a_text_from_the_threshold_on_that_its_score_passes(
    constant: Constant,
) -> None:
    scorer = ModelScorer(constant(1.5, *THRESHOLDS), "abc")

    (scored,) = scorer.score([NOTICE])

    assert (scored.guilty_from, scored.measured_from) == (0.005, 0.001)
    assert (scored.text_class, scored.category, scored.harm) == (TextClass.PORT, "", Harm.ADVERT)
    assert 0.8 < scored.probability < 0.9
    assert (scorer.digest, dict(scorer.measured_from)) == ("abc", {TextClass.PORT: 0.001})


def test_a_text_below_every_threshold_is_never_stopped(constant: Constant) -> None:
    (scored,) = ModelScorer(constant(0.1, *THRESHOLDS)).score([NOTICE])

    assert (scored.guilty_from, scored.measured_from) == (inf, 0.001)


def test_a_model_without_thresholds_was_measured_on_nothing(constant: Constant) -> None:
    scorer = ModelScorer(constant(9.0))

    assert scorer.score([NOTICE])[0].measured_from == inf
    assert dict(scorer.measured_from) == {TextClass.PORT: inf}


def test_a_tick_without_new_texts_costs_nothing(constant: Constant) -> None:
    assert ModelScorer(constant(9.0)).score([]) == []


def test_the_pieces_that_made_a_score_are_told_without_their_numbers(constant: Constant) -> None:
    model = constant(1.0)
    model.classes[TextClass.PORT].linear.weights[:1000] = 0.5
    scorer = ModelScorer(model)

    pieces = scorer.pieces(Views("恭喜您中奖12345元请速来领取奖金"), 3)

    assert len(pieces) <= 3
    assert all("1" not in one.text for one in pieces)
