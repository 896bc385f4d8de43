"""The loops that add up the cues of texts, compiled; gateway.filter.traffic_class has those."""

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.code_points import Bounds, Codes
from gateway.kernel.compiler import (
    compiled,
    int32,
    int64,
    row_of,
    table_of,
    uint8,
    uint16,
    uint32,
    void,
)

# What characters are to the words: passed over as no letters, letters that no word has, and from
# here on those that some have.
PASSED, STRANGE, KNOWN = range(3)

# A table of words has a row for each beginning of one: by the kind of the next letter, the row
# that it leads to, 0 for none. In the columns of the kinds that lead nowhere it has the mark and
# the weight of the word that ends there.
MARK, WEIGHT = PASSED, STRANGE

# What is told of a text: how much of it is a name in 【】 in front, the marks within that, and of
# all behind it the marks and the weights for and against, each word's once. So many columns.
NAMED, NAME_MARKS, MARKS, PROMOTION, RELIEF, TOLD = range(6)

_OPENING, _CLOSING = np.uint32(ord("【")), np.uint32(ord("】"))

Kinds = NDArray[np.uint16]
Words = NDArray[np.int32]
Flags = NDArray[np.uint8]

_CODES, _KINDS, _WORDS = row_of(uint32), row_of(uint16), table_of(int32)


@compiled(int64(_CODES))
def name_in(text: Codes) -> int:
    """Return how many characters a name in front of a text has, with its brackets."""
    if len(text) > 0 and text[0] == _OPENING:
        for at in range(1, len(text)):
            if text[at] == _CLOSING:
                return at + 1
    return 0


@compiled(void(_CODES, int64, _KINDS, _WORDS, uint8[::1], int64[::1]))
def add_words(
    text: Codes, first: int, kinds: Kinds, words: Words, counted: Flags, told: Bounds
) -> None:
    """Add the words that begin with a character of a text; those that have `counted` not again."""
    row = 0
    for at in range(first, len(text)):
        kind = kinds[text[at]]
        if kind == PASSED:
            continue
        row = words[row, kind] if kind >= KNOWN else 0
        if row == 0:
            return
        if first < told[NAMED]:
            told[NAME_MARKS] |= words[row, MARK]
            continue
        told[MARKS] |= words[row, MARK]
        if not counted[row]:
            counted[row] = 1
            told[PROMOTION] += max(words[row, WEIGHT], 0)
            told[RELIEF] += min(words[row, WEIGHT], 0)


@compiled(void(_CODES, _KINDS, _WORDS, int64[:, ::1], int64))
def write_cues(texts: Codes, kinds: Kinds, words: Words, made: Bounds, at: int) -> None:
    """Write what the words in each of several texts, one behind the other, come to.

    Into its row, from the column `at` on; the one before has how long the text is.
    """
    counted = np.empty(len(words), np.uint8)
    start = 0
    for number in range(len(made)):
        end = start + made[number, at - 1]
        text = texts[start:end]
        start = end
        counted[:] = 0
        told = made[number, at : at + TOLD]
        told[:] = 0
        told[NAMED] = name_in(text)
        for first in range(len(text)):
            if kinds[text[first]] >= KNOWN:
                add_words(text, first, kinds, words, counted, told)
