"""A set of subscriber numbers that stays small however thinly they lie."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from pyroaring import BitMap, BitMap64

from gateway.policy.sorted_numbers import SortedNumbers

# Thinly filled, a set is cut by the high bits of its numbers (a numbering plan has two or three
# values of them) into sorted arrays of the low bits, four octets each, until they lie so close
# that a roaring bitmap is hardly larger: it answers three times as fast. One sender's answers
# may lie thinly over the whole plan: 100 senders with 100 000 numbers each took 667 MB as
# bitmaps (hardly more than one number in a container of 65 536), and 43 MB as arrays.
_LOW_BITS = 32
_LOW = (1 << _LOW_BITS) - 1
_DENSE_FROM = 4096  # fewer are found fast enough
_PER_CONTAINER = 12  # with so many a bitmap takes about five octets a number


class NumberSet:
    """A mutable set of ints of 0 to 64 bits, at 3 to 5 octets each.

    A look-up costs 0.2 us where they lie densely; among ten million that lie thinly, and that
    the processor has not in its caches, 0.7 us (benchmarks/consent_memory.py).
    """

    __slots__ = ("_dense", "_lists", "_look_at")

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._lists: dict[int, SortedNumbers] = {}
        self._dense: BitMap64 | None = None
        self._look_at = _DENSE_FROM  # the length at which to look how close they lie
        self.update(numbers)

    def has(self, number: int) -> bool:
        """Tell whether `number` is in the set; the operator `in` costs three times as much."""
        dense = self._dense
        if dense is not None:
            return number in dense
        part = self._lists.get(number >> _LOW_BITS)
        return part is not None and part.has(number & _LOW)

    __contains__ = has

    def finder(self) -> Callable[[int], bool]:
        """Return what tells whether numbers are in the set, for many of them: until it changes."""
        found: Callable[[int], bool] = self.has if self._dense is None else self._dense.__contains__
        return found

    def __len__(self) -> int:
        return sum(map(len, self._lists.values())) if self._dense is None else len(self._dense)

    def update(self, numbers: Iterable[int]) -> None:
        """Add all `numbers`."""
        if self._dense is not None:
            self._dense.update(numbers)
            return
        for high, lows in _cut(numbers).items():
            if high in self._lists:
                self._lists[high].update(lows)
            else:
                self._lists[high] = SortedNumbers(lows)
        if len(self) >= self._look_at:
            self._look()

    def difference_update(self, numbers: Iterable[int]) -> None:
        """Take away those of `numbers` that are in the set."""
        if self._dense is not None:
            self._dense.difference_update(BitMap64(numbers))
            return
        for high, lows in _cut(numbers).items():
            if high in self._lists:
                self._lists[high].difference_update(lows)

    def _look(self) -> None:
        """Take a bitmap from now on, if the numbers lie close enough."""
        parts = self._lists.values()
        containers = sum(BitMap(part.lows).get_statistics()["n_containers"] for part in parts)
        if containers * _PER_CONTAINER > len(self):
            self._look_at = 2 * len(self)
            return
        dense = BitMap64()
        for high, part in self._lists.items():
            dense.update(high << _LOW_BITS | low for low in part.lows)
        self._dense = dense
        self._lists.clear()


def _cut(numbers: Iterable[int]) -> dict[int, list[int]]:
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for number in numbers:
        parts[number >> _LOW_BITS].append(number & _LOW)
    return parts
