"""What a message is about, decided by all that was found in it together (R61)."""

from dataclasses import replace

import pytest

from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.policy.findings import campaign_of, subject_of


def verdict(*categories: str, decides: int = -1) -> Verdict:
    """Return a verdict with a finding for each category; only the deciding one is no shadow."""
    findings = tuple(
        Finding(f"K{at}", Reason.CONTENT, Action.QUARANTINE, "", at != decides, category=category)
        for at, category in enumerate(categories)
    )
    action = Action.FORWARD if decides < 0 else Action.QUARANTINE
    return Verdict(action, findings, "0123")


@pytest.mark.parametrize(
    ("categories", "decides", "subject"),
    [
        ((), -1, ""),
        (("",), 0, ""),
        (("loan",), 0, "loan"),
        (("lure",), 0, "lure"),
        (("lure", "loan"), 0, "loan"),
        (("", "note", "lure"), 0, "note"),
        (("loan", "retail"), 1, "retail"),
        (("loan", "retail"), -1, "loan"),
        (("loan", "fraud_prize"), 0, "fraud_prize"),
        (("fraud", "fraud_prize"), 0, "fraud_prize"),
        (("fraud_prize", "fraud"), 0, "fraud_prize"),
        (("fraud_prize", "fraud_bank_debit"), 1, "fraud_bank_debit"),
        (("gambling", "phishing"), 0, "phishing"),
        (("retail", "drugs"), 0, "drugs"),
        (("发票",), 0, "forged_documents"),
        (("nuisance", "illegal"), -1, "illegal"),
    ],
)
def test_r61_the_gravest_and_most_exact_of_what_is_found_says_what_a_message_is_about(
    categories: tuple[str, ...], decides: int, subject: str
) -> None:
    assert subject_of(verdict(*categories, decides=decides)) == subject


def test_r61_what_else_is_known_of_a_message_may_be_graver_than_what_decided() -> None:
    words = verdict("fraud", decides=0).findings

    assert subject_of(verdict("loan", decides=0), words) == "fraud"
    assert subject_of(verdict(), words) == "fraud"


def test_r61_a_message_is_of_the_campaign_that_any_finding_names() -> None:
    nameless = verdict("loan", "games", decides=0)
    first, second = nameless.findings
    named = replace(nameless, findings=(first, replace(second, campaign="c0123456789abcdef")))

    assert campaign_of(nameless) == ""
    assert campaign_of(named) == "c0123456789abcdef"
