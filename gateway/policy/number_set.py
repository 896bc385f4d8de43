"""A set of subscriber numbers that stays small and fast for any distribution of the numbers."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import repeat
from typing import Protocol

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
        from gateway.kernel.number_rows import find_sorted  # noqa: PLC0415

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


# A set is split by the high bits of its numbers (a numbering plan has two or three values of them)
# into parts of 32 bits. A small part is a sorted array, four octets a number: 43 MB for 100 senders
# with 100 000 numbers each all over the country. A large part is rows by hash: a change moves
# nothing, and a look-up of a whole tick waits for memory once.
_LOW_BITS = 32
_LOW = (1 << _LOW_BITS) - 1
_ROWS_FROM = 1 << 19
_MANY = 8  # fewer are found sooner one by one


class _Shard(Protocol):
    """Numbers of 32 bits."""

    def __len__(self) -> int: ...

    def has(self, low: int) -> bool: ...

    def find(self, numbers: NDArray[np.uint64], high: int, found: NDArray[np.bool_]) -> None: ...

    def update(self, lows: list[int]) -> None: ...

    def difference_update(self, lows: list[int]) -> None: ...


class NumberSet:
    """A mutable set of ints of 0 to 64 bits, at 3 to 5 octets each.

    Among ten million numbers a look-up costs 0.1 us for each number of a tick, 0.4 us for a single
    one (benchmarks/consent_memory.py).
    """

    __slots__ = ("_parts",)

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._parts: dict[int, _Shard] = {}
        self.update(numbers)

    def has(self, number: int) -> bool:
        """Tell whether `number` is in the set; the operator `in` costs three times as much."""
        part = self._parts.get(number >> _LOW_BITS)
        return part is not None and part.has(number & _LOW)

    __contains__ = has

    def among(self, numbers: Sequence[int]) -> Iterable[bool]:
        """Tell for each of `numbers` whether it is in the set; read it before the set changes."""
        if not self._parts:
            return repeat(False, len(numbers))
        if len(numbers) < _MANY:
            return map(self.has, numbers)
        asked, found = np.array(numbers, np.uint64), np.zeros(len(numbers), np.bool_)
        for high in {number >> _LOW_BITS for number in numbers} & self._parts.keys():
            self._parts[high].find(asked, high, found)
        answers: list[bool] = found.tolist()
        return answers

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def update(self, numbers: Iterable[int]) -> None:
        """Add all `numbers`."""
        for high, lows in _cut(numbers).items():
            part = self._parts.get(high)
            if part is None:
                self._parts[high] = part = SortedNumbers(lows)
            else:
                part.update(lows)
            if isinstance(part, SortedNumbers) and len(part) >= _ROWS_FROM:
                # Only here, because compiled code takes half a second to import.
                from gateway.kernel.number_rows import NumberRows  # noqa: PLC0415

                self._parts[high] = NumberRows(part.lows)

    def difference_update(self, numbers: Iterable[int]) -> None:
        """Take away those of `numbers` that are in the set."""
        for high, lows in _cut(numbers).items():
            if high in self._parts:
                self._parts[high].difference_update(lows)


def _cut(numbers: Iterable[int]) -> dict[int, list[int]]:
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for number in numbers:
        parts[number >> _LOW_BITS].append(number & _LOW)
    return parts
