"""What is reported to the authority."""

from dataclasses import replace

import pytest

from gateway.domain.authority_report import is_prohibited, prohibited_in
from gateway.domain.verdict import Action, Finding, Reason

FRAUD = Finding("K-FRAUD", Reason.CONTENT, Action.REJECT, "代开发票", category="fraud")
LOAN = Finding("K-LOAN", Reason.CONTENT, Action.QUARANTINE, "黑户可贷", category="loan")


@pytest.mark.parametrize(
    "category",
    ["illegal", "fraud", "fraud_prize", "gambling", "色情", "forged_documents", "rumour"],
)
def test_r60_what_the_law_prohibits_is_prohibited_with_all_below_it(category: str) -> None:
    assert is_prohibited(category)


@pytest.mark.parametrize("category", ["loan", "commercial", "nuisance", "lure", "", "unheard of"])
def test_r60_what_is_only_unwanted_is_no_matter_for_the_authority(category: str) -> None:
    assert not is_prohibited(category)


def test_r60_the_finding_that_is_reported_stops_the_message_for_what_it_says() -> None:
    assert prohibited_in([LOAN, FRAUD]) is FRAUD
    assert prohibited_in([]) is None
    assert prohibited_in([LOAN]) is None
    assert prohibited_in([replace(FRAUD, shadow=True)]) is None
    assert prohibited_in([replace(FRAUD, reason=Reason.USER_PREF)]) is None
