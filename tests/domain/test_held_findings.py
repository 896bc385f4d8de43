"""What a person overruled of what holds a message, and what not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.held_findings import (
    CAMPAIGN_LINE,
    HOLD_LINE,
    OverruledFindings,
    lines_of,
    rule_line,
    told_items,
)
from gateway.domain.verdict import Action, Finding, Reason, ReasonCode, Waiver
from gateway.policy.checks import all_reasons
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.outside_window import OutsideWindow

WORD = Finding("K-LOAN", Reason.CONTENT, Action.QUARANTINE, "低息贷款", category="loan", word="a1")
LINK = Finding("R61-LINK", BadLink.reason, Action.QUARANTINE, "links to what is blocked: a.example")
SCORE = Finding(
    "R61", Reason.SUSPICIOUS, Action.QUARANTINE, "93 % likely", category="loan", score=93
)
CAMPAIGN = Finding(
    "R61-BULK", Reason.CAMPAIGN, Action.QUARANTINE, "campaign c1", campaign="c0000000000000001"
)


@pytest.mark.parametrize(
    ("then", "now", "is_covered"),
    [
        (WORD, WORD, True),
        (WORD, replace(WORD, evidence="无抵押贷款"), False),  # another entry of the list
        (WORD, replace(WORD, rule="K-OTHER"), False),
        (WORD, replace(WORD, action=Action.REJECT), True),  # the very finding, judged harder
        (LINK, replace(LINK, evidence="links to what is blocked: b.example"), False),
        (SCORE, replace(SCORE, evidence="95 % likely", score=95), True),
        (SCORE, replace(SCORE, category="fraud_prize"), False),
        (CAMPAIGN, replace(CAMPAIGN, evidence="c2", campaign="c0000000000000002"), True),
        (CAMPAIGN, replace(CAMPAIGN, rule="R61-EACH"), False),
        (WORD, CAMPAIGN, False),
    ],
)
def test_a_finding_is_overruled_by_its_rule_and_its_item(
    then: Finding, now: Finding, *, is_covered: bool
) -> None:
    assert OverruledFindings(lines_of([then])).covers(now) is is_covered


def test_what_was_overruled_adds_up() -> None:
    overruled = OverruledFindings(lines_of([WORD]) + lines_of([LINK]) + CAMPAIGN_LINE)

    assert all(map(overruled.covers, (WORD, LINK, CAMPAIGN, replace(CAMPAIGN, rule="R61-EACH"))))
    assert not overruled.covers(SCORE)


def test_a_release_of_before_findings_were_kept_overruled_what_only_holds() -> None:
    overruled = OverruledFindings(HOLD_LINE)
    at_night = replace(WORD, rule="R40", reason=OutsideWindow.reason)

    assert all(map(overruled.covers, (WORD, LINK, SCORE, CAMPAIGN)))
    assert not overruled.covers(replace(WORD, action=Action.REJECT))
    assert not overruled.covers(at_night)
    assert told_items(HOLD_LINE) == [("any rule that only holds", "")]


def test_nobody_overrules_the_hour() -> None:
    at_night = replace(WORD, rule="R40", reason=OutsideWindow.reason)

    assert not OverruledFindings(lines_of([at_night]) + rule_line("R40")).covers(at_night)


def test_of_a_rule_all_that_it_finds() -> None:
    overruled = OverruledFindings(rule_line("K-LOAN"))

    assert overruled.covers(WORD)
    assert overruled.covers(replace(WORD, evidence="无抵押贷款"))
    assert not overruled.covers(replace(WORD, rule="K-LOAN-2"))
    assert not OverruledFindings().covers(WORD)


NEVER_OVERRULED = [one for one in all_reasons().values() if one.waiver is Waiver.NEVER]


def test_what_the_law_gives_to_subscribers_is_not_for_people_to_overrule() -> None:
    assert {*NEVER_OVERRULED} == {
        Reason.SENDER_STATE,
        Reason.SOURCE_NOT_OWNED,
        Reason.SOURCE_SUSPENDED,
        Reason.OPTED_OUT,
        Reason.CONSENT_UNCHECKED,
        Reason.USER_PREF,
        OutsideWindow.reason,
    }


@pytest.mark.parametrize("reason", NEVER_OVERRULED)
def test_no_line_covers_what_people_cannot_overrule(reason: ReasonCode) -> None:
    finding = replace(WORD, reason=reason)

    for lines in (lines_of([finding]), rule_line(finding.rule), CAMPAIGN_LINE):
        assert not OverruledFindings(lines).covers(finding)


def test_kept_is_what_decided_and_what_else_would_hold_the_text() -> None:
    shadow = replace(WORD, rule="K-SHADOW", shadow=True)
    refuses = replace(WORD, rule="K-REFUSES", action=Action.REJECT)
    later = Finding("R40", OutsideWindow.reason, Action.DEFER, "outside the hours")

    lines = lines_of([SCORE, shadow, later], [SCORE, WORD, refuses, shadow])

    assert told_items(lines) == [("R61", "loan"), ("K-LOAN", "低息贷款")]
    assert told_items(lines_of([refuses])) == [("K-REFUSES", "低息贷款")]


def test_people_are_told_whole_rules_and_campaigns_too() -> None:
    lines = lines_of([WORD, WORD]) + rule_line("R61") + CAMPAIGN_LINE + CAMPAIGN_LINE

    assert told_items(lines) == [("K-LOAN", "低息贷款"), ("R61", ""), ("CAMPAIGN", "")]
    assert told_items("") == []


@given(st.lists(st.text(), max_size=4), st.text())
def test_whatever_was_found_each_line_is_of_one_finding(found: list[str], other: str) -> None:
    findings = [replace(WORD, evidence=one) for one in found]
    lines = lines_of(findings)
    overruled = OverruledFindings(lines)

    assert all(map(overruled.covers, findings))
    seen = {" ".join(one.split()) for one in found}
    assert overruled.covers(replace(WORD, evidence=other)) is (" ".join(other.split()) in seen)
    assert len(told_items(lines)) == len(seen)
