"""What is cited for a finding: title and source of its rule, wherever the rule stands."""

import pytest

from gateway.domain.policy import KeywordList, ListAction
from gateway.policy.bundle import Bundle, Rule, Title, citation_of
from gateway.policy.checks.opt_out import OptOut

RULE = Rule("R21", Title("拒收", "A refusal"), "DEC2012 (7)", OptOut())
PROHIBITED = (
    "全国人大常委会关于加强网络信息保护的决定（2012）第五项；通信短信息服务管理规定（2015）"
)
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
        (
            "R02",
            "The source is never empty and never false",
            "信部电[2004]136号；通信短信息服务管理规定（2015）",
        ),
        ("K-FRAUD", "The word list fraud", PROHIBITED),
        ("UNREADABLE", "A text that cannot be read", PROHIBITED),
        ("OVERLOAD", "OVERLOAD", PROHIBITED),
    ],
)
def test_each_finding_has_a_rule_to_cite(rule_id: str, title: str, article: str) -> None:
    citation = citation_of(BUNDLE, rule_id)

    assert (citation.title.en, citation.article) == (title, article)
