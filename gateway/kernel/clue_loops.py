"""The loops that look for clues in many texts; gateway.filter.normalise.clues has those."""

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.code_points import Bounds, Codes
from gateway.kernel.compiler import (
    compiled,
    int64,
    row_of,
    table_of,
    tuple_of,
    uint8,
    uint32,
    void,
)

# A clue has at most so many characters. The column behind theirs says what a character is in a
# number: a digit, one in other clothes, which may be a letter, or what may stand between two.
LENGTH = 6
NOTHING, LETTER, GAP, DIGIT, CLOTHED, CLOTHED_LETTER = range(6)

_LONG_DIGITS, _DRESSED_DIGITS = 10, 7
_LONGEST_GAP = 3

Kinds = NDArray[np.uint8]
Clues = NDArray[np.int64]

_CODES, _KINDS, _CLUES = row_of(uint32), row_of(uint8), table_of(int64)


@compiled(int64(_CODES, _KINDS, _CLUES))
def rows_in(folded: Codes, kinds: Kinds, clues: Clues) -> int:
    """Return the bits of the clues that stand in a text.

    In the column for each place a clue has its bit where the kind of character may stand there.
    Before a text there are characters of kind 0.
    """
    found = 0
    one = clues[0, 0]
    two = one & clues[0, 1]
    three = two & clues[0, 2]
    four = three & clues[0, 3]
    five = four & clues[0, 4]
    for code in folded:
        kind = kinds[code]
        found |= five & clues[kind, 5]
        five = four & clues[kind, 4]
        four = three & clues[kind, 3]
        three = two & clues[kind, 2]
        two = one & clues[kind, 1]
        one = clues[kind, 0]
    return found


@compiled(int64(_CODES, _KINDS, _CLUES, int64, int64))
def runs_in(folded: Codes, kinds: Kinds, clues: Clues, long: int, dressed: int) -> int:
    """Return the bits of runs of digits, which may have short gaps in them.

    `long` is for as many as a number has, `dressed` for fewer with some in other clothes: these
    are no letters of a word that has others in it.
    """
    found = digits = clothed = gap = 0
    role = NOTHING
    behind = clues[kinds[folded[0]], LENGTH] if len(folded) > 0 else NOTHING
    for at in range(1, len(folded) + 1):
        before, role = role, behind
        behind = clues[kinds[folded[at]], LENGTH] if at < len(folded) else NOTHING
        if role == CLOTHED_LETTER and LETTER in (before, behind):
            role = LETTER
        if role >= DIGIT:
            gap = 0
            digits += 1
            clothed += role != DIGIT
            found |= long * (digits >= _LONG_DIGITS)
            found |= dressed * (digits >= _DRESSED_DIGITS and clothed > 0)
        elif role == GAP and gap < _LONGEST_GAP:
            gap += 1
        else:
            digits = clothed = gap = 0
    return found


@compiled(void(_CODES, _KINDS, _CLUES, tuple_of(int64, 2), int64[:, ::1], int64))
def write_clues(
    folded: Codes, kinds: Kinds, clues: Clues, runs: tuple[int, int], made: Bounds, at: int
) -> None:
    """Write for each of several texts, one behind the other, its clues into a column of its row.

    The column before `at` has how long the text is. `runs` are the bits of runs of digits.
    """
    long, dressed = runs
    start = 0
    for text in range(len(made)):
        end = start + made[text, at - 1]
        seen = folded[start:end]
        made[text, at] = rows_in(seen, kinds, clues) | runs_in(seen, kinds, clues, long, dressed)
        start = end
