from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.filter.classifier.model_file import write_model
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views
from gateway.systems.learning import training
from gateway.systems.learning.samples import Sample, sample_of
from gateway.systems.learning.training import (
    RECIPES,
    TOLERATED,
    TrainingError,
    TrainingProgress,
    parted,
    train,
)

Corpus = Callable[[int], list[Sample]]


def test_what_was_learnt_holds_for_texts_never_seen(corpus: Corpus) -> None:
    model = train(corpus(0), corpus(5000), about={"by": "a test"})

    spam, ham = model.judge(
        [sample_of(f"ham\tzh\t-\t{text}").text for text in ("诚信代开发票加Q", "您的验证码为77")]
    )
    assert ham.probability < 0.5 < spam.probability
    assert spam.category == "forged_documents"
    assert model.about == {"by": "a test"}


def test_thresholds_are_measured_on_what_was_held_out(corpus: Corpus) -> None:
    held = corpus(5000)

    port = train(corpus(0), held, about={}).of(TextClass.PORT)

    assert tuple(one.tolerated for one in port.thresholds) == TOLERATED
    scores = port.linear.scores([one.text for one in held if not one.is_spam])
    assert port.threshold(0.01) == pytest.approx(float(scores.max()))


def test_a_score_to_refuse_by_needs_enough_innocent_texts(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = corpus(5000)
    innocent = sum(not one.is_spam for one in held)
    monkeypatch.setattr(training, "REFUSING", 1 / innocent)

    enough = train(corpus(0), held, about={}).of(TextClass.PORT).thresholds
    fewer = train(corpus(0), held[:-2], about={}).of(TextClass.PORT).thresholds

    assert (enough[0].tolerated, len(enough)) == (1 / innocent, len(TOLERATED) + 1)
    assert len(fewer) == len(TOLERATED)


def test_the_same_samples_and_seed_make_the_same_octets(corpus: Corpus) -> None:
    first, again = (write_model(train(corpus(0), corpus(5000), about={})) for _ in range(2))

    assert first == again


def test_another_seed_makes_other_weights(corpus: Corpus) -> None:
    first, other = (train(corpus(0), corpus(5000), about={}, seed=seed) for seed in (1, 2))

    assert write_model(first) != write_model(other)


def test_doubtful_samples_teach_nothing(corpus: Corpus) -> None:
    lie = [replace(one, is_spam=not one.is_spam, is_doubtful=True) for one in corpus(3000)]

    honest, misled = (train(corpus(0) + more, corpus(5000), about={}) for more in ([], lie))

    weights = [model.of(TextClass.PORT).linear.weights.tolist() for model in (honest, misled)]
    assert weights[0] == weights[1]


def test_without_any_held_out_every_tenth_campaign_is(corpus: Corpus) -> None:
    samples = [replace(one, group=f"g{number // 2}") for number, one in enumerate(corpus(0))]

    kept, held = parted(samples)

    assert len(kept) + len(held) == len(samples)
    assert 0 < len(held) < len(samples) / 3
    assert not {one.group for one in kept} & {one.group for one in held}
    assert train(samples, about={}).of(TextClass.PORT).thresholds


def test_every_class_gets_a_model_of_its_own(corpus: Corpus) -> None:
    chats = [replace(one, text_class=TextClass.PERSON) for one in corpus(0)]
    foreign = [
        sample_of(f"{label}\ten\tours\t{text} number {number}")
        for number in range(12)
        for label, text in (("spam", "Win a casino prize"), ("ham", "Your parcel has arrived"))
    ]

    model = train(corpus(0) + chats + foreign, about={})

    assert model.classes.keys() == set(TextClass)


def test_a_collection_of_nothing_but_spam_weighs_less(corpus: Corpus) -> None:
    odd = [sample_of(f"spam\tzh\tstripped\t快递 {number}") for number in range(30)]

    model = train(corpus(0) + odd, corpus(5000), about={})

    (judged,) = model.judge([sample_of("ham\tzh\t-\t您的快递已到驿站，取件码0001。").text])
    assert judged.probability < 0.5


def test_a_third_as_many_notices_are_made_up_and_one_sided_texts_are_copied_once(
    corpus: Corpus,
) -> None:
    odd = [sample_of(f"spam\tzh\tstripped\t快递 {number}") for number in range(30)]
    read: list[int] = []
    done: list[int] = []

    train(
        corpus(0) + odd,
        corpus(5000),
        about={},
        told=TrainingProgress(lambda _, steps: read.append(steps), done.append),
    )

    copies, notices = RECIPES[TextClass.PORT].copies, 40 // 3
    assert read[0] == (80 + notices) * (1 + copies) + 30 * (1 + 1)


def test_a_notice_of_a_kind_that_nobody_collected_passes(corpus: Corpus) -> None:
    model = train(corpus(0), corpus(5000), about={})

    (judged,) = model.judge([Views("【江河银行】您尾号0123的卡消费支出20.50元，余额88.00元。")])
    assert judged.probability < 0.5


@pytest.mark.parametrize(("trust", "is_believed"), [(1.0, True), (0.001, False)])
def test_a_source_teaches_as_far_as_it_is_trusted(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, trust: float, *, is_believed: bool
) -> None:
    lies = [
        replace(one, is_spam=not one.is_spam, source="unsure")
        for one in (*corpus(3000), *corpus(4000))
    ]
    monkeypatch.setattr(training, "trust_in", lambda *_: {"unsure": trust})

    model = train(corpus(0) + lies, corpus(5000), about={})

    (score,) = model.of(TextClass.PORT).linear.scores([Views("诚信代开发票加Q")])
    assert bool(score < 0) is is_believed


def test_spam_of_people_is_told_from_their_innocent_texts_where_a_recipe_shows_both(
    corpus: Corpus,
) -> None:
    chats = [
        sample_of(f"{label}\tzh\tforum\t{text}{number}", is_port=False)
        for number in range(40)
        for label, text in (("spam", "加我微信领红包"), ("ham", "晚上一起吃面吧"))
    ]
    friends = [
        sample_of(f"ham\tzh\tfriends\t到家了没有{number}", is_port=False) for number in range(40)
    ]
    port = RECIPES[TextClass.PORT]
    mixed = replace(port, mixed_neighbours=40)

    scores = [
        train(corpus(0) + chats + friends, about={}, recipes={**RECIPES, TextClass.PORT: one})
        .of(TextClass.PORT)
        .linear.scores([Views("加我微信领红包"), Views("晚上一起吃面吧")])
        for one in (port, mixed)
    ]

    (spam, ham), (spam_of_both, ham_of_both) = scores
    assert spam_of_both > spam
    assert ham_of_both < ham


def test_without_categories_there_is_no_model_of_them(corpus: Corpus) -> None:
    samples = [replace(one, source=one.origin) for one in corpus(0)]

    assert train(samples, about={}).categories is None


def test_a_class_that_was_not_measured_has_no_thresholds(corpus: Corpus) -> None:
    spam = [one for one in corpus(5000) if one.is_spam]

    assert train(corpus(0), spam, about={}).of(TextClass.PORT).thresholds == ()


@pytest.mark.parametrize("is_spam", [True, False])
def test_one_label_alone_cannot_be_learnt(corpus: Corpus, *, is_spam: bool) -> None:
    samples = [one for one in corpus(0) if one.is_spam is is_spam]

    with pytest.raises(TrainingError, match="not 10 of spam and of ham"):
        train(samples, about={})


def test_the_work_is_told(corpus: Corpus) -> None:
    begun: list[str] = []
    done: list[int] = []

    train(
        corpus(0),
        about={},
        told=TrainingProgress(lambda what, _steps: begun.append(what), done.append),
    )

    assert begun == ["reading port", "training port"]
    assert sum(done) > 80
