"""Finds the text that a text is a variant of among thousands: bands of MinHash signs."""

import numpy as np
from numpy.typing import NDArray

from gateway.filter.fingerprints import SIGNS, Signs

BANDS = 16  # of two signs each
_BUCKETS_PER_TEXT = 4
_NONE = -1

Buckets = NDArray[np.uint64]


class BandIndex:
    """The signs of at most `texts` texts, each in a slot that the caller numbers from 0.

    A bucket holds the text that came last: a text that is found by none of its bands has lost all
    sixteen buckets to others. Takes 512 octets a text, all of them at once.
    """

    def __init__(self, texts: int) -> None:
        buckets = texts * _BUCKETS_PER_TEXT
        self._signs = np.zeros((texts, SIGNS), np.uint32)
        self._slots = np.full(BANDS * buckets, _NONE, np.int32)
        # Odd, so that both signs of a band tell in what is left over.
        self._divisor = np.uint64(buckets - 1)
        self._begins = np.arange(BANDS, dtype=np.uint64) * np.uint64(buckets)

    def buckets_of(self, signs: Signs) -> Buckets:
        """Return where `signs` belong, for the two methods below."""
        # The first 32 signs, read as sixteen numbers of twice their size.
        return signs[: 2 * BANDS].view(np.uint64) % self._divisor + self._begins

    def most_alike(self, signs: Signs, buckets: Buckets) -> tuple[int, int]:
        """Return the slot of the likest text found and how many signs agree, or (-1, 0)."""
        best, most = _NONE, 0
        for slot in set(self._slots[buckets].tolist()):
            if slot != _NONE:
                agreeing = int(np.count_nonzero(self._signs[slot] == signs))
                if (agreeing, -slot) > (most, -best):
                    best, most = slot, agreeing
        return best, most

    def put(self, slot: int, signs: Signs, buckets: Buckets) -> None:
        """Put a text into `slot`; what stood there is not found any more."""
        self._signs[slot] = signs
        self._slots[buckets] = slot

    def clear(self, slot: int) -> None:
        """Empty `slot`. Buckets that still name it find signs that agree with no text's."""
        self._signs[slot] = 0
