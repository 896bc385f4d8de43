"""What the list behind a hit says of itself."""

from datetime import date

import pytest

from gateway.cli.explain_labels import ListBehind, lists_behind, said_in
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.warning import Severity
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.scan import UNREADABLE
from gateway.policy.bundle import Bundle
from gateway.settings.bundles.difference import settings_of

PLAIN = KeywordList("K-DEBT", "debt_collection", ListAction.REJECT, ("上门催债",))
OWNED = KeywordList(
    "K-EASY",
    "loan",
    ListAction.QUARANTINE,
    ("秒批", "免征信"),
    weight=3,
    threshold=6,
    severity=Severity.SERIOUS,
    owner="反诈中心",
    not_before=date(2027, 1, 1),
    not_after=date(2027, 12, 31),
)
BUNDLE = Bundle("test", "", (PLAIN, OWNED))


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "en",
            [
                "severity of the list serious",
                "owner of the list 反诈中心",
                "weight 3 of 5 in this text, threshold 6 for quarantine",
            ],
        ),
        (
            "zh",
            [
                "词库严重程度 严重 serious",
                "词库负责人 反诈中心",
                "权重 3, 全文合计 5, 达到阈值 6 则隔离 quarantine",
            ],
        ),
    ],
)
def test_a_list_tells_how_grave_it_is_whose_and_what_its_hit_weighs(
    lang: str, told: list[str]
) -> None:
    assert [said_in(one, lang) for one in ListBehind(OWNED, 5).said()] == told


def test_a_list_that_says_none_of_it_tells_nothing() -> None:
    assert list(ListBehind(PLAIN, 5).said()) == []


def test_programs_read_every_setting_and_the_sum_of_the_weights() -> None:
    assert ListBehind(OWNED, 5).as_json() == {
        "action": "quarantine",
        "severity": "serious",
        "owner": "反诈中心",
        "weight": 3,
        "threshold": 6,
        "not_before": "2027-01-01",
        "not_after": "2027-12-31",
        "sum": 5,
    }
    assert set(ListBehind(PLAIN, 5).as_json().values()) == {"reject", None}
    assert "sum" not in settings_of(OWNED)


def test_each_hit_is_found_by_the_rule_and_the_evidence_of_its_finding() -> None:
    hits = KeywordIndex(BUNDLE.keyword_lists).located(["秒批，免征信，逾期上门催债"])

    found = lists_behind(BUNDLE, (*hits, UNREADABLE))

    assert found == {
        ("K-DEBT", "上门催债 (10-13)"): ListBehind(PLAIN, 6),
        ("K-EASY", "秒批 (1-2)"): ListBehind(OWNED, 6),
        ("K-EASY", "免征信 (4-6)"): ListBehind(OWNED, 6),
    }
