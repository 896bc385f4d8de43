"""What the cues in the texts of a tick come to."""

from collections.abc import Mapping

import numpy as np

from gateway.filter.code_points import NO_LETTER, Bounds, Codes, kinds_of_characters
from gateway.filter.cue_loops import (
    KNOWN,
    MARK,
    PASSED,
    STRANGE,
    WEIGHT,
    Kinds,
    Words,
    write_cues,
)
from gateway.filter.traffic_class import WORDS


def note_cues(even: Codes, made: Bounds, at: int) -> None:
    """Write what the cues in even views, one behind the other, come to: TOLD columns of their rows.

    The column before `at` has how long each of them is.
    """
    write_cues(even, _KINDS, _TABLE, made, at)


def _table(words: Mapping[str, tuple[int, int]]) -> tuple[Kinds, Words]:
    """Return the kinds of characters, and the words as gateway.filter.cue_loops takes them."""
    letters = {one: kind for kind, one in enumerate(sorted(set().union(*words)), KNOWN)}
    kinds = np.where(kinds_of_characters() == NO_LETTER, PASSED, STRANGE).astype(np.uint16)
    kinds[[ord(one) for one in letters]] = list(letters.values())
    rows = [[0] * (KNOWN + len(letters))]
    for word, (mark, weight) in words.items():
        row = 0
        for one in word:
            kind = letters[one]
            if not rows[row][kind]:
                rows[row][kind] = len(rows)
                rows.append([0] * (KNOWN + len(letters)))
            row = rows[row][kind]
        rows[row][MARK], rows[row][WEIGHT] = mark, weight
    return kinds, np.array(rows, np.int32)


_KINDS, _TABLE = _table(WORDS)
