"""Hundreds of thousands of numbers of 32 bits in rows by their hash: two octets each and room."""

import secrets
from collections.abc import Collection

import numpy as np

from gateway.kernel.number_loops import ROWS, Found, Numbers, find, has, put, take

# The secret of this process. Without it, a sender could choose numbers that all fall into one row,
# and every row is as long as the longest.
_SEED = np.uint32(secrets.randbits(32))
_ROOM = 8  # places added to each row, a megabyte in all, when a row is full


class NumberRows:
    """A mutable set of ints of 32 bits.

    The hash is different for each number. Its high half names one of 65 536 rows, its low half is
    stored there, unsorted. A look-up touches a few lines of memory, however the numbers are
    distributed. The look-ups of a tick wait for memory together and cost 0.08 us each among ten
    million (0.4 to 1.2 us one by one in a roaring bitmap). Many numbers fill the rows evenly: ten
    million take 31 MB.
    """

    __slots__ = ("_counts", "_rows")

    def __init__(self, lows: Collection[int]) -> None:
        self._rows = np.zeros((ROWS, _ROOM), np.uint16)
        self._counts = np.zeros(ROWS, np.uint16)
        self.update(lows)

    def __len__(self) -> int:
        return int(self._counts.sum())

    @property
    def octets(self) -> int:
        """How many octets it takes in memory."""
        return self._rows.nbytes + self._counts.nbytes

    def has(self, low: int) -> bool:
        """Tell whether `low` is in the set."""
        return has(low, _SEED, self._rows, self._counts)

    def find(self, numbers: Numbers, high: int, found: Found) -> None:
        """Set `found` for each of `numbers` that has the high bits `high` and is in the set."""
        find(numbers, high, _SEED, self._rows, self._counts, found)

    def update(self, lows: Collection[int]) -> None:
        """Add all `lows`."""
        left = np.fromiter(lows, np.uint32, len(lows))
        while len(left := left[put(left, _SEED, self._rows, self._counts) :]):
            self._rows = np.pad(self._rows, ((0, 0), (0, _ROOM)))

    def difference_update(self, lows: Collection[int]) -> None:
        """Take away those of `lows` that are in the set."""
        take(np.fromiter(lows, np.uint32, len(lows)), _SEED, self._rows, self._counts)
