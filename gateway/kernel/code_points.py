"""Texts as arrays of code points, for the compiled loops, and kinds of characters."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Bounds = NDArray[np.int64]

NO_LETTER, LETTER, DIGIT = 0, 1, 2
# Behind the last letter and digit that Unicode has; the private planes follow.
END_OF_LETTERS = 0x34000


def joined(texts: Sequence[str]) -> tuple[Codes, Bounds]:
    """Return the code points of all texts, and where each begins; last, where all end."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    ends = accumulate(map(len, texts), initial=0)
    return codes, np.fromiter(ends, dtype=np.int64, count=len(texts) + 1)


def text_of(codes: Codes) -> str:
    """Return the text of code points."""
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def kinds_of_characters() -> NDArray[np.uint8]:
    """Return whether each code point is a letter (numbers that are no digits included) or a digit.

    Takes 20 ms. Behind the end of the table there are neither.
    """
    characters = map(chr, range(END_OF_LETTERS))
    kinds = bytes(
        DIGIT if one.isdecimal() else LETTER if one.isalnum() else NO_LETTER for one in characters
    )
    return np.frombuffer(kinds, dtype=np.uint8)
