"""What is counted for warnings, within its bounds."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.verdict import Action, Finding, Reason
from gateway.domain.warning import MAX_SAMPLES, Severity, WarningCode, WarningCount, WarningKind
from gateway.policy import findings
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.findings import WarningTally
from gateway.policy.submission import Submission
from tests.policy.conftest import NUMBER, addressed, submission

W3 = WarningCode.W3
MISUSE = Finding(
    "R05",
    Reason.PORT_MISUSE,
    Action.QUARANTINE,
    "misuse",
    warning=W3,
    severity=Severity.SERIOUS,
)
PLAIN = Finding("R38", NoSenderName.reason, Action.REJECT, "nameless")


def found(*findings: Finding, source: bytes = b"10690001") -> Submission:
    one = addressed(source=source)
    one.findings = findings
    return one


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def test_messages_of_one_kind_are_one_count() -> None:
    tally = WarningTally()

    tally.note(found(PLAIN, MISUSE), 10.0, (1, 7, 0))
    tally.note(found(replace(MISUSE, shadow=True), source=b"106900011"), 12.5, (1, 8, 8_000))

    assert tally.take() == (
        WarningCount(
            WarningKind(W3, "R05", "sp1", "10690001"),
            Severity.SERIOUS,
            2,
            1,
            moment(10.0),
            moment(12.5),
            ("1:7", "8000"),
        ),
    )
    assert tally.take() == ()


def test_a_count_is_about_the_first_category_and_campaign_of_its_findings() -> None:
    tally = WarningTally()
    loan = replace(MISUSE, category="loan", campaign="c0123456789abcdef")
    games = replace(MISUSE, category="games", campaign="cfedcba9876543210")

    for at, finding in enumerate((MISUSE, loan, games)):
        tally.note(found(finding), float(at), (1, at, 0))

    (one,) = tally.take()
    assert (one.count, one.category, one.campaign) == (3, "loan", "c0123456789abcdef")


def test_two_findings_against_one_message_are_two_warnings() -> None:
    tally = WarningTally()
    other = replace(MISUSE, rule="R30", warning=WarningCode.W2, severity=None)

    tally.note(found(MISUSE, other), 0.0, (1, 1, 0))

    assert [(one.kind.code, one.severity) for one in tally.take()] == [
        (W3, Severity.SERIOUS),
        (WarningCode.W2, None),
    ]


def test_a_message_whose_port_is_not_known_counts_for_none() -> None:
    tally = WarningTally()
    one = submission(source=b"95588")
    one.findings = (MISUSE,)

    tally.note(one, 0.0, (1, 1, 0))

    assert [one.kind.port for one in tally.take()] == [""]


def test_a_few_samples_are_kept_however_many_messages_there_are() -> None:
    tally = WarningTally()

    for number in range(100):
        tally.note(found(MISUSE), 0.0, (1, number, 0))

    (one,) = tally.take()
    assert one.count == 100
    assert one.samples == tuple(f"1:{number}" for number in range(MAX_SAMPLES))


def test_what_is_of_more_kinds_than_are_kept_apart_is_counted_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(findings, "MAX_KINDS", 2)
    tally = WarningTally()

    for rule in ("R1", "R2", "R3", "R2", "R4"):
        tally.note(found(replace(MISUSE, rule=rule)), 0.0, (1, 1, 0))
    kinds = [one.kind.rule for one in tally.take()]
    tally.note(found(replace(MISUSE, rule="R3")), 0.0, (1, 1, 0))

    assert kinds == ["R1", "R2"]
    assert tally.others == 2
    assert [one.kind.rule for one in tally.take()] == ["R3"]


def test_a_clock_that_is_set_back_makes_no_warning_that_ends_before_it_began() -> None:
    tally = WarningTally()

    tally.note(found(MISUSE), 100.0, (1, 1, 0))
    tally.note(found(MISUSE), 40.0, (1, 2, 0))

    (one,) = tally.take()
    assert (one.first_at, one.last_at) == (moment(40.0), moment(100.0))


def test_no_sample_tells_a_number() -> None:
    tally = WarningTally()

    tally.note(found(MISUSE), 0.0, (1, 1, 0))

    assert str(NUMBER)[2:] not in repr(tally.take())
