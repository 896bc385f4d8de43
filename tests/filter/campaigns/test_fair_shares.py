"""Room that several senders share."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.campaigns import FairShares

ROOM = 12


class Shared:
    """Room for `ROOM` things of some senders, and who owns each."""

    def __init__(self, *senders: str) -> None:
        self.shares = FairShares[int]()
        self.owners: dict[int, str] = {}
        self._latest = 0
        for sender in senders:
            self.take(sender)

    def take(self, sender: str) -> str | None:
        """Keep one more of `sender`; return whose made room for it."""
        loser = None
        if len(self.shares) == ROOM:
            rested = self.shares.longest_rested(sender)
            loser = self.drop(rested)
        self._latest += 1
        self.owners[self._latest] = sender
        self.shares.add(sender, self._latest)
        return loser

    def drop(self, number: int) -> str:
        owner = self.owners.pop(number)
        self.shares.remove(owner, number)
        return owner


def test_who_has_most_makes_room_itself() -> None:
    shared = Shared(*"aaaaaaaaaabb")

    assert shared.take("a") == "a"


def test_who_has_as_much_as_anybody_takes_nothing_from_others() -> None:
    for sender in "ab":
        assert Shared(*"aaaaaabbbbbb").take(sender) == sender


def test_who_has_less_takes_the_room_of_who_has_most() -> None:
    shared = Shared(*"aaaaaaabbbbc")

    assert [shared.take(sender) for sender in "ccdddd"] == ["a", "a", "a", "b", "a", "d"]
    assert Counter(shared.owners.values()) == {"a": 3, "b": 3, "c": 3, "d": 3}


def test_what_rested_longest_makes_room_first() -> None:
    shares = FairShares[int]()
    own = shares.add("a", 0)
    shares.add("a", 1)
    shares.add("a", 2)
    own.move_to_end(0)

    assert shares.longest_rested("a") == 1


def test_a_sender_that_has_nothing_left_takes_part_no_more() -> None:
    shares = FairShares[int]()
    shares.add("a", 1)
    shares.add("b", 2)
    shares.remove("a", 1)

    assert (len(shares), shares.longest_rested("a"), shares.longest_rested("b")) == (1, 2, 2)
    shares.remove("b", 2)
    assert (len(shares), shares._of, shares._by_size, shares._most) == (0, {}, {}, 0)


@given(st.lists(st.tuples(st.sampled_from("aaaaabbcd"), st.integers(0, 20)), max_size=120))
def test_nobody_who_has_no_more_than_a_share_loses_anything_by_another(
    sent: list[tuple[str, int]],
) -> None:
    shared = Shared()

    for sender, number in sent:
        before = Counter(shared.owners.values())
        loser = shared.take(sender)
        if loser not in (None, sender):
            assert before[loser or ""] > ROOM / len(before.keys() | {sender})
        if number in shared.owners:  # one that ends by itself
            shared.drop(number)

        counts = Counter(shared.owners.values())
        assert len(shared.shares) == len(shared.owners) <= ROOM
        assert shared.shares._most == max(counts.values(), default=0)
        sizes = {one: size for size, alike in shared.shares._by_size.items() for one in alike}
        assert sizes == counts
