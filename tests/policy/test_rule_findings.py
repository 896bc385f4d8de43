"""How far a rule goes, and what it finds."""

import pytest

from gateway.domain.policy import Enforcement
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Reason
from gateway.policy.evidence import Evidence
from gateway.policy.rule_findings import Findings, Modes, if_unread, unless_off
from gateway.policy.rules import Override, Refused
from gateway.policy.submission import Submission
from tests.policy.conftest import addressed, rule

REFUSED = Evidence("the subscriber refused")
UNREAD = Evidence("the store cannot be read", Reason.CONSENT_UNCHECKED, is_unread=True)
ENFORCE, SHADOW, OFF = Enforcement


def test_a_finding_says_what_its_rule_says_unless_the_evidence_says_otherwise() -> None:
    one = rule("R21", Refused(), status="ESME_RINVDSTADR")
    findings = Findings(one, Modes(one))
    otherwise = Evidence("it may wait", Reason.OUTSIDE_WINDOW, Action.QUARANTINE)

    plain, other = (findings.of(addressed(), evidence) for evidence in (REFUSED, otherwise))

    assert (plain.rule, plain.reason, plain.action) == ("R21", Reason.OPTED_OUT, Action.REJECT)
    assert (plain.evidence, plain.status) == ("the subscriber refused", "ESME_RINVDSTADR")
    assert (other.reason, other.action) == (Reason.OUTSIDE_WINDOW, Action.QUARANTINE)


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
    one = rule("R21", Refused(), on_error=on_error)

    found = Findings(one, Modes(one)).of(addressed(traffic=traffic), UNREAD)

    assert (found.action, found.shadow) == (action, is_shadow)


def test_findings_are_kept_apart_by_mode() -> None:
    one = rule("R21", Refused(), overrides=(Override(SHADOW, port="10690002"),))
    findings = Findings(one, Modes(one))

    shadows = [
        findings.of(addressed(source=source), REFUSED).shadow
        for source in (b"10690001", b"10690002", b"10690001")
    ]

    assert shadows == [False, True, False]


def test_where_a_rule_is_off_it_is_not_asked() -> None:
    one = rule("R21", Refused(), overrides=(Override(OFF, port="10690002"),))
    asked: list[bytes] = []

    def ask(submission: Submission, _at: float) -> Evidence | None:
        asked.append(submission.source)
        return REFUSED

    guarded = unless_off(ask, Modes(one))
    found = [guarded(addressed(source=s), 0.0) for s in (b"10690001", b"10690002")]

    assert found == [REFUSED, None]
    assert asked == [b"10690001"]


def test_a_rule_without_overrides_is_asked_directly() -> None:
    one = rule("R21", Refused())

    def ask(_submission: Submission, _at: float) -> Evidence | None:
        return REFUSED

    assert unless_off(ask, Modes(one)) is ask


@pytest.mark.parametrize(("evidence", "is_told"), [(None, False), (REFUSED, False), (UNREAD, True)])
def test_of_a_class_that_it_is_not_about_a_rule_tells_only_that_it_cannot_read(
    evidence: Evidence | None,
    is_told: bool,  # noqa: FBT001 - a column of the table
) -> None:
    ask = if_unread(lambda _submission, _at: evidence)

    assert (ask(addressed(), 0.0) is not None) is is_told
