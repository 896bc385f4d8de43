from dataclasses import replace

import pytest

from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.evaluation import (
    CategoryResults,
    ClassFound,
    DisguiseResults,
    Evaluation,
    Goal,
    SeparationResults,
    goals_of,
)
from gateway.systems.learning.samples import Sample, judging_sources, sample_of

GOOD = SeparationResults(400, 400, 0.98, 0.98, 0.99, {0.001: 0.97, 0.005: 0.9, 0.01: 0.95})
BAD = SeparationResults(400, 400, 0.5, 0.6, 0.7, {0.001: 0.1, 0.005: 0.2, 0.01: 0.3})


def class_found(whole: SeparationResults, **of_sources: SeparationResults) -> ClassFound:
    notices = {"one-time code": (500, 1), "bank": (500, 1)}
    return ClassFound(whole, None, of_sources, of_sources, notices, {}, ())


def evaluation(*classes: tuple[TextClass, ClassFound], **recalls: float) -> Evaluation:
    attacks = {"zh": {name: DisguiseResults(100, recall) for name, recall in recalls.items()}}
    return Evaluation(dict(classes), attacks if recalls else {}, None)


def by_name(goals: tuple[Goal, ...]) -> dict[str, bool]:
    return {one.name: one.is_reached for one in goals}


def test_a_good_model_reaches_every_goal_of_its_class() -> None:
    found = by_name(goals_of(evaluation((TextClass.PORT, class_found(GOOD)))))

    assert found == {
        "port: best F1": True,
        "port: AUC": True,
        "port: recall at FPR 0.5 %": True,
        "port: recall at FPR 1 %": True,
        "innocent notices found at FPR 1 %": True,
    }


def test_a_bad_one_misses_them() -> None:
    found = by_name(goals_of(evaluation((TextClass.PERSON, class_found(BAD)))))

    assert found == {"person: best F1": False, "person: recall at FPR 0.1 %": False}


def test_too_many_notices_found_are_a_goal_missed() -> None:
    lost = replace(class_found(GOOD), notices={"bank": (90, 1)})

    found = by_name(goals_of(evaluation((TextClass.PORT, lost))))

    assert found["innocent notices found at FPR 1 %"] is False


def test_without_notices_nothing_is_said_of_them() -> None:
    none = replace(class_found(GOOD), notices={"bank": (0, 0)})

    assert "innocent notices found at FPR 1 %" not in by_name(
        goals_of(evaluation((TextClass.PORT, none)))
    )


def test_one_source_may_stand_for_its_class() -> None:
    measured = evaluation((TextClass.FOREIGN, class_found(BAD, uci=GOOD)))

    assert by_name(goals_of(measured, {TextClass.FOREIGN: "uci"})) == {
        "foreign (uci): best F1": True
    }
    assert goals_of(measured, {TextClass.FOREIGN: "not there"}) == ()


def of(source: str, *texts: str, label: str = "spam", is_port: bool = True) -> list[Sample]:
    return [sample_of(f"{label}\tzh\t{source}\t{text}", is_port=is_port) for text in texts]


def test_a_source_stands_for_the_class_of_most_of_its_spam() -> None:
    samples = [
        *of("ours/loan", "低息放款，当天到账", "无抵押，快速下款", "call for a loan"),
        *of("ours", "您的快递到了", "your parcel is here", label="ham"),
        *of("theirs", "low rates, call now"),
        *of("theirs", "see you at noon", label="ham"),
    ]

    assert judging_sources(samples) == {"ours": TextClass.PORT, "theirs": TextClass.FOREIGN}


def test_a_source_without_spam_or_without_innocent_texts_stands_for_no_class() -> None:
    spam = of("caught", "代开各类发票，电话联系")

    assert judging_sources(of("ours", "您的快递到了", label="ham")) == {}
    assert judging_sources(spam) == {}
    assert judging_sources([*spam, *of("ours", "您的快递到了", label="ham")]) == {
        "caught": TextClass.PORT
    }


def test_what_people_write_is_told_from_innocent_texts_of_the_same_source() -> None:
    spam = of("caught", "代开各类发票，电话联系", is_port=False)
    chats = of("chats", "晚上一起吃饭吗", label="ham", is_port=False)
    own = of("caught", "我到楼下了", label="ham", is_port=False)

    assert judging_sources([*spam, *chats]) == {}
    assert judging_sources([*spam, *own]) == {"caught": TextClass.PERSON}


def test_disguises_are_asked_on_the_mean_and_at_worst() -> None:
    found = goals_of(evaluation(none=0.9, symbol=0.9, pinyin=0.72))

    assert by_name(found) == {
        "Chinese disguises: recall kept on the mean": False,
        "Chinese disguises: recall kept at worst": False,
    }
    assert found[1].found == pytest.approx(0.8)


def test_disguises_alone_or_of_nothing_found_are_no_measure() -> None:
    assert goals_of(evaluation(symbol=0.9)) == ()
    assert goals_of(evaluation(none=0.9)) == ()
    assert goals_of(evaluation(none=0.0, symbol=0.0)) == ()


def test_harm_is_asked_where_categories_are_known() -> None:
    known = replace(
        evaluation(), categories=CategoryResults(10, 0.9, 0.9, 0.99, {"loan": 0.9, "fraud": 0.8})
    )

    assert by_name(goals_of(known)) == {"fraud and illegal against advert: F1": True}


def test_harm_is_not_asked_of_adverts_alone() -> None:
    adverts = replace(evaluation(), categories=CategoryResults(10, 1.0, 1.0, 0.0, {"loan": 1.0}))

    assert goals_of(adverts) == ()
