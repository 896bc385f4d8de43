"""The stages that need no text."""

import itertools

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.policy import ConsentRule, Enforcement
from gateway.domain.sender import Purpose, Rate, SenderState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy import stages
from gateway.policy.account import Account
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.submission import Submission
from tests.policy.conftest import sender, submission

NUMBER = 8613800138000
ENFORCE, SHADOW, OFF = Enforcement.ENFORCE, Enforcement.SHADOW, Enforcement.OFF


def addressed(source: bytes = b"10690001", destination: bytes = b"13800138000") -> Submission:
    """Return a submission whose port and subscriber were found."""
    one = submission(source=source, destination=destination)
    stages.source(one, 0.0)
    stages.destination(one, 0.0)
    return one


def answered(answer: Answer | None, scope: str = "sp1") -> ConsentSets:
    sets = ConsentSets()
    if answer is not None:
        sets.apply(NUMBER, scope, answer)
    return sets


def reason_of(finding: Finding | None) -> Reason | None:
    return finding.reason if finding is not None else None


def test_a_suspended_sender_sends_nothing() -> None:
    suspended = submission(Account(sender(state=SenderState.SUSPENDED)))

    assert reason_of(stages.standing(suspended, 0.0)) is Reason.SENDER_STATE
    assert stages.standing(submission(), 0.0) is None


def test_a_source_of_the_senders_own_is_found_with_its_port() -> None:
    own = submission(source=b"106900011")

    assert stages.source(own, 0.0) is None
    assert own.port is not None
    assert own.port.purpose is Purpose.MARKETING


@pytest.mark.parametrize("source", [b"", b"10690003", b"95588", b"10690001a", b"106900010000001"])
def test_a_source_of_somebody_elses_is_refused(source: bytes) -> None:
    borrowed = submission(source=source)

    assert reason_of(stages.source(borrowed, 0.0)) is Reason.SOURCE_NOT_OWNED
    assert borrowed.port is None


@pytest.mark.parametrize("written", [b"13800138000", b"8613800138000", b"+8613800138000"])
def test_a_subscriber_is_one_number_however_it_is_written(written: bytes) -> None:
    one = submission(destination=written)

    assert stages.destination(one, 0.0) is None
    assert one.msisdn == NUMBER


@pytest.mark.parametrize("written", [b"", b"+", b"1380013800O", b"12345678901234567890", b"\xff"])
def test_a_destination_that_is_no_number_is_refused(written: bytes) -> None:
    assert reason_of(stages.destination(submission(destination=written), 0.0)) is (
        Reason.DESTINATION_INVALID
    )


def test_messages_over_the_rate_are_throttled() -> None:
    account = Account(sender(rate=Rate(1, 2)))

    found = [stages.rate(submission(account), 0.0) for _ in range(3)]

    assert [finding and finding.action for finding in found] == [None, None, Action.THROTTLE]


def test_a_part_that_was_paid_for_is_not_asked_for_a_token() -> None:
    account = Account(sender(rate=Rate(1, 1)))
    stages.rate(submission(account, units=3), 0.0)

    assert stages.rate(submission(account, units=0), 0.0) is None
    assert reason_of(stages.rate(submission(account), 0.0)) is Reason.RATE


@pytest.mark.parametrize("scope", ["sp1", EVERY_SENDER])
def test_a_refusal_stops_an_advert(scope: str) -> None:
    stage = stages.consent(ConsentRule(), answered(Answer.REFUSED, scope))

    found = stage(addressed(), 0.0)

    assert found == Finding("OPT-OUT", Reason.OPTED_OUT, Action.REJECT, "the subscriber refused")


def test_a_refusal_does_not_stop_a_verification_code() -> None:
    stage = stages.consent(
        ConsentRule(consent=Enforcement.ENFORCE), answered(Answer.REFUSED, EVERY_SENDER)
    )

    assert stage(addressed(source=b"10690002"), 0.0) is None


def test_a_refusal_of_one_sender_does_not_stop_another() -> None:
    stage = stages.consent(ConsentRule(), answered(Answer.REFUSED, "sp2"))

    assert stage(addressed(), 0.0) is None


def test_silence_is_not_consent() -> None:
    stage = stages.consent(ConsentRule(opt_out=OFF, consent=ENFORCE), answered(None))

    assert reason_of(stage(addressed(), 0.0)) is Reason.CONSENT_NONE


def test_a_subscriber_who_agreed_gets_adverts() -> None:
    stage = stages.consent(ConsentRule(consent=ENFORCE), answered(Answer.AGREED))

    assert stage(addressed(), 0.0) is None


@pytest.mark.parametrize(
    ("opt_out", "consent", "answer"),
    list(itertools.product(Enforcement, Enforcement, [None, *Answer])),
)
def test_an_enforced_rule_decides_whatever_is_on_trial(
    opt_out: Enforcement, consent: Enforcement, answer: Answer | None
) -> None:
    one = addressed()

    last = stages.consent(ConsentRule(opt_out=opt_out, consent=consent), answered(answer))(one, 0.0)

    found = [*one.findings, *([last] if last is not None else [])]
    is_refused, has_agreed = answer is Answer.REFUSED, answer is Answer.AGREED
    is_stopped = (is_refused and opt_out is ENFORCE) or (not has_agreed and consent is ENFORCE)
    assert any(not finding.shadow for finding in found) == is_stopped
    assert all(finding.shadow for finding in one.findings)
    is_noted = (is_refused and opt_out is not OFF) or (not has_agreed and consent is not OFF)
    assert bool(found) == is_noted


@pytest.mark.parametrize("action", [Action.FORWARD, Action.QUARANTINE, Action.REJECT])
def test_while_the_store_cannot_be_read_the_rule_says_what_becomes_of_adverts(
    action: Action,
) -> None:
    sets = answered(Answer.AGREED)
    sets.is_current = False

    found = stages.consent(ConsentRule(on_store_error=action), sets)(addressed(), 0.0)

    assert found is not None
    assert (found.reason, found.action) == (Reason.CONSENT_UNCHECKED, action)
    assert found.shadow is (action is Action.FORWARD)


def test_while_the_store_cannot_be_read_services_go_on() -> None:
    sets = ConsentSets()
    sets.is_current = False
    stage = stages.consent(ConsentRule(), sets)

    assert stage(addressed(source=b"10690002"), 0.0) is None


def test_without_a_port_or_a_subscriber_there_is_nobody_to_ask() -> None:
    stage = stages.consent(ConsentRule(consent=ENFORCE), ConsentSets())

    assert stage(addressed(source=b"95588"), 0.0) is None
    assert stage(addressed(destination=b"me"), 0.0) is None
