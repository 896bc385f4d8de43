"""Within which time people decide on held messages of a category."""

import pytest

from gateway.domain.policy import ContentRule, OverdueAction, ReviewLimit

A_DAY, AN_HOUR = ReviewLimit(86_400), ReviewLimit(3_600, OverdueAction.RELEASE)
ODD = ReviewLimit(60)


@pytest.mark.parametrize(
    ("category", "limit"),
    [
        ("loan", AN_HOUR),
        ("retail", A_DAY),  # that of commercial, which is above it
        ("commercial", A_DAY),
        ("illegal", None),
        ("no category of ours", None),
        ("of a list", ODD),
        ("", None),
    ],
)
def test_a_category_has_its_own_limit_or_the_next_one_above_it(
    category: str, limit: ReviewLimit | None
) -> None:
    rule = ContentRule(review={"commercial": A_DAY, "loan": AN_HOUR, "of a list": ODD})

    assert rule.limit_of(category) is limit
    assert ContentRule().limit_of(category) is None
