from dataclasses import replace

from gateway.domain.categories import Harm
from gateway.filter.classifier.model import Model
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views


def test_every_text_is_judged_by_the_model_of_its_class_and_in_order(model: Model) -> None:
    texts = [Views("代开发票"), Views("online casino"), Views("您的快递到了"), Views("hello")]

    judged = model.judge(texts)

    classes = [TextClass.PORT, TextClass.FOREIGN, TextClass.PORT, TextClass.FOREIGN]
    assert [one.text_class for one in judged] == classes
    assert judged[0].score > judged[2].score
    assert judged[1].score > judged[3].score
    assert 0 < judged[2].probability < judged[0].probability < 1
    assert {(one.category, one.harm) for one in judged} == {("loan", Harm.ADVERT)}


def test_a_class_without_a_model_is_judged_by_that_of_the_ports(model: Model) -> None:
    (judged,) = model.judge([Views("代开发票")], is_port=False)

    assert judged.text_class is TextClass.PERSON
    assert judged.score == model.judge([Views("代开发票")])[0].score


def test_no_categories_are_no_category(model: Model) -> None:
    (judged,) = replace(model, categories=None).judge([Views("代开发票")])

    assert (judged.category, judged.harm) == ("", Harm.ADVERT)


def test_nothing_is_judged_as_nothing(model: Model) -> None:
    assert model.judge([]) == []


def test_a_threshold_tolerates_no_more_than_is_asked_for(model: Model) -> None:
    port = model.of(TextClass.PORT)

    assert port.threshold(0.02) == 0.25
    assert port.threshold(0.01) == 0.25
    assert port.threshold(0.005) == 0.75
    assert port.threshold(0.0001) is None
    assert model.of(TextClass.FOREIGN).threshold(0.01) is None


def test_the_class_decides_what_explains_a_text(model: Model) -> None:
    assert [one.piece for one in model.explain(Views("代开发票"))] == ["发票"]
    assert [one.piece for one in model.explain(Views("my casino"))] != []
