import pytest

from gateway.domain.categories import Harm, harm_of


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("loan", Harm.ADVERT),
        ("fraud_prize", Harm.FRAUD),
        ("phishing", Harm.FRAUD),
        ("gambling", Harm.ILLEGAL),
        ("forged_documents", Harm.ILLEGAL),
        ("harassment", Harm.ADVERT),
        ("", Harm.ADVERT),
    ],
)
def test_the_tree_of_categories_says_how_bad_it_is(category: str, expected: Harm) -> None:
    assert harm_of(category) is expected
