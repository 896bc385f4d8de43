"""The loops over the bands of MinHash signs, compiled."""

import numpy as np
from numpy.typing import NDArray

from gateway.filter.code_points import Codes
from gateway.filter.compiled_functions import (
    compiled,
    int32,
    int64,
    row_of,
    table_of,
    tuple_of,
    uint32,
    void,
)

BANDS = 16  # of two signs each
NONE = -1
# Buckets per text. Of pairs of texts that are half alike, one in ten shares none of them.
ENOUGH = 8

Slots = NDArray[np.int32]

_SIGNS = row_of(uint32)


@compiled(int64(_SIGNS, int64, int64))
def bucket_of(signs: Codes, band: int, buckets: int) -> int:
    """Return the bucket of a band; each band has `buckets` of them."""
    # The divisor is odd, so that the remainder depends on both signs.
    both = np.uint64(signs[2 * band]) | np.uint64(signs[2 * band + 1]) << np.uint64(32)
    return int(band * buckets + np.int64(both % np.uint64(buckets - 1)))


@compiled(tuple_of(int64, 2)(_SIGNS, table_of(uint32), row_of(int32)))
def most_alike(signs: Codes, table: Codes, slots: Slots) -> tuple[int, int]:
    """Return the most similar row named in `slots` and its number of equal signs, or (NONE, 0)."""
    best, most = NONE, 0
    for band in range(BANDS):
        slot = slots[bucket_of(signs, band, len(slots) // BANDS)]
        if slot in (NONE, best):
            continue
        agreeing = 0
        for sign in range(len(signs)):
            agreeing += table[slot, sign] == signs[sign]
        if agreeing > most or (agreeing == most and slot < best):
            best, most = slot, agreeing
    return best, most


@compiled(int64(int64, table_of(uint32), row_of(int32)))
def buckets_held(slot: int, table: Codes, slots: Slots) -> int:
    """Return how many buckets contain row `slot`."""
    held, buckets = 0, len(slots) // BANDS
    for band in range(BANDS):
        held += slots[bucket_of(table[slot], band, buckets)] == slot
    return held


@compiled(void(_SIGNS, int64, uint32[:, ::1], int32[::1]))
def put(signs: Codes, slot: int, table: Codes, slots: Slots) -> None:
    """Write the signs into row `slot`, and enter the row in the bucket of each band if it is free.

    A bucket is not free while its row still has that band: so a flood of new texts does not
    displace other rows. But a row in fewer than ENOUGH buckets takes buckets from rows that are
    in at least two more: otherwise a few texts, each with one band of a future text, could hide
    that text. Raises IndexError if there is no such row.
    """
    if slot < 0 or slot >= len(table):
        raise IndexError("no such slot")
    for sign in range(len(signs)):
        table[slot, sign] = signs[sign]
    buckets = len(slots) // BANDS
    held = 0
    for band in range(BANDS):
        place = bucket_of(signs, band, buckets)
        holder = slots[place]
        if holder in (NONE, slot) or bucket_of(table[holder], band, buckets) != place:
            slots[place] = slot
            held += 1
    for band in range(BANDS):
        place = bucket_of(signs, band, buckets)
        holder = slots[place]
        if held < ENOUGH and holder != slot and buckets_held(holder, table, slots) > held + 1:
            slots[place] = slot
            held += 1
