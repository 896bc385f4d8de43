"""A set of subscriber numbers that stays small however thinly they lie."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from pyroaring import BitMap

# A set is cut by the high bits of its numbers: a numbering plan has two or three values of
# them. A part is a sorted array of the low bits, four octets each, until its numbers lie so
# close that a roaring bitmap is hardly larger: it answers three times as fast. One sender's
# answers may lie thinly over the whole plan: 100 senders with 100 000 numbers each took 667 MB
# as bitmaps (hardly more than one number in a container of 65 536), and 43 MB as arrays.
_LOW_BITS = 32
_LOW = (1 << _LOW_BITS) - 1
_DENSE_FROM = 4096  # fewer are found fast enough
_PER_CONTAINER = 12  # with so many a bitmap takes about five octets a number

# A single number costs a move of what lies behind it, many at once a copy of the part.
_FEW = 32

# Python 3.11 cannot evaluate array[int], so signatures quote it.


class NumberSet:
    """A mutable set of ints, not negative, at 3 to 5 octets each.

    A look-up costs 0.4 us among 100 000 numbers, about 1 us among ten million that the
    processor has not in its caches (benchmarks/consent_memory.py).
    """

    __slots__ = ("_bitmaps", "_lists", "_look_at")

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._lists: dict[int, array[int]] = {}
        self._bitmaps: dict[int, BitMap] = {}
        self._look_at: dict[int, int] = {}  # the length at which to look how close they lie
        self.update(numbers)

    def __contains__(self, number: int) -> bool:
        high, low = number >> _LOW_BITS, number & _LOW
        bitmap = self._bitmaps.get(high)
        if bitmap is not None:
            return low in bitmap
        lows = self._lists.get(high)
        if lows is None:
            return False
        at = bisect_left(lows, low)
        return at < len(lows) and lows[at] == low

    def __len__(self) -> int:
        return sum(map(len, self._lists.values())) + sum(map(len, self._bitmaps.values()))

    def update(self, numbers: Iterable[int]) -> None:
        """Add all `numbers`."""
        for high, lows in _cut(numbers).items():
            if high in self._bitmaps:
                self._bitmaps[high].update(lows)
                continue
            held = self._lists.setdefault(high, array("I"))
            self._keep(high, _united(held, lows))

    def difference_update(self, numbers: Iterable[int]) -> None:
        """Take away those of `numbers` that are in the set."""
        for high, lows in _cut(numbers).items():
            if high in self._bitmaps:
                self._bitmaps[high].difference_update(BitMap(lows))
            elif high in self._lists:
                self._lists[high] = _reduced(self._lists[high], lows)

    def _keep(self, high: int, lows: "array[int]") -> None:
        self._lists[high] = lows
        if len(lows) < self._look_at.get(high, _DENSE_FROM):
            return
        bitmap = BitMap(lows)
        if bitmap.get_statistics()["n_containers"] * _PER_CONTAINER <= len(lows):
            self._bitmaps[high] = bitmap
            del self._lists[high]
        else:
            self._look_at[high] = 2 * len(lows)


def _cut(numbers: Iterable[int]) -> dict[int, list[int]]:
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for number in numbers:
        parts[number >> _LOW_BITS].append(number & _LOW)
    return parts


def _united(held: "array[int]", lows: list[int]) -> "array[int]":
    if len(lows) > _FEW:
        added = BitMap(lows)
        if held and held[-1] >= added.min():
            return (added | BitMap(held)).to_array()
        held.extend(added.to_array())  # a snapshot comes in the order of the numbers
        return held
    for low in lows:
        at = bisect_left(held, low)
        if at == len(held) or held[at] != low:
            held.insert(at, low)
    return held


def _reduced(held: "array[int]", lows: list[int]) -> "array[int]":
    if len(lows) > _FEW:
        return (BitMap(held) - BitMap(lows)).to_array()
    for low in lows:
        at = bisect_left(held, low)
        if at < len(held) and held[at] == low:
            del held[at]
    return held
