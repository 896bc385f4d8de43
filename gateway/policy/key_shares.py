"""Shares the room of a counter among the SPs that fill it: one may take what it leaves free."""

from collections import defaultdict
from typing import Self

# How many keys an SP may get at once: each request costs a microsecond.
_MOST_AT_ONCE = 64
_LEAST_CAPACITY = 4096


class KeyShares:
    """Who holds how many of the keys of one counter, and who may make one more.

    An SP may hold at most as many keys as are free for others: alone half of all, beside one that
    holds half a quarter, and so on, so that something is always left for the next (a dynamic
    threshold: Choudhury and Hahne 1998). The SP that makes a key pays for it, or the first SP that
    counts it in a new generation.

    This is asked for each new key, and messages of one SP come together: several keys are granted
    at once, and the unused ones stay with the SP when it is another's turn.
    """

    __slots__ = (
        "_block",
        "_capacity",
        "_carried",
        "_credit",
        "_granted",
        "_inherited",
        "_left",
        "_payer",
        "_room",
    )

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._block = max(1, min(_MOST_AT_ONCE, capacity // _LEAST_CAPACITY))
        self._room = capacity
        self._payer = ""
        self._credit = 0  # how many of those granted to the payer are left
        self._left: dict[str, int] = {}  # of those granted to the others
        self._granted: defaultdict[str, int] = defaultdict(int)
        self._inherited: dict[str, int] = {}  # held in the generation before
        self._carried: defaultdict[str, int] = defaultdict(int)  # of these, in this one as well

    @property
    def keys(self) -> int:
        """Return how many keys are taken."""
        return self._capacity - self._room - self._credit - sum(self._left.values())

    @property
    def is_full(self) -> bool:
        """Tell whether no SP can make a new key."""
        return self._room <= 0

    def pays(self, sender: str) -> bool:
        """Let an SP pay for a new key if it may hold one more; return whether it may."""
        if sender is not self._payer:
            self._turn_to(sender)
        if self._credit or self._is_granted():
            self._credit -= 1
            return True
        return False

    def _turn_to(self, sender: str) -> None:
        self._left[self._payer] = self._credit
        self._payer, self._credit = sender, self._left.pop(sender, 0)

    def _is_granted(self) -> bool:
        """Grant the payer some keys if it may hold more; return whether it may."""
        free = self._room - self.held_by(self._payer)
        block = min(self._block, free)
        if block <= 0:
            return False
        self._room -= block
        self._granted[self._payer] += block
        self._credit += block
        return True

    def held_by(self, sender: str) -> int:
        """Return how many keys an SP pays for."""
        carried = max(self._carried.get(sender, 0), self._inherited.get(sender, 0))
        return self._granted.get(sender, 0) - self._left_of(sender) + carried

    def carry(self, sender: str) -> None:
        """Note that an SP counted a key of the previous generation, which moves to this one."""
        self._carried[sender] += 1

    def give_back(self, sender: str) -> None:
        """Note that a key was removed; its last message was from `sender`."""
        self._room += 1
        if self._granted.get(sender, 0) > self._left_of(sender):
            self._granted[sender] -= 1

    def begin_generation(self, gone: int) -> None:
        """Begin a generation; `gone` keys of the one before the last are removed for good."""
        inherited = {
            sender: self._granted.get(sender, 0) - self._left_of(sender) + self._carried[sender]
            for sender in {*self._granted, *self._carried}
        }
        self._begin(self.keys - gone, inherited)

    def clear(self) -> None:
        """Forget all keys."""
        self._begin(0, {})

    def adopt(self, before: Self) -> None:
        """Go on with the keys of a counter that is not used any more; these may be too many."""
        before._turn_to("")
        self._granted, self._inherited = before._granted, before._inherited
        self._carried = before._carried
        for sender, left in before._left.items():
            self._granted[sender] -= left
        self._room = self._capacity - before.keys

    def _left_of(self, sender: str) -> int:
        return self._credit if sender == self._payer else self._left.get(sender, 0)

    def _begin(self, keys: int, inherited: dict[str, int]) -> None:
        self._room = self._capacity - keys
        self._inherited = inherited
        self._credit = 0
        for counts in (self._left, self._granted, self._carried):
            counts.clear()
