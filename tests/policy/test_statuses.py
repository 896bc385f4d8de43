"""What an SP hears for which reason."""

from gateway.domain.verdict import Action, Finding, Reason, ReasonCode
from gateway.policy.checks import all_reasons
from gateway.policy.checks.too_often import TooOften
from gateway.policy.findings import status_of
from gateway.smpp.status import CommandStatus, status_named

RETRIED = {"ESME_RSYSERR", "ESME_RTHROTTLED", "ESME_RMSGQFUL"}


def finding(reason: ReasonCode, status: str = "") -> Finding:
    return Finding("R", reason, Action.REJECT, "", status=status)


def test_every_reason_has_an_error_status() -> None:
    statuses = {
        reason: status_named(status_of(finding(reason), {})) for reason in all_reasons().values()
    }

    assert CommandStatus.ESME_ROK not in statuses.values()


def test_only_what_will_pass_later_is_answered_so_that_senders_try_again() -> None:
    retried = {reason for reason in all_reasons().values() if reason.status in RETRIED}

    assert retried == {
        Reason.RATE,
        TooOften.reason,
        Reason.FREQUENCY_UNCOUNTED,
        Reason.OVERLOADED,
        Reason.PARTS_AWAITED,
        Reason.CONSENT_UNCHECKED,
    }


def test_a_senders_own_status_comes_first_and_then_that_of_the_rule() -> None:
    overrides = {"CONTENT": "ESME_RINVMSGLEN"}
    of_its_rule = finding(Reason.CONTENT, "ESME_RDELIVERYFAILURE")

    assert status_of(of_its_rule, overrides) == "ESME_RINVMSGLEN"
    assert status_of(of_its_rule, {}) == "ESME_RDELIVERYFAILURE"
    assert status_of(finding(Reason.RATE), overrides) == "ESME_RTHROTTLED"
