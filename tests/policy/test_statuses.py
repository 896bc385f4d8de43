"""What an SP hears for which reason."""

from gateway.domain.verdict import Reason
from gateway.policy.statuses import DEFAULT_STATUSES, status_of
from gateway.smpp.status import CommandStatus, status_named

RETRIED = {"ESME_RSYSERR", "ESME_RTHROTTLED", "ESME_RMSGQFUL"}


def test_every_reason_has_an_error_status() -> None:
    statuses = {reason: status_named(status_of(reason, {})) for reason in Reason}

    assert CommandStatus.ESME_ROK not in statuses.values()


def test_only_what_will_pass_later_is_answered_so_that_senders_try_again() -> None:
    retried = {reason for reason, status in DEFAULT_STATUSES.items() if status in RETRIED}

    assert retried == {Reason.RATE, Reason.OVERLOADED}


def test_a_senders_own_status_comes_first() -> None:
    overrides = {"CONTENT": "ESME_RINVMSGLEN"}

    assert status_of(Reason.CONTENT, overrides) == "ESME_RINVMSGLEN"
    assert status_of(Reason.RATE, overrides) == "ESME_RTHROTTLED"
