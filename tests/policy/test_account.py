"""A sender as the tick sees it."""

import pytest

from gateway.domain.sender import Port, Rate, SenderState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.submission import Account, TokenBucket
from tests.policy.conftest import sender


def test_an_active_sender_stands_well() -> None:
    assert Account(sender()).standing is None


@pytest.mark.parametrize("state", [SenderState.SUSPENDED, SenderState.EXPIRED])
def test_any_other_sender_is_found_against_with_its_state(state: SenderState) -> None:
    standing = Account(sender(state=state)).standing

    assert standing == Finding(
        "R01", Reason.SENDER_STATE, Action.REJECT, f"sender is {state.value}"
    )


def test_a_sender_is_suspended_and_let_go_without_a_reload() -> None:
    account = Account(sender())

    account.stand(SenderState.SUSPENDED)
    suspended = account.sender.state, account.standing
    account.stand(SenderState.ACTIVE)
    account.stand(SenderState.ACTIVE)

    assert suspended == (SenderState.SUSPENDED, Account(sender(state=suspended[0])).standing)
    assert (account.sender, account.standing) == (sender(), None)


@pytest.mark.parametrize(
    ("source", "number"),
    [
        (b"10690001", "10690001"),
        (b"106900010042", "10690001"),
        (b"10690002", "10690002"),
        (b"106900020", None),
        (b"1069", None),
        (b"", None),
        (b"+10690001", None),
        (b"10690001\xff", None),
    ],
)
def test_a_source_belongs_to_a_port_or_to_none(source: bytes, number: str | None) -> None:
    account = Account(sender())

    first, again = (account.origin_of(source) for _ in range(2))

    assert first is again
    assert (first.port and first.port.number) == number


@pytest.mark.parametrize(
    ("source", "is_extended"),
    [
        (b"10690001", True),
        (b"106900010000001", True),
        (b"106900020", True),
        (b"10690004", False),
        (b"10690001x", False),
        (b"10690001\xff", False),
        (b"1069", False),
        (b"", False),
    ],
)
def test_r03_digits_behind_a_port_are_told_from_a_foreign_source(
    source: bytes,
    is_extended: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert Account(sender()).is_extended(source) is is_extended


def test_a_sender_without_ports_has_nothing_to_extend() -> None:
    assert not Account(sender(ports=())).is_extended(b"10690001")


def test_sources_are_remembered_up_to_a_bound() -> None:
    account = Account(sender(ports=(Port("1", 20),)))

    for number in range(40_000):
        account.origin_of(b"1%d" % number)

    assert len(account.origins) <= 16_384
    assert account.origin_of(b"139999").port == Port("1", 20)


def test_the_sources_of_a_port_have_one_home_and_each_port_its_own() -> None:
    account = Account(sender())

    homes = [account.origin_of(s).home for s in (b"10690001", b"1069000101", b"10690002", b"95588")]

    assert homes[0] is homes[1]
    assert len(set(homes)) == 3


def test_a_reload_keeps_the_level_of_the_bucket() -> None:
    before = Account(sender(rate=Rate(1, 1)))
    before.bucket.take(0.0)

    after = Account(sender(rate=Rate(1, 1), state=SenderState.SUSPENDED), before)

    assert not after.bucket.take(0.0)


def test_a_bucket_tells_how_many_messages_may_come_at_once() -> None:
    bucket = TokenBucket(10, 3)

    free = [bucket.free(0.0)]
    for _ in range(3):
        bucket.take(0.0)
        free.append(bucket.free(0.0))

    assert (free, bucket.free(0.1), bucket.free(9.0)) == ([3, 2, 1, 0], 1, 3)


def test_another_rate_gets_another_bucket() -> None:
    before = Account(sender(rate=Rate(1, 1)))
    before.bucket.take(0.0)

    after = Account(sender(rate=Rate(2, 1)), before)

    assert after.bucket.take(0.0)
