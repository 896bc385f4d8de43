"""Numbers of 32 bits, sorted in one array: four octets each, found in a few steps."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

_BITS = 32
# One signpost for about 64 numbers, 1024 at most: building them costs half a millisecond.
_PER_SIGN_BITS = 6
_MAX_SIGN_BITS = 10
_MAX_ASTRAY = 64
# A single number moves what stands behind it; many at once cost a copy of the whole.
_FEW = 32

# Python 3.11 cannot evaluate array[int], so signatures quote it.


class SortedNumbers:
    """A mutable set of ints of 32 bits.

    Signposts tell where the numbers stand that agree in their highest bits, so that a search looks
    at a few hundred octets and not all over an array that no cache holds. Single additions and
    removals shift what stands behind them: by `_astray` places at most, which a search allows for.
    """

    __slots__ = ("_astray", "_shift", "_signs", "lows")

    def __init__(self, lows: Iterable[int] = ()) -> None:
        self.lows: array[int] = BitMap(lows).to_array()
        self._put_up()

    def __len__(self) -> int:
        return len(self.lows)

    def has(self, low: int) -> bool:
        """Tell whether `low` is in the set."""
        lows, sign = self.lows, low >> self._shift
        first, past = self._signs[sign], self._signs[sign + 1]
        if self._astray:
            first, past = max(first - self._astray, 0), min(past + self._astray, len(lows))
        at = bisect_left(lows, low, first, past)
        return at < past and lows[at] == low

    def find(self, numbers: NDArray[np.uint64], high: int, found: NDArray[np.bool_]) -> None:
        """Set `found` for each of `numbers` that has the high bits `high` and is in the set."""
        # Only here, because compiled code takes half a second to import.
        from gateway.policy.number_loops import find_sorted  # noqa: PLC0415

        lows, signs = np.frombuffer(self.lows, np.uint32), np.frombuffer(self._signs, np.uint32)
        find_sorted(numbers, high, lows, signs, self._shift, self._astray, found)

    def update(self, lows: Collection[int]) -> None:
        """Add all `lows`."""
        if len(lows) > _FEW:
            added = BitMap(lows)
            if self.lows and self.lows[-1] >= added.min():
                self.lows = (added | BitMap(self.lows)).to_array()
            else:
                self.lows.extend(added.to_array())  # a snapshot comes in the order of the numbers
            self._put_up()
            return
        for low in lows:
            at = bisect_left(self.lows, low)
            if at == len(self.lows) or self.lows[at] != low:
                self.lows.insert(at, low)
                self._stray()

    def difference_update(self, lows: Collection[int]) -> None:
        """Take away those of `lows` that are in the set."""
        if len(lows) > _FEW:
            self.lows = (BitMap(self.lows) - BitMap(lows)).to_array()
            self._put_up()
            return
        for low in lows:
            at = bisect_left(self.lows, low)
            if at < len(self.lows) and self.lows[at] == low:
                del self.lows[at]
                self._stray()

    def _stray(self) -> None:
        self._astray += 1
        if self._astray > _MAX_ASTRAY:
            self._put_up()

    def _put_up(self) -> None:
        wanted = len(self.lows).bit_length() - _PER_SIGN_BITS
        bits = min(max(wanted, 0), _MAX_SIGN_BITS)
        self._shift, self._astray = _BITS - bits, 0
        signs, at = array("I"), 0
        for sign in range(1 << bits):
            at = bisect_left(self.lows, sign << self._shift, at)
            signs.append(at)
        signs.append(len(self.lows))
        self._signs = signs
