from hashlib import blake2b
from math import inf

import pytest

from gateway.filter.model.classes import TextClass
from gateway.filter.model_comparison import Agreement, Comparison
from gateway.filter.model_pair import NO_MODELS, ModelPair, agreement_of, name_of
from gateway.filter.scoring import Scored
from gateway.filter.views import Views
from tests.filter.conftest import Knowing

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


def test_a_model_in_shadow_is_compared_and_decides_nothing(
    knowing: Knowing, comparison: Comparison
) -> None:
    active, shadow = knowing("贷款"), knowing("彩票")
    scorer = ModelPair(active, shadow).scorer(comparison)
    assert scorer is not None

    scored = scorer.score([LOAN, LUCK, NOTICE])

    assert scored == active.score([LOAN, LUCK, NOTICE])
    counts = comparison.counts[TextClass.PORT]
    assert {one: counts[one] for one in Agreement} == {
        Agreement.NEITHER: 1,
        Agreement.BOTH: 1,
        Agreement.ONLY_ACTIVE: 1,
        Agreement.ONLY_SHADOW: 0,
    }
    assert comparison.names(Agreement.ONLY_ACTIVE) == (name_of(LOAN.raw),)


def test_a_pair_is_known_and_explained_by_the_model_in_force(
    knowing: Knowing, comparison: Comparison
) -> None:
    active = knowing("贷款")
    scorer = ModelPair(active, knowing("彩票")).scorer(comparison)
    assert scorer is not None

    assert (scorer.digest, scorer.measured_from) == (active.digest, active.measured_from)
    assert [one.text for one in scorer.pieces(LOAN, 6)] == ["贷款"]


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
    monkeypatch.setattr(shadow, "score", lambda _texts: [])
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
        (0.01, 0.001, Agreement.BOTH),
        (0.005, 0.02, Agreement.ONLY_ACTIVE),
        (inf, 0.01, Agreement.ONLY_SHADOW),
        (inf, inf, Agreement.NEITHER),
        (0.02, 0.05, Agreement.NEITHER),
    ],
)
def test_models_are_compared_where_one_innocent_text_in_a_hundred_may_be_stopped(
    active: float, shadow: float, agreement: Agreement
) -> None:
    before, after = (Scored(TextClass.PORT, 0.5, guilty_from=share) for share in (active, shadow))

    assert agreement_of(before, after) is agreement


def test_a_text_is_named_by_what_anybody_can_compute_of_it() -> None:
    assert name_of(LOAN.raw) == blake2b("低息贷款当天放款".encode(), digest_size=8).hexdigest()
    assert name_of("坏\ud800字") != name_of("坏字")
