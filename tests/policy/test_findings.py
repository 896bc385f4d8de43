"""How far a rule goes, and what it finds."""

from dataclasses import replace

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Action, Reason
from gateway.domain.warning import Severity, WarningCode
from gateway.policy.bundle import Override
from gateway.policy.check import Evidence
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.findings import RuleFindings, if_unread, modes_of, status_of
from gateway.policy.submission import Submission
from tests.policy.conftest import addressed, rule

REFUSED = Evidence("the subscriber refused")
UNREAD = Evidence("the store cannot be read", Reason.CONSENT_UNCHECKED, is_unread=True)
ENFORCE, SHADOW, OFF = Enforcement


def test_a_finding_says_what_its_rule_says_unless_the_evidence_says_otherwise() -> None:
    one = rule("R21", OptOut(), status="ESME_RINVDSTADR")
    findings = RuleFindings(one, modes_of(one))
    otherwise = Evidence("it may wait", OutsideWindow.reason, Action.QUARANTINE)

    plain, other = (findings.of(addressed(), evidence) for evidence in (REFUSED, otherwise))

    assert (plain.rule, plain.reason, plain.action) == ("R21", Reason.OPTED_OUT, Action.REJECT)
    assert (plain.evidence, plain.status) == ("the subscriber refused", "ESME_RINVDSTADR")
    assert (other.reason, other.action) == (OutsideWindow.reason, Action.QUARANTINE)


@pytest.mark.parametrize(
    ("traffic", "action", "is_shadow"),
    [
        (TrafficClass.COMMERCIAL, Action.REJECT, False),
        (TrafficClass.SERVICE, Action.QUARANTINE, False),
        (TrafficClass.VERIFICATION, Action.FORWARD, True),
    ],
)
def test_what_cannot_be_read_becomes_what_the_rule_says_of_the_class(
    traffic: TrafficClass,
    action: Action,
    is_shadow: bool,  # noqa: FBT001 - a column of the table
) -> None:
    on_error = {
        TrafficClass.COMMERCIAL: Action.REJECT,
        TrafficClass.SERVICE: Action.QUARANTINE,
    }
    one = rule("R21", OptOut(), on_error=on_error)

    found = RuleFindings(one, modes_of(one)).of(addressed(traffic=traffic), UNREAD)

    assert (found.action, found.shadow) == (action, is_shadow)


def test_what_cannot_be_read_is_refused_for_a_moment_whatever_status_a_refusal_has() -> None:
    on_error = {TrafficClass.COMMERCIAL: Action.REJECT}
    one = rule("R21", OptOut(), on_error=on_error, status="ESME_RINVDSTADR")

    found = RuleFindings(one, modes_of(one)).of(addressed(traffic=TrafficClass.COMMERCIAL), UNREAD)

    assert status_of(found, {}) == "ESME_RMSGQFUL"


def test_a_finding_warns_as_its_rule_says_but_not_of_what_could_not_be_read_or_counted() -> None:
    one = replace(rule("R21", OptOut()), warning=WarningCode.W5, severity=Severity.MAJOR)
    uncounted = Evidence("the counters are full", Reason.FREQUENCY_UNCOUNTED)

    plain, unread, full = (
        RuleFindings(one, modes_of(one)).of(addressed(), evidence)
        for evidence in (REFUSED, UNREAD, uncounted)
    )

    assert (plain.warning, plain.severity) == (WarningCode.W5, Severity.MAJOR)
    assert (unread.warning, unread.severity) == (None, None)
    assert (full.warning, full.severity) == (None, None)


def test_findings_are_kept_apart_by_mode() -> None:
    one = rule("R21", OptOut(), overrides=(Override(SHADOW, port="10690002"),))
    findings = RuleFindings(one, modes_of(one))

    shadows = [
        findings.of(addressed(source=source), REFUSED).shadow
        for source in (b"10690001", b"10690002", b"10690001")
    ]

    assert shadows == [False, True, False]


@pytest.mark.parametrize(("evidence", "is_told"), [(None, False), (REFUSED, False), (UNREAD, True)])
def test_of_a_class_that_it_is_not_about_a_rule_tells_only_that_it_cannot_read(
    evidence: Evidence | None,
    is_told: bool,  # noqa: FBT001 - a column of the table
) -> None:
    ask = if_unread(lambda _submission, _at: evidence)

    assert (ask(addressed(), 0.0) is not None) is is_told


def test_a_finding_is_made_once_and_those_that_are_kept_take_bounded_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.policy.findings._MAX_MADE", 2)
    one = rule("R61", OptOut())
    findings = RuleFindings(one, modes_of(one))

    first = findings.of(addressed(), REFUSED)
    assert findings.of(addressed(), REFUSED) is first
    for at in range(3):
        findings.of(addressed(), Evidence(f"campaign {at}"))

    assert len(findings._made) <= 2
    assert findings.of(addressed(), REFUSED) == first


def test_what_is_found_alike_against_many_is_one_tuple() -> None:
    other, one = (rule(name, OptOut()) for name in ("R30", "R61"))
    before, findings = RuleFindings(other, modes_of(other)), RuleFindings(one, modes_of(one))

    def both() -> Submission:
        message = addressed()
        before.add(message, REFUSED)
        findings.add(message, REFUSED)
        return message

    first, second = both(), both()

    assert [finding.rule for finding in first.findings] == ["R30", "R61"]
    assert second.findings is first.findings


def test_a_finding_bears_the_category_of_its_evidence() -> None:
    one = rule("R61", OptOut())

    found = RuleFindings(one, modes_of(one)).of(
        addressed(), Evidence("a link", category="phishing")
    )

    assert found.category == "phishing"
