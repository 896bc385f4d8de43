"""Which clues of links and contacts stand in the texts of a tick."""

import re
from collections.abc import Sequence
from itertools import chain
from string import ascii_lowercase, digits

import numpy as np

from gateway.filter.normalise.clues import (
    CLOTHES_OF,
    DRESSED,
    FIRST_ROW,
    GAPS,
    LONG_NUMBER,
    WRITTEN,
)
from gateway.kernel.clue_loops import (
    CLOTHED,
    CLOTHED_LETTER,
    DIGIT,
    GAP,
    LENGTH,
    LETTER,
    NOTHING,
    Clues,
    Kinds,
    write_clues,
)
from gateway.kernel.code_points import END_OF_LETTERS, Bounds, Codes

_ITEM = re.compile(r"\[(?:\\.|[^\\\]])+\]|.")
_ANYTHING = "."


def note_clues(folded: Codes, made: Bounds, at: int) -> None:
    """Write the clues in folded views, one behind the other, into the column `at` of their rows.

    The column before has how long each of them is.
    """
    write_clues(folded, _KINDS, _TABLE, (LONG_NUMBER, DRESSED), made, at)


def _table() -> tuple[Kinds, Clues]:
    """Return the kind of each character, and the clues that go on with one of each kind."""
    clues = [_ITEM.findall(clue) for clue in chain.from_iterable(WRITTEN)]
    named = {*map(chr, range(128)), *GAPS, *chain(*CLOTHES_OF), *chain(*chain(*clues))}
    kinds = np.zeros(END_OF_LETTERS, np.uint8)
    rows = {_row("\0", clues): 0}  # as of all that no clue names
    for one in named:
        kinds[ord(one)] = rows.setdefault(_row(one, clues), len(rows))
    return kinds, np.array(list(rows), np.int64)


def _row(character: str, clues: Sequence[Sequence[str]]) -> tuple[int, ...]:
    columns = [0] * LENGTH
    for bit, items in enumerate(clues, FIRST_ROW):
        wanted = [_ANYTHING] * (LENGTH - len(items)) + list(items)
        for place, item in enumerate(wanted):
            columns[place] |= bool(re.match(item, character, re.DOTALL)) << bit
    return (*columns, _role_of(character))


def _role_of(character: str) -> int:
    if character in digits:
        return DIGIT
    if character in GAPS:
        return GAP
    is_clothed = any(character in worn for worn in CLOTHES_OF)
    if character in ascii_lowercase:
        return CLOTHED_LETTER if is_clothed else LETTER
    return CLOTHED if is_clothed else NOTHING


_KINDS, _TABLE = _table()
