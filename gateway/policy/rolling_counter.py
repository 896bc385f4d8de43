"""Counting in a window that ends now, exact to the second (R42: rolling 24 hours)."""

from typing import Self

from gateway.policy.counter_keys import NEVER, NONE, PAYER, Groups, Retired, drop, split
from gateway.policy.key_shares import KeyShares
from gateway.policy.limits import Counting, Full, Limit, Parts, Rolling

_STAMP_BITS = 32
_STAMP = (1 << _STAMP_BITS) - 1


class RollingCounter:
    """Keeps the second of each message that still counts, the newest in the lowest bits.

    One number holds the stamps of a key: a message is refused when the stamp `maximum` places
    up is not older than the window, which is one shift. Keys lie in two generations, each a
    window long. A key moves to the young one when it is counted, so what the old one holds
    when its time comes has expired, and no key stays for more than two windows.

    `second` is an epoch second from 1 to 2**32 - 1 that never decreases until `restart`.
    """

    __slots__ = (
        "_full",
        "_group_of",
        "_key_at",
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

    def __init__(self, limit: Limit, every: Rolling, counting: Counting, retired: Retired) -> None:
        self.limit = limit
        self._retired = retired
        self._full = Full(limit)
        self._group_of, self._key_at = split(limit.per)
        self._length_s = every.seconds
        self._shift = (limit.maximum - 1) * _STAMP_BITS
        self._mask = (1 << limit.maximum * _STAMP_BITS) - 1
        self.young: Groups = {}
        self.old: Groups = {}
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

    def take(  # noqa: C901 - asked for each message; a call costs as much as the rest
        self, parts: Parts, second: int
    ) -> Limit | Full | None:
        """Count one message; return what stands against it, and count nothing then."""
        if second >= self.turns_at:
            self._turn(second)
        group, key = self._group_of(parts), parts[self._key_at]
        young = self.young.get(group, NONE)
        stamps = young.get(key)
        if stamps is None:
            stamps = self.old[group].get(key) if group in self.old else None
        if stamps is None:
            shares = self.shares
            if not shares.credit and not shares.grant():
                return self._full
            shares.credit -= 1
            kept = second  # the very number that all messages of this second share
        else:
            kept = stamps << _STAMP_BITS | second
            nth = stamps >> self._shift
            if nth:  # as many as may be, or more: they are few in nearly all keys
                if nth & _STAMP > second - self._length_s:
                    return self.limit
                kept &= self._mask
            if key not in young:
                del self.old[group][key]
                self.shares.carry(parts[PAYER])
        if young is NONE:
            young = self.young[group] = {}
        young[key] = kept
        return None

    def forget(self, parts: Parts, second: int) -> None:
        """Take back one message that was counted at `second`."""
        group, key = self._group_of(parts), parts[self._key_at]
        groups = self.young if key in self.young.get(group, NONE) else self.old
        counts = groups.get(group, NONE)
        if key not in counts:
            return
        counts[key] = _without(counts[key], second)
        if not counts[key]:
            self.shares.give_back(parts[PAYER])
            drop(groups, group, key)

    def restart(self) -> None:
        """Forget every count."""
        for groups in (self.young, self.old):
            self._retired.extend(groups.values())
        self.young, self.old = {}, {}
        self.shares.clear()
        self.turns_at = NEVER

    def adopt(self, before: Self) -> None:
        """Go on with the counts of a counter that is not used any more.

        Its maximum may have been another: more stamps than this one asks for do no harm, and
        fewer were all that it admitted.
        """
        self.young, self.old = before.young, before.old
        self.shares.adopt(before.shares)
        self.turns_at = before.turns_at

    def _turn(self, second: int) -> None:
        if second >= self.turns_at + self._length_s:
            self.restart()  # nothing was counted for a whole window
        self._retired.extend(self.old.values())
        self.shares.begin_generation(sum(map(len, self.old.values())))
        self.old, self.young = self.young, {}
        self.turns_at = second + self._length_s


def _without(stamps: int, second: int) -> int:
    """Return `stamps` less one that is `second`, or unchanged when there is none."""
    shift = 0
    while (rest := stamps >> shift) and rest & _STAMP != second:
        shift += _STAMP_BITS
    below = stamps & (1 << shift) - 1
    return rest >> _STAMP_BITS << shift | below
