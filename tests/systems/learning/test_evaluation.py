from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.filter.classifier.model import Model
from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.evaluation import (
    calibration_error,
    evaluate,
    is_attacked,
    mean_kept,
)
from gateway.systems.learning.samples import Sample, sample_of
from gateway.systems.learning.training import train

Corpus = Callable[[int], list[Sample]]


@pytest.fixture
def model(corpus: Corpus) -> Model:
    return train(corpus(0), corpus(5000), about={})


def disguised(*pairs: tuple[str, str]) -> list[Sample]:
    return [sample_of(f"spam\tzh\t{disguise}\t{text}") for disguise, text in pairs]


def test_a_model_that_parts_all_is_told_so(model: Model, corpus: Corpus) -> None:
    told: list[int] = []

    found = evaluate(model, corpus(7000), told=told.append).classes[TextClass.PORT]

    assert (found.whole.ham, found.whole.spam) == (40, 40)
    assert found.whole.auc == 1
    assert found.whole.best_f1 == 1
    assert set(found.whole.recalls.values()) == {1.0}
    assert sum(told) == 80
    assert calibration_error(found.bins) < 0.2


def test_each_source_is_measured_against_all_and_alone(model: Model, corpus: Corpus) -> None:
    elsewhere = [replace(one, source="other") for one in corpus(7000) if one.is_spam]

    found = evaluate(model, corpus(6000) + elsewhere).classes[TextClass.PORT]

    assert found.sources.keys() == {"other", "ours"}
    assert found.alone.keys() == {"ours"}
    assert (found.sources["other"].ham, found.sources["other"].spam) == (40, 40)


def test_doubtful_labels_are_left_out_in_a_second_look(model: Model, corpus: Corpus) -> None:
    lies = [
        replace(one, is_spam=True, is_doubtful=True, source="lies")
        for one in corpus(7000)
        if not one.is_spam
    ]

    found = evaluate(model, [*corpus(6000), *lies]).classes[TextClass.PORT]

    assert found.without_doubtful is not None
    assert found.whole.auc < 0.8 < found.without_doubtful.auc
    assert "lies, sure" not in found.sources


def test_the_sure_ones_of_a_source_are_measured_by_themselves(model: Model, corpus: Corpus) -> None:
    first, *others = corpus(6000)

    found = evaluate(model, [replace(first, is_doubtful=True), *others]).classes[TextClass.PORT]

    assert found.sources["ours, sure"].spam == found.sources["ours"].spam - 1


def test_notices_are_counted_by_what_they_are(model: Model, corpus: Corpus) -> None:
    found = evaluate(model, corpus(7000)).classes[TextClass.PORT]

    assert found.notices == {"one-time code": (8, 0), "bank": (8, 0), "express": (16, 0)}


def test_the_models_own_thresholds_are_tried(model: Model, corpus: Corpus) -> None:
    found = evaluate(model, corpus(5000)).classes[TextClass.PORT]

    assert found.known[0.01] == (0.0, 1.0)


def test_a_disguise_is_measured_at_the_point_of_the_innocent(model: Model, corpus: Corpus) -> None:
    attacked = disguised(
        ("none", "代开各类发票"),
        ("symbol", "代*开*各类发-票"),
        ("lost", "您的快递已到驿站，取件码0001。"),
    )

    found = evaluate(model, corpus(7000), attacked).attacks["zh"]

    assert {name: one.recall for name, one in found.items()} == {
        "none": 1.0,
        "symbol": 1.0,
        "lost": 0.0,
    }
    assert mean_kept(found) == 0.5


def test_without_innocent_texts_the_models_threshold_is_the_point(model: Model) -> None:
    found = evaluate(model, [], disguised(("none", "代开各类发票"), ("other", "NO HAN")))

    assert found.classes == {}
    assert found.attacks["zh"]["none"].recall == 1


def test_nothing_kept_of_nothing_is_nothing(model: Model) -> None:
    assert mean_kept({}) == 0
    assert mean_kept(evaluate(model, [], disguised(("none", "您的快递"))).attacks["zh"]) == 0


def test_categories_and_harm_are_measured(model: Model, corpus: Corpus) -> None:
    found = evaluate(model, corpus(7000)).categories

    assert found is not None
    assert found.count == 40
    assert found.accuracy == found.macro_f1 == found.harm_f1 == 1
    assert found.recalls.keys() == {
        *("forged_documents", "loan", "gambling", "real_estate", "fraud_shopping")
    }


def test_without_categories_none_are_measured(model: Model, corpus: Corpus) -> None:
    assert evaluate(replace(model, categories=None), corpus(7000)).categories is None
    assert evaluate(model, disguised(("x", "代开"))).categories is None


def test_spam_with_its_plain_form_among_it_is_attacked(corpus: Corpus) -> None:
    assert is_attacked(disguised(("none", "发票"), ("symbol", "发-票")))
    assert not is_attacked(disguised(("ours", "发票")))
    assert not is_attacked(corpus(0))
    assert not is_attacked([])
