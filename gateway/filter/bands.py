"""Finds the text that a text is a variant of among thousands: bands of MinHash signs."""

import numpy as np

from gateway.filter import band_loops
from gateway.filter.band_loops import BANDS, NONE
from gateway.filter.fingerprints import SIGNS, Signs

_BUCKETS_PER_TEXT = 4


class BandIndex:
    """The signs of at most `texts` texts, each in a slot that the caller numbers from 0.

    A bucket holds the text that came first of those that are there: with all slots taken, a text
    finds one in four of its sixteen buckets held by others, and keeps the rest however many come
    after it. One that would have less than half of them takes of those that have more. Takes
    512 octets a text, all of them at once.
    """

    def __init__(self, texts: int) -> None:
        self._signs = np.zeros((texts, SIGNS), np.uint32)
        self._slots = np.full(BANDS * texts * _BUCKETS_PER_TEXT, NONE, np.int32)

    def most_alike(self, signs: Signs) -> tuple[int, int]:
        """Return the slot of the likest text found and how many signs agree, or (-1, 0)."""
        return band_loops.most_alike(signs, self._signs, self._slots)

    def put(self, slot: int, signs: Signs) -> None:
        """Put a text into `slot`; what stood there is not found any more."""
        band_loops.put(signs, slot, self._signs, self._slots)

    def clear(self, slot: int) -> None:
        """Empty `slot`. Buckets that still name it find signs that agree with no text's."""
        self._signs[slot] = 0
