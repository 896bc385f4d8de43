"""New connections a second of each address, with the time passed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.stranger_limits import ConnectionRate

ATTACKER, SP = "203.0.113.9", "192.0.2.1"


def test_an_address_that_floods_is_admitted_its_burst_and_then_its_rate() -> None:
    rate = ConnectionRate(per_s=10, burst=50)

    at_once = sum(rate.admits(ATTACKER, 0.0) for _ in range(1_000))
    next_second = sum(rate.admits(ATTACKER, 0.001 * ms) for ms in range(1, 1_001))

    assert (at_once, next_second) == (50, 10)


def test_a_flood_of_one_address_costs_another_nothing() -> None:
    rate = ConnectionRate(per_s=10, burst=50)
    for _ in range(1_000):
        rate.admits(ATTACKER, 0.0)

    assert rate.admits(SP, 0.0)


def test_refused_connections_do_not_prolong_the_wait() -> None:
    rate = ConnectionRate(per_s=1, burst=1)
    assert rate.admits(SP, 0.0)

    assert not any(rate.admits(SP, 0.001 * ms) for ms in range(999))
    assert rate.admits(SP, 1.0)


def test_the_addresses_of_one_ipv6_customer_share_one_rate() -> None:
    rate = ConnectionRate(per_s=1, burst=3)

    admitted = sum(rate.admits(f"2001:db8::{number:x}", 0.0) for number in range(100))

    assert admitted == 3


def test_memory_is_bounded_and_the_address_of_longest_ago_is_forgotten() -> None:
    rate = ConnectionRate(per_s=1, burst=1, maximum_entries=2)

    for number in range(1, 4):
        assert rate.admits(f"192.0.2.{number}", 0.0)

    assert len(rate) == 2
    assert not rate.admits("192.0.2.3", 0.0)
    assert rate.admits("192.0.2.1", 0.0)


@pytest.mark.parametrize(("per_s", "burst", "entries"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_rate_that_admits_nobody_is_refused(per_s: float, burst: int, entries: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ConnectionRate(per_s, burst, entries)


@given(st.lists(st.floats(0, 0.5), max_size=200), st.integers(1, 20), st.integers(1, 10))
def test_no_address_exceeds_burst_and_rate_over_any_span(
    pauses: list[float], per_s: int, burst: int
) -> None:
    rate, now, admitted = ConnectionRate(per_s, burst), 0.0, 0
    for pause in pauses:
        now += pause
        admitted += rate.admits(SP, now)

    assert admitted <= burst + per_s * now + 1e-6
