"""What is cited for a finding: title and source of its rule, wherever the rule stands."""

import pytest

from gateway.domain.policy import KeywordList, ListAction
from gateway.policy.bundle import Bundle
from gateway.policy.citations import citation_of
from gateway.policy.rules import Refused, Rule, Title

RULE = Rule("R21", Title("拒收", "A refusal"), "DEC2012 (7)", Refused())
BUNDLE = Bundle(
    "test",
    "0123456789ab",
    (KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票",)),),
    (RULE,),
)


@pytest.mark.parametrize(
    ("rule_id", "title", "article"),
    [
        ("R21", "A refusal", "DEC2012 (7)"),
        ("R02", "The source is never empty and never false", "N136; O31"),
        ("K-FRAUD", "The word list fraud", "DEC2012 (5); O31 (R60, R61)"),
        ("UNREADABLE", "A text that cannot be read", "DEC2012 (5); O31 (R60, R61)"),
        ("OVERLOAD", "OVERLOAD", "DEC2012 (5); O31 (R60, R61)"),
    ],
)
def test_each_finding_has_a_rule_to_cite(rule_id: str, title: str, article: str) -> None:
    citation = citation_of(BUNDLE, rule_id)

    assert (citation.title.en, citation.article) == (title, article)
