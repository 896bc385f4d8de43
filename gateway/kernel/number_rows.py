"""Numbers of 32 bits in rows by their hash: two octets each and room. Loops over sorted ones."""

import secrets
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.compiler import (
    boolean,
    compiled,
    int64,
    row_of,
    table_of,
    uint16,
    uint32,
    uint64,
    void,
)

# The secret of this process. Without it, a sender could choose numbers that all fall into one row,
# and every row is as long as the longest.
_SEED = np.uint32(secrets.randbits(32))
_ROOM = 8  # places added to each row, a megabyte in all, when a row is full
ROWS = 1 << 16

Numbers = NDArray[np.uint64]
Lows = NDArray[np.uint32]
Rows = NDArray[np.uint16]
Found = NDArray[np.bool_]


@compiled(uint32(uint32, uint32))
def scattered(low: int | np.uint32, seed: np.uint32) -> np.uint32:
    """Return a hash of 32 bits for `low`, different for each number and not predictable.

    It is the last step of MurmurHash3. Its high half names the row, its low half stands there.
    """
    mixed = np.uint32(low) ^ np.uint32(seed)
    mixed ^= mixed >> np.uint32(16)
    mixed = np.uint32(mixed * np.uint32(0x85EBCA6B))
    mixed ^= mixed >> np.uint32(13)
    mixed = np.uint32(mixed * np.uint32(0xC2B2AE35))
    return mixed ^ mixed >> np.uint32(16)


@compiled(boolean(uint32, uint32, table_of(uint16), row_of(uint16)))
def has(low: int | np.uint32, seed: np.uint32, rows: Rows, counts: Rows) -> bool:
    """Tell whether `low` is in its row."""
    mixed = scattered(low, seed)
    row, half, found = mixed >> np.uint32(16), np.uint16(mixed), False
    for place in range(counts[row]):
        found |= rows[row, place] == half
    return found


@compiled(void(row_of(uint64), uint64, uint32, table_of(uint16), row_of(uint16), boolean[::1]))
def find(
    numbers: Numbers, high: int, seed: np.uint32, rows: Rows, counts: Rows, found: Found
) -> None:
    """Set `found` for each of the numbers that has these high bits and is in its row."""
    for at in range(len(numbers)):
        if numbers[at] >> np.uint64(32) == high:
            found[at] |= has(np.uint32(numbers[at]), seed, rows, counts)


@compiled(int64(row_of(uint32), uint32, uint16[:, ::1], uint16[::1]))
def put(lows: Lows, seed: np.uint32, rows: Rows, counts: Rows) -> int:
    """Put numbers into their rows; return how many, up to the first with a full row."""
    for at in range(len(lows)):
        if has(lows[at], seed, rows, counts):
            continue
        mixed = scattered(lows[at], seed)
        row = mixed >> np.uint32(16)
        if counts[row] == rows.shape[1]:
            return at
        rows[row, counts[row]] = np.uint16(mixed)
        counts[row] += 1
    return len(lows)


@compiled(void(row_of(uint32), uint32, uint16[:, ::1], uint16[::1]))
def take(lows: Lows, seed: np.uint32, rows: Rows, counts: Rows) -> None:
    """Take numbers out of their rows; the last one of the row fills the place."""
    for at in range(len(lows)):
        mixed = scattered(lows[at], seed)
        row, half = mixed >> np.uint32(16), np.uint16(mixed)
        for place in range(counts[row]):
            if rows[row, place] == half:
                counts[row] -= 1
                rows[row, place] = rows[row, counts[row]]
                break


@compiled(void(row_of(uint64), uint64, row_of(uint32), row_of(uint32), int64, int64, boolean[::1]))
def find_sorted(  # noqa: PLR0913, PLR0917 - what SortedNumbers is made of
    numbers: Numbers, high: int, lows: Lows, signs: Lows, shift: int, astray: int, found: Found
) -> None:
    """Set `found` for each of the numbers that has these high bits and is in `lows`.

    `signs` give the place of the numbers that agree in all but their last `shift` bits; it may be
    wrong by `astray` places.
    """
    for at in range(len(numbers)):
        if numbers[at] >> np.uint64(32) != high:
            continue
        low = np.uint32(numbers[at])
        sign = int(low) >> shift
        first = max(int(signs[sign]) - astray, 0)
        past = min(int(signs[sign + 1]) + astray, len(lows))
        while first < past:
            middle = (first + past) >> 1
            if lows[middle] < low:
                first = middle + 1
            else:
                past = middle
        found[at] |= first < len(lows) and lows[first] == low


class NumberRows:
    """A mutable set of hundreds of thousands of ints of 32 bits.

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
