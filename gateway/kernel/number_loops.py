"""Compiled loops over numbers of 32 bits, sorted or in rows."""

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
