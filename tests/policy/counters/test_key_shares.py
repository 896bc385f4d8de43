"""No SP fills a counter for the others."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.counters import KeyShares


def taken(shares: KeyShares, sender: str, tries: int = 2_000_000) -> int:
    for count in range(tries):
        if not shares.pays(sender):
            return count
    return tries


@pytest.mark.parametrize("capacity", [1_000, 100_000, 1_000_000])
def test_each_sp_leaves_as_much_as_it_takes(capacity: int) -> None:
    shares = KeyShares(capacity)

    held = [taken(shares, f"sp{number}") for number in range(4)]

    assert held == [
        pytest.approx(capacity / 2 ** (number + 1), abs=70 * (number + 1)) for number in range(4)
    ]
    assert shares.keys == sum(held)
    assert not shares.is_full
    assert [shares.held_by(f"sp{number}") for number in range(4)] == held


def test_the_smallest_room_holds_one_key_for_whoever_comes_first() -> None:
    shares = KeyShares(1)

    assert [shares.pays("sp1"), shares.pays("sp1"), shares.pays("sp2")] == [True, False, False]
    assert shares.is_full


def test_a_key_that_is_gone_makes_room_for_others() -> None:
    shares = KeyShares(2)
    assert shares.pays("sp1")
    assert shares.pays("sp2")

    shares.give_back("sp1")

    assert (shares.keys, shares.held_by("sp1"), shares.held_by("sp2")) == (1, 0, 1)
    assert shares.pays("sp3")


def test_what_another_paid_for_makes_room_all_the_same() -> None:
    shares = KeyShares(2)
    assert shares.pays("sp1")

    shares.give_back("sp2")

    assert (shares.keys, shares.held_by("sp1"), shares.held_by("sp2")) == (0, 1, 0)


def test_a_generation_frees_what_was_not_counted_again() -> None:
    shares = KeyShares(8)
    assert taken(shares, "sp1") == 4

    shares.begin_generation(gone=0)
    shares.carry("sp1")
    assert shares.held_by("sp1") == 4
    assert not shares.pays("sp1")
    shares.begin_generation(gone=3)

    assert (shares.keys, shares.held_by("sp1")) == (1, 1)
    assert taken(shares, "sp1") == 3


def test_who_counts_a_key_again_that_another_made_pays_for_it_from_then_on() -> None:
    shares = KeyShares(100)
    assert shares.pays("sp1")

    shares.begin_generation(gone=0)
    shares.carry("sp2")
    shares.begin_generation(gone=0)

    assert (shares.held_by("sp1"), shares.held_by("sp2"), shares.keys) == (0, 1, 1)


def test_a_successor_goes_on_with_what_each_holds() -> None:
    before = KeyShares(100_000)
    for sender, count in (("sp1", 30), ("sp2", 70)):
        assert taken(before, sender, count) == count
    before.begin_generation(gone=0)
    assert before.pays("sp1")

    after = KeyShares(120)
    after.adopt(before)

    assert (after.keys, after.held_by("sp1"), after.held_by("sp2")) == (101, 31, 70)
    assert not after.pays("sp1")
    assert after.pays("sp3")
    after.clear()
    assert (after.keys, after.held_by("sp1")) == (0, 0)


SENDERS = st.sampled_from(["sp1", "sp2", "sp3"])


@given(
    capacity=st.one_of(st.integers(1, 12), st.sampled_from([9_000, 300_000])),
    steps=st.lists(st.tuples(st.sampled_from(["take", "many", "back", "turn"]), SENDERS)),
)
def test_no_more_keys_than_may_be_and_none_unaccounted_for(
    capacity: int, steps: list[tuple[str, str]]
) -> None:
    shares = KeyShares(capacity)
    young: Counter[str] = Counter()
    old: Counter[str] = Counter()

    for what, sender in steps:
        if what == "turn":
            shares.begin_generation(old.total())
            old, young = young, Counter()
        elif what == "back" and young[sender]:
            shares.give_back(sender)
            young[sender] -= 1
        elif what != "back":
            young[sender] += taken(shares, sender, 1 if what == "take" else 5_000)
        held = young + old
        assert shares.keys == held.total() <= capacity
        assert {one: shares.held_by(one) for one in held} == held
