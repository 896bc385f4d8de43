from hashlib import blake2b
from math import inf

import pytest

from gateway.filter.classifier.model import (
    NO_MODELS,
    ModelPair,
    PairedScorer,
    agreement_of,
    name_of,
)
from gateway.filter.classifier.score import Comparison, ModelAgreement, TextClass, TextScore
from gateway.filter.facts import TextFacts
from gateway.filter.normalise.views import Views
from tests.filter.classifier.conftest import Knowing

LOAN, LUCK, NOTICE = map(Views, ("低息贷款当天放款", "彩票贷款包中", "您的快件已到驿站"))


@pytest.fixture
def comparison() -> Comparison:
    return Comparison("a1", "b2")


def test_the_model_in_force_alone_is_asked_where_none_is_in_shadow(
    knowing: Knowing, comparison: Comparison
) -> None:
    active = knowing("贷款")

    assert ModelPair(active).scorer(comparison) is active
    assert ModelPair(active).digests == ("knows 贷款", "")


def test_without_a_model_in_force_nothing_is_scored(
    knowing: Knowing, comparison: Comparison
) -> None:
    assert NO_MODELS.scorer(comparison) is None
    assert NO_MODELS.digests == ("", "")
    assert ModelPair(shadow=knowing("贷款")).scorer(comparison) is None


def facts_of(scorer: PairedScorer, *readings: Views, is_port: bool = True) -> TextFacts:
    """Return the facts of a text, as a scan leaves them, or a rule that asks about persons."""
    facts = TextFacts((), [one.raw for one in readings])
    scored = tuple(scorer.score(readings, is_port=is_port))
    facts.scored, facts.personal = (scored, None) if is_port else ((), scored)
    return facts


def test_a_model_in_shadow_is_compared_and_decides_nothing(
    knowing: Knowing, comparison: Comparison
) -> None:
    active, shadow = knowing("贷款"), knowing("彩票")
    scorer = PairedScorer(active, shadow, comparison)

    scored = scorer.score([LOAN, LUCK, NOTICE])
    for one in (LOAN, LUCK, NOTICE):
        scorer.note(facts_of(scorer, one), is_personal=False)

    assert scored == active.score([LOAN, LUCK, NOTICE])
    counts = comparison.counts[TextClass.PORT]
    assert {one: counts[one] for one in ModelAgreement} == {
        ModelAgreement.NEITHER: 1,
        ModelAgreement.BOTH: 1,
        ModelAgreement.ONLY_ACTIVE: 1,
        ModelAgreement.ONLY_SHADOW: 0,
    }
    assert comparison.names(ModelAgreement.ONLY_ACTIVE) == (name_of(LOAN.raw),)


def test_a_text_of_many_messages_is_one_text(knowing: Knowing, comparison: Comparison) -> None:
    scorer = PairedScorer(knowing("贷款"), knowing("彩票"), comparison)
    facts = facts_of(scorer, NOTICE)

    for _ in range(5):
        scorer.note(facts, is_personal=False)

    assert comparison.counts[TextClass.PORT][ModelAgreement.NEITHER] == 1
    assert comparison.messages[TextClass.PORT][ModelAgreement.NEITHER] == 5


def test_a_text_that_ports_and_persons_send_is_compared_in_both_classes(
    knowing: Knowing, comparison: Comparison
) -> None:
    scorer = PairedScorer(knowing("快件"), knowing("彩票"), comparison)
    facts = facts_of(scorer, NOTICE)
    facts.personal = facts_of(scorer, NOTICE, is_port=False).personal

    for is_personal in (False, True, True):
        scorer.note(facts, is_personal=is_personal)

    both = (TextClass.PORT, TextClass.PERSON)
    assert [comparison.counts[one][ModelAgreement.ONLY_ACTIVE] for one in both] == [1, 1]
    assert [comparison.messages[one][ModelAgreement.ONLY_ACTIVE] for one in both] == [1, 2]
    assert comparison.names(ModelAgreement.ONLY_ACTIVE) == (name_of(NOTICE.raw),)


@pytest.mark.parametrize(
    ("readings", "agreement"),
    [
        ((NOTICE, LOAN), ModelAgreement.ONLY_ACTIVE),
        ((LUCK, NOTICE), ModelAgreement.BOTH),
        ((LOAN, Views("彩票中心来函")), ModelAgreement.BOTH),
    ],
)
def test_who_stops_a_reading_stops_the_text(
    knowing: Knowing, comparison: Comparison, readings: tuple[Views, ...], agreement: ModelAgreement
) -> None:
    scorer = PairedScorer(knowing("贷款"), knowing("彩票"), comparison)

    scorer.note(facts_of(scorer, *readings), is_personal=False)

    assert comparison.counts[TextClass.PORT][agreement] == 1


def test_what_was_not_scored_is_not_compared(knowing: Knowing, comparison: Comparison) -> None:
    scorer = PairedScorer(knowing("贷款"), knowing("彩票"), comparison)
    unscored = TextFacts((), (NOTICE.raw,))
    alone = TextFacts((), (NOTICE.raw,))
    alone.scored = tuple(knowing("贷款").score([NOTICE]))

    for facts in (unscored, alone):
        scorer.note(facts, is_personal=False)

    assert sum(comparison.messages[TextClass.PORT].values()) == 0


def test_a_pair_is_known_and_explained_by_the_model_in_force(
    knowing: Knowing, comparison: Comparison
) -> None:
    active = knowing("贷款")
    scorer = ModelPair(active, knowing("彩票")).scorer(comparison)
    assert scorer is not None

    assert (scorer.digest, scorer.measured_from) == (active.digest, active.measured_from)
    assert [one.text for one in scorer.pieces(LOAN, 6)] == ["贷款"]
    assert scorer.pieces(LOAN, 6, is_port=False) == active.pieces(LOAN, 6, is_port=False)


def test_a_model_in_shadow_that_fails_harms_nobody(
    knowing: Knowing, comparison: Comparison
) -> None:
    active = knowing("贷款")
    scorer = ModelPair(active, knowing("彩票", fails_on="快件")).scorer(comparison)
    assert scorer is not None

    assert scorer.score([LOAN, NOTICE]) == active.score([LOAN, NOTICE])

    assert comparison.failed == 2
    assert sum(comparison.counts[TextClass.PORT].values()) == 0


def test_a_model_in_shadow_that_says_too_little_harms_nobody(
    knowing: Knowing, comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    active, shadow = knowing("贷款"), knowing("彩票")
    monkeypatch.setattr(shadow, "score", lambda _texts, **_: [])
    scorer = ModelPair(active, shadow).scorer(comparison)
    assert scorer is not None

    assert scorer.score([LOAN, NOTICE]) == active.score([LOAN, NOTICE])
    assert comparison.failed == 2


def test_a_model_in_force_that_fails_is_its_callers_matter(
    knowing: Knowing, comparison: Comparison
) -> None:
    scorer = ModelPair(knowing("贷款", fails_on="快件"), knowing("彩票")).scorer(comparison)
    assert scorer is not None

    with pytest.raises(ArithmeticError):
        scorer.score([LOAN, NOTICE])

    assert sum(comparison.counts[TextClass.PORT].values()) == 0


@pytest.mark.parametrize(
    ("active", "shadow", "agreement"),
    [
        (0.01, 0.001, ModelAgreement.BOTH),
        (0.005, 0.02, ModelAgreement.ONLY_ACTIVE),
        (inf, 0.01, ModelAgreement.ONLY_SHADOW),
        (inf, inf, ModelAgreement.NEITHER),
        (0.02, 0.05, ModelAgreement.NEITHER),
    ],
)
def test_models_are_compared_where_one_innocent_text_in_a_hundred_may_be_stopped(
    active: float, shadow: float, agreement: ModelAgreement
) -> None:
    before, after = (
        TextScore(TextClass.PORT, 0.5, guilty_from=share) for share in (active, shadow)
    )

    assert agreement_of(before, after) is agreement


def test_a_text_is_named_by_what_anybody_can_compute_of_it() -> None:
    assert name_of(LOAN.raw) == blake2b("低息贷款当天放款".encode(), digest_size=8).hexdigest()
    assert name_of("坏\ud800字") != name_of("坏字")
