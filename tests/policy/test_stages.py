"""The stages that need no text."""

import pytest

from gateway.domain.sender import Port, Purpose, Rate, SenderState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy import ruleset
from gateway.policy.bundle import ALWAYS
from gateway.policy.submission import Account
from tests.policy.conftest import NUMBER, sender, submission


def reason_of(finding: Finding | None) -> Reason | None:
    return finding.reason if finding is not None else None


def test_a_suspended_sender_sends_nothing() -> None:
    suspended = submission(Account(sender(state=SenderState.SUSPENDED)))

    assert reason_of(ruleset.standing(suspended, 0.0)) is Reason.SENDER_STATE
    assert ruleset.standing(submission(), 0.0) is None


def test_a_source_of_the_senders_own_is_found_with_its_port() -> None:
    own = submission(source=b"106900011")

    assert ruleset.source(own, 0.0) is None
    assert own.port is not None
    assert own.port.purpose is Purpose.MARKETING


@pytest.mark.parametrize(
    "source", [b"", b"10690009", b"95588", b"10690001a", b"1069000", b"\xb2\xb2", b"+10690001"]
)
def test_r02_a_source_of_somebody_elses_is_refused(source: bytes) -> None:
    borrowed = submission(source=source)

    assert reason_of(ruleset.source(borrowed, 0.0)) is Reason.SOURCE_NOT_OWNED
    assert borrowed.port is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"1069000001", None),
        (b"106900000112", None),
        (b"1069000001123", Reason.EXT_TOO_LONG),
        (b"10690000011234567890", Reason.EXT_TOO_LONG),
        (b"1069000001ab", Reason.SOURCE_NOT_OWNED),
        (b"1069000002123", Reason.SOURCE_NOT_OWNED),
    ],
)
def test_r03_more_digits_than_were_allotted_are_told_from_a_foreign_source(
    source: bytes, reason: Reason | None
) -> None:
    account = Account(sender(ports=(Port("1069000001", 2),)))

    assert reason_of(ruleset.source(submission(account, source), 0.0)) is reason


def test_what_is_always_enforced_is_listed_with_what_asks_for_it() -> None:
    found = [
        ruleset.standing(submission(Account(sender(state=SenderState.EXPIRED))), 0.0),
        ruleset.source(submission(source=b"95588"), 0.0),
        ruleset.source(submission(source=b"106900010000001"), 0.0),
        ruleset.destination(submission(destination=b"me"), 0.0),
        ruleset.rate(submission(units=1), 0.0),
    ]

    assert {f.rule for f in found if f is not None} | {"R23", "R44"} == set(ALWAYS)
    assert all(one.title.zh and one.title.en and one.article for one in ALWAYS.values())


@pytest.mark.parametrize("written", [b"13800138000", b"8613800138000", b"+8613800138000"])
def test_a_subscriber_is_one_number_however_it_is_written(written: bytes) -> None:
    one = submission(destination=written)

    assert ruleset.destination(one, 0.0) is None
    assert one.msisdn == NUMBER


@pytest.mark.parametrize("written", [b"", b"+", b"1380013800O", b"12345678901234567890", b"\xff"])
def test_a_destination_that_is_no_number_is_refused(written: bytes) -> None:
    assert reason_of(ruleset.destination(submission(destination=written), 0.0)) is (
        Reason.DESTINATION_INVALID
    )


def test_messages_over_the_rate_are_throttled() -> None:
    account = Account(sender(rate=Rate(1, 2)))

    found = [ruleset.rate(submission(account), 0.0) for _ in range(3)]

    assert [finding and finding.action for finding in found] == [None, None, Action.THROTTLE]


def test_a_part_that_was_paid_for_is_not_asked_for_a_token() -> None:
    account = Account(sender(rate=Rate(1, 1)))
    ruleset.rate(submission(account, units=3), 0.0)

    assert ruleset.rate(submission(account, units=0), 0.0) is None
    assert reason_of(ruleset.rate(submission(account), 0.0)) is Reason.RATE
