"""The loops that make the views of texts; gateway.filter.normalise.views has their meaning.

They make those of most texts, and tell which ones they do not.
"""

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.code_points import Bounds, Codes
from gateway.kernel.compiler import (
    boolean,
    compiled,
    int64,
    row_of,
    table_of,
    tuple_of,
    uint8,
    uint32,
)

# What characters are for closing up: MARK is what parts words and is no separator, and from LETTER
# on they are letters and digits.
SEPARATOR, MARK, LETTER, HAN, SMALL, DIGIT = range(6)

# What is told of a text: which views were made, how many letters it has, what it may be read as
# beside them, and how many characters its folded view and its even one. Behind each of these two a
# column is left to others.
WHICH, LETTERS, HINTS, COUNT, EVEN_COUNT = 0, 1, 2, 3, 5
# Which views of a text were made.
NONE, FOLDED, BOTH = range(3)

# A table of folds has what each of so many characters becomes. Where that is not one, it is PIECE
# and the place behind them where their number stands, and then they; so it is, too, where it is one
# that only looks like it. PIECE alone is for what no table can fold.
CHARACTERS = 0x20000
PIECE = 1 << 24

_LONGEST_GAP = 3  # between two Han
_SPACE = np.uint32(ord(" "))
_DOT, _STAR = np.uint32(ord(".")), np.uint32(ord("*"))
_LOW_LINE, _HYPHEN = np.uint32(ord("_")), np.uint32(ord("-"))
_A, _E, _I, _O = np.uint32(ord("a")), np.uint32(ord("e")), np.uint32(ord("i")), np.uint32(ord("o"))
_U, _M, _V = np.uint32(ord("u")), np.uint32(ord("m")), np.uint32(ord("v"))

Classes = NDArray[np.uint8]

_CODES, _CLASSES, _TABLES = row_of(uint32), row_of(uint8), table_of(uint8)


@compiled(int64(_CODES, _CODES))
def room_for(codes: Codes, folds: Codes) -> int:
    """Return how many characters texts become, before anything is left out."""
    room = len(codes)
    for code in codes:
        if code < CHARACTERS and folds[code] > PIECE:
            room += folds[folds[code] - PIECE] - 1
    return room


@compiled(int64(_CODES, _CODES, uint32[::1]))
def write_folded(codes: Codes, folds: Codes, folded: Codes) -> int:
    """Write what the characters of a text become; return how many there are, -1 if none can say."""
    count = 0
    for code in codes:
        if code >= CHARACTERS or folds[code] == PIECE:
            return -1
        fold = folds[code]
        if fold < PIECE:
            folded[count] = fold
            count += 1
        else:
            place = fold - PIECE
            for at in range(place + 1, place + 1 + folds[place]):
                folded[count] = folds[at]
                count += 1
    return count


@compiled(boolean(_CODES, _CODES))
def is_even(codes: Codes, folds: Codes) -> bool:
    """Tell whether each character becomes one, by the table, that is no look-alike of it."""
    for code in codes:  # noqa: SIM110 - numba has no generators
        if code >= CHARACTERS or folds[code] >= PIECE:
            return False
    return True


@compiled(int64(uint32[::1], _CLASSES))
def close_up(folded: Codes, classes: Classes) -> int:
    """Leave out what stands between two Han; return how many characters are left."""
    count = 0
    run = -1  # of separators behind a Han
    for code in folded:
        kind = classes[code]
        if kind == HAN:
            if run <= _LONGEST_GAP:
                count -= max(run, 0)
            run = 0
        elif kind != SEPARATOR:
            run = -1
        elif run >= 0:
            run += 1
        folded[count] = code
        count += 1
    return count


@compiled(boolean(_CODES, _CLASSES))
def is_spelt_out(folded: Codes, classes: Classes) -> bool:
    """Tell whether two small letters stand alone, one behind the other."""
    for at in range(3, len(folded)):
        if (
            classes[folded[at]] == SMALL
            and classes[folded[at - 2]] == SMALL
            and folded[at - 1] in (_SPACE, _DOT, _STAR, _LOW_LINE, _HYPHEN)
            and folded[at - 3] in (_SPACE, _DOT, _STAR, _LOW_LINE, _HYPHEN)
            and (at + 1 == len(folded) or classes[folded[at + 1]] not in (SMALL, DIGIT))
        ):
            return True
    return False


@compiled(boolean(_CODES, _CLASSES))
def is_romanised(folded: Codes, classes: Classes) -> bool:
    """Tell whether a word beside a Han may be syllables: each of them has a vowel, or an m."""
    start = at = 0
    while at < len(folded):
        is_sounding = False
        start = at
        while at < len(folded) and classes[folded[at]] == SMALL:
            is_sounding |= folded[at] in (_A, _E, _I, _O, _U, _M, _V)
            at += 1
        if is_sounding and at - start > 1:
            before = start - 1 if start > 1 and folded[start - 1] == _SPACE else start
            behind = at + 1 if at + 1 < len(folded) and folded[at] == _SPACE else at
            if before > 0 and classes[folded[before - 1]] == HAN:
                return True
            if behind < len(folded) and classes[folded[behind]] == HAN:
                return True
        at += 1
    return False


@compiled(int64(_CODES, _CLASSES, uint32[::1]))
def write_letters(folded: Codes, classes: Classes, letters: Codes) -> int:
    """Write the letters and digits of a text, and return how many there are."""
    count = 0
    for code in folded:
        letters[count] = code
        count += classes[code] >= LETTER
    return count


@compiled(int64(_CODES, _CLASSES))
def hints_in(codes: Codes, hints: Classes) -> int:
    """Return what the characters of a text hint at."""
    found = 0
    for code in codes:
        if code < CHARACTERS:
            found |= hints[code]
    return found


@compiled(tuple_of(uint32[::1], 4)(_CODES, row_of(int64), _CODES, _TABLES, _CODES, int64[:, ::1]))
def write_views(
    codes: Codes, bounds: Bounds, folds: Codes, tables: Classes, sounds: Codes, made: Bounds
) -> tuple[Codes, Codes, Codes, Codes]:
    """Return of texts the folded views, one behind the other, their letters, sounds, even views.

    The one for the ear is as long as the folded one if it was made. The even view is the folded one
    before any character was left out, empty where some did not become one. `tables` are the
    classes of characters, and their hints.
    """
    classes, hints = tables[0], tables[1]
    room = room_for(codes, folds) + 1
    folded, letters = np.empty(room, np.uint32), np.empty(room, np.uint32)
    sound, even = np.empty(room, np.uint32), np.empty(room, np.uint32)
    place = lettered = evened = 0
    for text in range(len(made)):
        written = codes[bounds[text] : bounds[text + 1]]
        made[text] = NONE
        made[text, HINTS] = hints_in(written, hints)
        count = write_folded(written, folds, folded[place:])
        if count < 0:
            continue
        length = count if is_even(written, folds) else 0
        even[evened : evened + length] = folded[place : place + length]
        count = close_up(folded[place : place + count], classes)
        seen = folded[place : place + count]
        if is_spelt_out(seen, classes):
            continue
        made[text, WHICH] = FOLDED if is_romanised(seen, classes) else BOTH
        made[text, LETTERS] = write_letters(seen, classes, letters[lettered:])
        made[text, COUNT] = count
        made[text, EVEN_COUNT] = length
        for at in range(place, place + count):
            sound[at] = sounds[folded[at]]
        place += count
        lettered += made[text, LETTERS]
        evened += length
    return folded[:place], letters[:lettered], sound[:place], even[:evened]
