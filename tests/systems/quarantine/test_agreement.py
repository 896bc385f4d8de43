"""The figures of agreement, against values worked out elsewhere."""

from collections import Counter

import pytest

from gateway.systems.quarantine.agreement.counts import (
    AgreementRate,
    DecisionPair,
    SecondReviewEnd,
    agreement_of,
    described_rate,
    kappa_of,
)
from gateway.systems.quarantine.model import PersonDecision
from tests.systems.users.people import NOON

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED


@pytest.mark.parametrize(
    ("agreed", "compared", "low", "high"),
    # The bounds of Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_bounds_are_those_of_wilson(
    agreed: int, compared: int, low: float, high: float
) -> None:
    rate = AgreementRate(compared, agreed)

    assert rate.low == pytest.approx(low, abs=5e-5)
    assert rate.high == pytest.approx(high, abs=5e-5)


def test_kappa_takes_off_what_chance_brings() -> None:
    # 35 of 50 alike, where chance brings 25: 0.4.
    table = Counter(
        {
            (RELEASED, RELEASED): 20,
            (RELEASED, REJECTED): 5,
            (REJECTED, RELEASED): 10,
            (REJECTED, REJECTED): 15,
        }
    )

    assert kappa_of(table) == pytest.approx(0.4)
    assert kappa_of(Counter({(RELEASED, RELEASED): 7})) is None
    assert kappa_of(Counter()) is None
    assert kappa_of(Counter({(RELEASED, REJECTED): 3, (REJECTED, RELEASED): 3})) == -1


def test_without_a_comparison_there_is_no_share() -> None:
    waiting = DecisionPair("user: lin", RELEASED, "", None, "loan", SecondReviewEnd.WAITING)

    report = agreement_of({waiting: 4}, NOON)

    assert (report.dealt, report.categories) == (4, [])
    assert described_rate(report.rate) == {
        "compared": 0,
        "agreed": 0,
        "share": None,
        "low": None,
        "high": None,
        "kappa": None,
    }
    (reviewer,) = report.reviewers
    assert (reviewer.reviewer, reviewer.dealt_first, reviewer.rate.compared) == ("user: lin", 4, 0)
