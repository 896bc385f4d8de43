import pytest

from gateway.domain.categories import category_of
from gateway.systems.learning import samples
from gateway.systems.learning.samples import category_in


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("fbs/AD:Network_service", "telecom"),
        ("fbs/FR:Phishing(Bank)", "phishing"),
        ("mine/loan", "loan"),
        ("mine/发票", "forged_documents"),
        ("thai/otp", ""),
        ("mine/", ""),
        ("mine", ""),
    ],
)
def test_a_source_may_say_what_kind_of_spam_it_is(source: str, expected: str) -> None:
    assert category_in(source) == expected


def test_the_kinds_of_others_are_categories_of_ours() -> None:
    for category in samples._KNOWN_KINDS.values():
        found = category_of(category)
        assert found is not None
        assert found.id == category
