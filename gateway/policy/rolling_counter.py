"""Counting in a window that ends now, exact to the second (R42: rolling 24 hours)."""

from collections.abc import Sequence
from typing import Self

from gateway.policy.counter_keys import (
    NEVER,
    PAYER,
    WHICH,
    Retired,
    keyed_by,
    size_of,
    tables,
)
from gateway.policy.key_shares import KeyShares
from gateway.policy.limits import Counting, Full, Limit, Parts, RollingWindow

_STAMP_BITS = 32
_STAMP = (1 << _STAMP_BITS) - 1


class RollingCounter:
    """Keeps the second of each message that still counts, the newest in the lowest bits.

    One number holds the stamps of a key: a message is rejected if the stamp `maximum` places up is
    not older than the window, which takes one shift. Keys are in two generations, each a window
    long. A key moves to the young generation when it is counted, so what the old generation holds
    when its time ends has expired, and no key stays for more than two windows.

    `second` is an epoch second from 1 to 2**32 - 1 that never decreases until `restart`.
    """

    __slots__ = (
        "_full",
        "_keys_of",
        "_length_s",
        "_mask",
        "_retired",
        "_shift",
        "limit",
        "old",
        "shares",
        "turns_at",
        "young",
    )

    def __init__(
        self, limit: Limit, every: RollingWindow, counting: Counting, retired: Retired
    ) -> None:
        self.limit = limit
        self._retired = retired
        self._full = Full(limit)
        self._keys_of = keyed_by(limit.per)
        self._length_s = every.seconds
        self._shift = (limit.maximum - 1) * _STAMP_BITS
        self._mask = (1 << limit.maximum * _STAMP_BITS) - 1
        self.young = tables()
        self.old = tables()
        self.shares = KeyShares(counting.capacity)
        self.turns_at = NEVER

    @property
    def keys(self) -> int:
        """Return how many keys are kept, as of the last message; some may have expired."""
        return self.shares.keys

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for a new key, as of the last message."""
        return self.shares.is_full

    def take_all(  # noqa: C901 - asked for each message; a call costs as much as the rest
        self, messages: Sequence[Parts], second: int
    ) -> Sequence[tuple[int, Limit | Full]]:
        """Count messages in order; return the place of each rejected one with the reason.

        A rejected message is not counted.
        """
        if second >= self.turns_at:
            self._turn(second)
        against: list[tuple[int, Limit | Full]] = []
        young_ones, old_ones, pays = self.young, self.old, self.shares.pays
        for place, key in enumerate(self._keys_of(messages)):
            which = key & WHICH
            young = young_ones[which]
            known = len(young)
            # All messages of this second share this int object.
            stamps = young.setdefault(key, second)
            is_new = len(young) > known
            if is_new:
                earlier = old_ones[which].get(key)
                if earlier is None:
                    if not pays(messages[place][PAYER]):
                        del young[key]
                        against.append((place, self._full))
                    continue
                stamps = earlier
            kept = stamps << _STAMP_BITS | second
            nth = stamps >> self._shift
            if nth:  # as many as allowed, or more: true of few keys
                if nth & _STAMP > second - self._length_s:
                    if is_new:
                        del young[key]
                    against.append((place, self.limit))
                    continue
                kept &= self._mask
            if is_new:
                del old_ones[which][key]
                self.shares.carry(messages[place][PAYER])
            young[key] = kept
        return against

    def forget(self, parts: Parts, second: int) -> None:
        """Take back one message that was counted at `second`."""
        (key,) = self._keys_of((parts,))
        for table in (self.young[key & WHICH], self.old[key & WHICH]):
            if key in table:
                table[key] = _without(table[key], second)
                if not table[key]:
                    self.shares.give_back(parts[PAYER])
                    del table[key]

    def restart(self) -> None:
        """Forget every count."""
        self._retired += filter(None, (*self.young, *self.old))
        self.young, self.old = tables(), tables()
        self.shares.clear()
        self.turns_at = NEVER

    def adopt(self, before: Self) -> None:
        """Go on with the counts of a counter that is not used any more.

        Its maximum may have been different: more stamps than this one needs do no harm, and fewer
        stamps are all that it admitted.
        """
        self.young, self.old = before.young, before.old
        self.shares.adopt(before.shares)
        self.turns_at = before.turns_at

    def _turn(self, second: int) -> None:
        if second >= self.turns_at + self._length_s:
            self.restart()  # nothing was counted for a whole window
        self._retired += filter(None, self.old)
        self.shares.begin_generation(size_of(self.old))
        self.old, self.young = self.young, tables()
        self.turns_at = second + self._length_s


def _without(stamps: int, second: int) -> int:
    """Return `stamps` without one that equals `second`; unchanged without such a stamp."""
    shift = 0
    while (rest := stamps >> shift) and rest & _STAMP != second:
        shift += _STAMP_BITS
    below = stamps & (1 << shift) - 1
    return rest >> _STAMP_BITS << shift | below
