"""Early warnings: what is counted together, and what is a violation."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.domain.warning import (
    ARTICLES,
    MAX_SAMPLES,
    PENALISED_ARTICLES,
    UNOBSERVED_ARTICLES,
    EarlyWarning,
    Severity,
    ViolationCount,
    WarningCode,
    WarningCount,
    WarningKind,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
KIND = WarningKind(WarningCode.W9, "R28", "sp1", "10690001")
MINUTE = timedelta(minutes=1)
ROOT = Path(__file__).resolve().parents[2]
NUMERALS = {"十八": "18", "十九": "19", "二十一": "21"}


def gathered(hours: float = 0, severity: Severity | None = None) -> WarningCount:
    first = NOON + timedelta(hours=hours)
    return WarningCount(KIND, severity, 2, 1, first, first + MINUTE, ("1:1", "1:2", "1:3"))


def test_every_code_has_its_meaning_in_both_languages() -> None:
    assert all(code.zh and code.en for code in WarningCode)


def test_what_came_later_is_added_and_the_first_samples_stay() -> None:
    both = gathered().joined(gathered(1))

    assert both == WarningCount(
        KIND,
        None,
        4,
        2,
        NOON,
        NOON + timedelta(hours=1) + MINUTE,
        ("1:1", "1:2", "1:3", "1:1", "1:2"),
    )
    assert len(both.samples) == MAX_SAMPLES


def test_category_and_campaign_are_the_first_that_any_had() -> None:
    nameless = gathered()
    loan = replace(nameless, category="loan", campaign="c0123456789abcdef")
    other = replace(nameless, category="games", campaign="cfedcba9876543210")

    for both in (loan.joined(other), loan.joined(nameless), nameless.joined(loan)):
        assert (both.category, both.campaign) == ("loan", "c0123456789abcdef")


@pytest.mark.parametrize(("hours", "is_taken"), [(-1, True), (0, True), (23.9, True), (24, False)])
def test_a_warning_takes_what_comes_within_a_day_of_its_beginning(
    hours: float,
    is_taken: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert EarlyWarning(1, gathered()).takes(gathered(hours)) is is_taken


def test_the_answer_of_an_sp_is_due_a_day_after_its_warning_began() -> None:
    both = gathered().joined(gathered(1))

    assert EarlyWarning(1, both).due_at == NOON + timedelta(days=1)


def test_r98_violations_are_against_the_article_of_their_code() -> None:
    found = ViolationCount(WarningCode.W2, "sp1", 1, 2, NOON, NOON)

    assert found.article == "o31.18"
    assert found._replace(code=KIND.code).article == ""


def test_r98_a_code_is_against_the_article_that_its_rules_cite() -> None:
    cited: dict[str, str] = {}
    codes: set[str] = set()
    for path in (ROOT / "policies/rules").glob("*.yaml"):
        for rule in path.read_text("utf-8").split("\n  - id:"):
            code = re.search(r"\n    warning: (W[0-9]+)", rule)
            article = re.search("通信短信息服务管理规定（2015）第([一二十八九]+)条", rule)
            codes |= {code[1]} if code else set()
            if code and article:
                cited[code[1]] = {"十八": "o31.18", "十九": "o31.19", "二十一": "o31.21"}[
                    article[1]
                ]

    assert len(cited) >= 3
    assert cited.items() <= ARTICLES.items()
    assert not (codes - cited.keys()) & ARTICLES.keys()
    assert set(ARTICLES.values()) <= set(PENALISED_ARTICLES)
    assert not set(ARTICLES.values()) & set(UNOBSERVED_ARTICLES)
