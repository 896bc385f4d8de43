from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.model import KeptSample, NewSample, SampleLabel, SampleSource
from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from, to_train_on
from gateway.systems.learning.samples import category_in

NOON = datetime(2013, 11, 26, 4, tzinfo=UTC)
SPAM, HAM = SampleLabel.SPAM, SampleLabel.HAM
LOAN = "周转不开？身份证即可办，加微信lend_more，客服13800138000"

Builder = Callable[..., PersonVerdict]


@pytest.fixture
def verdict() -> Builder:
    """Build a verdict of spam; give what should be otherwise."""
    usual = PersonVerdict(LOAN, SPAM, "loan", SampleSource.REVIEW, "shop", NOON, "lin")
    return lambda **changes: replace(usual, **changes)


def kept(new: NewSample | None) -> KeptSample:
    assert new is not None
    return KeptSample(**{one.name: getattr(new, one.name) for one in fields(new)}, number=7)


def test_a_verdict_is_kept_without_the_numbers_in_its_text(verdict: Builder) -> None:
    sample = learnt_from(verdict())

    assert sample is not None
    assert sample.text == "周转不开？身份证即可办，加微信lend_more，客服00000000000"
    assert (sample.label, sample.category, sample.text_class) == (SPAM, "loan", "port")
    assert (sample.source, sample.system_id, sample.at, sample.by) == (
        SampleSource.REVIEW,
        "shop",
        NOON,
        "lin",
    )


def test_one_text_to_many_people_is_one_sample(verdict: Builder) -> None:
    first, second = (
        learnt_from(verdict(text=f"尾号{number}的顾客，明早八点起清仓"))
        for number in (13800138000, 13911112222)
    )

    assert first is not None
    assert second is not None
    assert first.digest == second.digest


@pytest.mark.parametrize(
    ("label", "said", "category"),
    [(SPAM, "贷款", "loan"), (SPAM, "K-LURE", ""), (SPAM, "", ""), (HAM, "loan", "")],
)
def test_a_category_is_one_of_the_tree_and_only_spam_has_one(
    verdict: Builder, label: SampleLabel, said: str, category: str
) -> None:
    sample = learnt_from(verdict(label=label, category=said))

    assert sample is not None
    assert sample.category == category


@pytest.mark.parametrize("text", ["", "13800138000", "好的！", "1234 5678"])
def test_a_text_without_words_teaches_nothing(verdict: Builder, text: str) -> None:
    assert learnt_from(verdict(text=text)) is None


def test_what_people_write_teaches_the_model_of_people(verdict: Builder) -> None:
    sample = kept(learnt_from(verdict(text="晚上一起吃饭吗", is_port=False)))

    assert sample.text_class == "person"
    assert to_train_on(sample).text_class is TextClass.PERSON


def test_a_sample_on_record_is_trained_on_like_one_of_a_file(verdict: Builder) -> None:
    sample = to_train_on(kept(learnt_from(verdict())))

    assert sample.is_spam
    assert sample.text_class is TextClass.PORT
    assert (sample.lang, sample.origin, category_in(sample.source)) == ("zh", "verdicts", "loan")


def test_innocent_and_uncategorised_texts_are_of_the_same_origin(verdict: Builder) -> None:
    for one in (verdict(label=HAM), verdict(category="")):
        sample = to_train_on(kept(learnt_from(one)))

        assert (sample.origin, category_in(sample.source)) == ("verdicts", "")


def test_a_text_without_han_is_of_no_language_that_is_known(verdict: Builder) -> None:
    sample = to_train_on(kept(learnt_from(verdict(text="win a free phone today"))))

    assert (sample.lang, sample.text_class) == ("und", TextClass.FOREIGN)


def test_a_verdict_prints_no_text(verdict: Builder) -> None:
    assert "周转" not in repr(verdict())
