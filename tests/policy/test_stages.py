"""The stages that need no text."""

import pytest

from gateway.domain.sender import Port, Purpose, Rate, SenderState
from gateway.domain.verdict import Action, Finding, Reason, ReasonCode
from gateway.policy import ruleset
from gateway.policy.bundle import ALWAYS
from gateway.policy.submission import Account, DailyCap
from tests.policy.conftest import NUMBER, sender, submission


def reason_of(finding: Finding | None) -> ReasonCode | None:
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
    source: bytes, reason: ReasonCode | None
) -> None:
    account = Account(sender(ports=(Port("1069000001", 2),)))

    assert reason_of(ruleset.source(submission(account, source), 0.0)) is reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"10690001", Reason.SOURCE_SUSPENDED),
        (b"106900011", Reason.SOURCE_SUSPENDED),
        (b"10690002", None),
        (b"95588", Reason.SOURCE_NOT_OWNED),
    ],
)
def test_r88_a_suspended_port_and_its_extensions_send_nothing(
    source: bytes, reason: ReasonCode | None
) -> None:
    account = Account(sender())
    account.origin_of(source)  # what was remembered of it before is not used any more

    account.suspend_ports(frozenset({"10690001"}))
    suspended = submission(account, source)
    account.suspend_ports(frozenset({"10690001"}))
    is_remembered = account.origin_of(source) is suspended.origin
    account.suspend_ports(frozenset())

    assert reason_of(ruleset.source(suspended, 0.0)) is reason
    assert is_remembered
    assert (submission(account, source).port is None) is (source == b"95588")


def test_what_is_always_enforced_is_listed_with_what_asks_for_it() -> None:
    found = [
        ruleset.standing(submission(Account(sender(state=SenderState.EXPIRED))), 0.0),
        ruleset.source(submission(source=b"95588"), 0.0),
        ruleset.source(submission(source=b"106900010000001"), 0.0),
        ruleset.destination(submission(destination=b"me"), 0.0),
        ruleset.rate(submission(units=1), 0.0),
    ]

    assert {f.rule for f in found if f is not None} | {"R23", "R44", "R88", "R97"} == set(ALWAYS)
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


def test_r97_the_10001st_message_of_a_day_of_a_port_on_probation_is_throttled() -> None:
    account = Account(sender())
    account.origin_of(b"1069000101")  # what was remembered of it before is not used any more
    cap = DailyCap(10_000)
    account.limit_ports({"10690001": cap})
    account.limit_ports({"10690001": cap})

    found = []
    for _ in range(10_001):
        one = submission(account, b"1069000101", units=1)
        assert ruleset.source(one, 0.0) is None
        assert one.port is not None
        found.append(ruleset.probation(one, 0.0))
    part = ruleset.probation(submission(account, b"1069000101", units=0), 0.0)
    cap.renew()
    next_day = ruleset.probation(submission(account, b"10690001", units=1), 0.0)

    assert found[:10_000] == [None] * 10_000
    assert reason_of(found[10_000]) is Reason.RATE
    assert Reason.RATE.status == "ESME_RTHROTTLED"
    assert (part, next_day) == (None, None)


@pytest.mark.parametrize(("own", "of_all"), [(2, 3), (3, 2)])
def test_r97_a_port_is_held_to_its_own_cap_and_to_that_of_all_ports(own: int, of_all: int) -> None:
    account = Account(sender())
    caps = {"10690001": DailyCap(own), "": DailyCap(of_all)}
    account.limit_ports(caps)

    def sent() -> ReasonCode | None:
        one = submission(account, b"10690001", units=1)
        ruleset.source(one, 0.0)
        found = ruleset.probation(one, 0.0)
        return None if found is None else reason_of(found)

    assert [sent() for _ in range(3)] == [None, None, Reason.RATE]
    assert (caps["10690001"].left, caps[""].left) == (own - 2, of_all - 2)


def test_r97_one_cap_may_hold_for_all_ports_and_none_costs_a_port_without_one() -> None:
    account = Account(sender())
    free = account.origin_of(b"10690001")
    account.limit_ports({"": DailyCap(0)})
    capped = account.origin_of(b"10690001")
    account.suspend_ports(frozenset({"10690001"}))
    suspended = submission(account, b"10690001")

    assert (free.port, free.capped) == (capped.capped, None)
    assert capped.port is None
    assert reason_of(ruleset.source(suspended, 0.0)) is Reason.SOURCE_SUSPENDED
    assert account.origin_of(b"95588").capped is None
    assert ruleset.probation(submission(units=1), 0.0) is None
