"""Lock-outs, as transcripts and against a model that remembers everything."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.session.stranger_limits import (
    ADDRESS_FACTOR,
    FIRST_DELAY_S,
    KNOWN_S,
    LAST_DELAY_S,
    Lockouts,
)

ATTACKER, SP, NEIGHBOUR = "203.0.113.9", "192.0.2.1", "192.0.2.2"


def guess(lockouts: Lockouts, address: str, system_id: str, *, times: int, now: float = 0) -> None:
    for _ in range(times):
        lockouts.failed(address, system_id, now)


def test_a_pair_is_locked_at_the_limit_and_not_before() -> None:
    lockouts = Lockouts(per_minute=3)

    guess(lockouts, ATTACKER, "sp1", times=2)
    assert not lockouts.is_locked(ATTACKER, "sp1", 0)
    guess(lockouts, ATTACKER, "sp1", times=1)
    assert lockouts.is_locked(ATTACKER, "sp1", 0)


def test_another_limit_holds_at_once_for_those_who_have_failed_before() -> None:
    lockouts = Lockouts(per_minute=2)
    guess(lockouts, ATTACKER, "sp1", times=2)

    lockouts.limit(4)
    after_raise = lockouts.is_locked(ATTACKER, "sp1", 0)
    guess(lockouts, ATTACKER, "sp1", times=2)
    at_new_limit = lockouts.is_locked(ATTACKER, "sp1", 0)
    lockouts.limit(1)

    assert (after_raise, at_new_limit) == (False, True)
    assert lockouts.is_locked(ATTACKER, "sp1", 0)


def test_an_attacker_elsewhere_does_not_lock_the_sp_out() -> None:
    lockouts = Lockouts(per_minute=3)

    guess(lockouts, ATTACKER, "sp1", times=100)

    assert lockouts.is_locked(ATTACKER, "sp1", 0)
    assert not lockouts.is_locked(SP, "sp1", 0)


def test_a_lock_ends_a_minute_after_its_oldest_failure_whatever_is_tried_meanwhile() -> None:
    lockouts = Lockouts(per_minute=2)
    lockouts.failed(ATTACKER, "sp1", 0)
    lockouts.failed(ATTACKER, "sp1", 30)

    for second in range(30, 60):
        assert lockouts.is_locked(ATTACKER, "sp1", second)
        lockouts.failed(ATTACKER, "sp1", second)

    assert not lockouts.is_locked(ATTACKER, "sp1", 60)
    lockouts.failed(ATTACKER, "sp1", 60)
    assert lockouts.is_locked(ATTACKER, "sp1", 60), "the failure at 30 s still counts"


def test_one_address_that_tries_many_names_is_locked_for_all_of_them() -> None:
    lockouts = Lockouts(per_minute=2)

    for number in range(2 * ADDRESS_FACTOR):
        assert not lockouts.is_locked(ATTACKER, "sp1", 0)
        lockouts.failed(ATTACKER, f"name{number}", 0)

    assert lockouts.is_locked(ATTACKER, "sp1", 0)
    assert not lockouts.is_locked(SP, "sp1", 0)


def test_an_ipv6_peer_does_not_start_afresh_with_each_of_its_addresses() -> None:
    lockouts = Lockouts(per_minute=3)

    for number in range(3):
        lockouts.failed(f"2001:db8::{number}", "sp1", 0)

    assert lockouts.is_locked("2001:db8::ffff", "sp1", 0)


def test_an_sp_that_has_bound_before_is_spared_the_lock_its_neighbour_earned() -> None:
    lockouts = Lockouts(per_minute=1)
    lockouts.succeeded(SP, "sp1", 0)

    for number in range(ADDRESS_FACTOR):
        lockouts.failed(SP, f"name{number}", 1)

    assert lockouts.is_locked(SP, "sp2", 1)
    assert not lockouts.is_locked(SP, "sp1", 1)
    assert lockouts.delay_s(SP, "sp1", 1) == LAST_DELAY_S


def test_known_sps_are_locked_by_their_own_failures_which_do_not_prolong_the_address_lock() -> None:
    lockouts = Lockouts(per_minute=1)
    for number in range(ADDRESS_FACTOR):
        lockouts.succeeded(SP, f"known{number}", 0)
        lockouts.failed(SP, f"name{number}", 0)

    for number in range(ADDRESS_FACTOR):
        lockouts.failed(SP, f"known{number}", 59)

    assert lockouts.is_locked(SP, "known0", 59)
    assert lockouts.is_locked(SP, "stranger", 59)
    assert not lockouts.is_locked(SP, "stranger", 60)


def test_an_address_that_bound_long_ago_may_have_changed_hands() -> None:
    lockouts = Lockouts(per_minute=1)
    lockouts.succeeded(SP, "sp1", 0)

    for number in range(ADDRESS_FACTOR):
        lockouts.failed(SP, f"name{number}", KNOWN_S - 1)

    assert not lockouts.is_locked(SP, "sp1", KNOWN_S - 1)
    assert lockouts.is_locked(SP, "sp1", KNOWN_S)


def test_a_good_bind_forgives_its_own_failures_only() -> None:
    lockouts = Lockouts(per_minute=3)
    guess(lockouts, SP, "sp1", times=2)
    guess(lockouts, SP, "sp2", times=2)

    lockouts.succeeded(SP, "sp1", 0)
    guess(lockouts, SP, "sp1", times=1)
    guess(lockouts, SP, "sp2", times=1)

    assert not lockouts.is_locked(SP, "sp1", 0)
    assert lockouts.is_locked(SP, "sp2", 0)


def test_bad_binds_are_answered_later_each_time_up_to_two_seconds() -> None:
    lockouts = Lockouts(per_minute=100)
    delays = []

    for _ in range(6):
        lockouts.failed(ATTACKER, "sp1", 0)
        delays.append(lockouts.delay_s(ATTACKER, "sp1", 0))

    assert delays == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert lockouts.delay_s(SP, "sp1", 0) == FIRST_DELAY_S
    assert lockouts.delay_s(ATTACKER, "sp1", 60) == FIRST_DELAY_S


def test_changing_the_name_does_not_shorten_the_delay() -> None:
    lockouts = Lockouts(per_minute=100)

    for number in range(4):
        lockouts.failed(ATTACKER, f"name{number}", 0)

    assert lockouts.delay_s(ATTACKER, "name99", 0) == LAST_DELAY_S


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    lockouts = Lockouts(per_minute=1, maximum_entries=3)

    for number in range(100):
        lockouts.failed(f"10.0.0.{number}", "sp1", number / 10)
        lockouts.succeeded(f"10.0.1.{number}", "sp1", number / 10)

    assert len(lockouts) == 9
    locked = [number for number in range(100) if lockouts.is_locked(f"10.0.0.{number}", "sp1", 10)]
    assert locked == [97, 98, 99]


def test_a_pair_that_fails_often_is_not_the_oldest() -> None:
    lockouts = Lockouts(per_minute=2, maximum_entries=2)

    for at, address in enumerate([ATTACKER, SP, ATTACKER, NEIGHBOUR]):
        lockouts.failed(address, "sp1", at)

    assert lockouts.is_locked(ATTACKER, "sp1", 4)


def test_a_pair_that_binds_often_is_not_the_oldest_known() -> None:
    lockouts = Lockouts(per_minute=ADDRESS_FACTOR, maximum_entries=2)
    for at, system_id in enumerate(["sp1", "sp2", "sp1", "sp3"]):
        lockouts.succeeded(SP, system_id, at)

    for number in range(ADDRESS_FACTOR**2):
        lockouts.failed(SP, f"name{number}", 4)

    assert not lockouts.is_locked(SP, "sp1", 4)
    assert lockouts.is_locked(SP, "sp2", 4)
    assert not lockouts.is_locked(SP, "sp3", 4)


@pytest.mark.parametrize(("per_minute", "maximum_entries"), [(0, 10), (10, 0), (-1, -1)])
def test_a_limit_that_would_lock_everyone_is_refused(per_minute: int, maximum_entries: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Lockouts(per_minute, maximum_entries)


ADDRESSES = (SP, NEIGHBOUR)
SYSTEM_IDS = ("sp1", "sp2", "sp3", "sp4", "sp5", "sp6")
PER_MINUTE = 2
addresses = st.sampled_from(ADDRESSES)
system_ids = st.sampled_from(SYSTEM_IDS)


class LockoutsBesideALedger(RuleBasedStateMachine):
    """The ledgers keep the time of every failure that counts, for ever, and are counted naively."""

    def __init__(self) -> None:
        super().__init__()
        self.lockouts = Lockouts(PER_MINUTE)
        self.now = 0.0
        self.of_pair: dict[tuple[str, str], list[float]] = {}
        self.of_address: dict[str, list[float]] = {}
        self.bound: set[tuple[str, str]] = set()

    def fresh(self, ledger: list[float]) -> int:
        return sum(self.now - at < 60 for at in ledger)

    def is_pair_full(self, address: str, system_id: str) -> bool:
        return self.fresh(self.of_pair.get((address, system_id), [])) >= PER_MINUTE

    def is_address_full(self, address: str) -> bool:
        return self.fresh(self.of_address.get(address, [])) >= PER_MINUTE * ADDRESS_FACTOR

    def should_be_locked(self, address: str, system_id: str) -> bool:
        is_stranger = (address, system_id) not in self.bound
        return self.is_pair_full(address, system_id) or (
            is_stranger and self.is_address_full(address)
        )

    @rule(seconds=st.sampled_from([0.0, 1.0, 7.5, 29.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(address=addresses, system_id=system_ids, times=st.integers(1, 3))
    def wrong_passwords(self, address: str, system_id: str, times: int) -> None:
        for _ in range(times):
            if not self.should_be_locked(address, system_id):
                self.of_pair.setdefault((address, system_id), []).append(self.now)
                if not self.is_address_full(address):
                    self.of_address.setdefault(address, []).append(self.now)
            self.lockouts.failed(address, system_id, self.now)

    @rule(address=addresses, system_id=system_ids)
    def the_right_password(self, address: str, system_id: str) -> None:
        if not self.should_be_locked(address, system_id):
            self.of_pair[address, system_id] = []
            self.bound.add((address, system_id))
            self.lockouts.succeeded(address, system_id, self.now)

    @invariant()
    def locks_agree_with_the_ledgers(self) -> None:
        for address, system_id in product(ADDRESSES, SYSTEM_IDS):
            is_locked = self.lockouts.is_locked(address, system_id, self.now)
            assert is_locked == self.should_be_locked(address, system_id)

    @invariant()
    def a_delay_is_never_long(self) -> None:
        for address in ADDRESSES:
            assert FIRST_DELAY_S <= self.lockouts.delay_s(address, "sp1", self.now) <= LAST_DELAY_S


TestLockoutsBesideALedger = LockoutsBesideALedger.TestCase


@given(
    st.lists(
        st.tuples(st.ip_addresses(v=4).map(str), st.text(max_size=3), st.booleans()), max_size=60
    ),
    st.integers(1, 5),
)
def test_no_sequence_of_binds_outgrows_the_bound(
    binds: list[tuple[str, str, bool]], maximum_entries: int
) -> None:
    lockouts = Lockouts(per_minute=1, maximum_entries=maximum_entries)

    for at, (address, system_id, is_right) in enumerate(binds):
        note = lockouts.succeeded if is_right else lockouts.failed
        note(address, system_id, at / 100)

        assert len(lockouts) <= 3 * maximum_entries


def test_invented_names_from_a_shared_address_lock_no_sp_that_is_known_there() -> None:
    lockouts = Lockouts(per_minute=10)
    lockouts.know(SP, "sp1", -1.0)

    for number in range(52):
        lockouts.failed(SP, f"name{number}", 0)

    assert lockouts.may_check(SP, "sp1", 0)
    assert lockouts.may_check(SP, "sp1", 0)


def test_a_known_pair_has_one_check_a_second_through_its_own_lock() -> None:
    lockouts = Lockouts(per_minute=10)
    lockouts.succeeded(SP, "sp1", 0)
    guess(lockouts, SP, "sp1", times=10)

    checked = [lockouts.may_check(SP, "sp1", 0.1 * tenth) for tenth in range(30)]

    assert sum(checked) == 3
    assert checked[0]


def test_an_unknown_pair_that_guessed_has_no_check_while_its_lock_stands() -> None:
    lockouts = Lockouts(per_minute=10)
    guess(lockouts, ATTACKER, "sp1", times=10)

    assert not any(lockouts.may_check(ATTACKER, "sp1", second) for second in range(60))
    assert lockouts.may_check(ATTACKER, "sp1", 60)


def test_behind_a_locked_address_each_name_has_one_check_a_second_and_all_have_five() -> None:
    lockouts = Lockouts(per_minute=10)
    for number in range(52):
        lockouts.failed(SP, f"name{number}", 0)

    own = [lockouts.may_check(SP, "sp1", 0.1 * tenth) for tenth in range(10)]
    others = sum(lockouts.may_check(SP, f"other{number}", 1.0) for number in range(100))

    assert own == [True] + [False] * 9
    assert others == 5


def test_an_address_is_known_for_a_week_after_any_sp_has_bound_from_it() -> None:
    lockouts = Lockouts(per_minute=1, maximum_entries=2)
    for number in range(3):
        lockouts.succeeded(f"10.0.0.{number}", "sp1", float(number))

    assert not lockouts.is_known(SP, 2)
    assert not lockouts.is_known("10.0.0.0", 2), "it was forgotten for the others"
    assert lockouts.is_known("10.0.0.2", KNOWN_S + 1)
    assert not lockouts.is_known("10.0.0.2", KNOWN_S + 2)
