"""A set of subscriber numbers that stays small and fast for any distribution of the numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.policy.sorted_numbers import SortedNumbers

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
                from gateway.policy.number_rows import NumberRows  # noqa: PLC0415

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
