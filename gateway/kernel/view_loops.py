"""The loops that read the texts of a tick: their views, clues and cues.

gateway.filter.normalise.views says what views and clues are, gateway.filter.traffic_class cues.
"""

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.code_points import Bounds, Codes
from gateway.kernel.compiler import (
    boolean,
    compiled,
    int32,
    int64,
    row_of,
    table_of,
    tuple_of,
    uint8,
    uint16,
    uint32,
    void,
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


# A clue has at most so many characters. The column behind theirs says what a character is in a
# number: a digit, one in other clothes, which may be a letter, or what may stand between two.
CLUE_LENGTH = 6
NOTHING, PLAIN_LETTER, GAP, PLAIN_DIGIT, CLOTHED, CLOTHED_LETTER = range(6)

_LONG_DIGITS, _DRESSED_DIGITS = 10, 7
_LONGEST_NUMBER_GAP = 3

Clues = NDArray[np.int64]

_CLUES = table_of(int64)


@compiled(int64(_CODES, _CLASSES, _CLUES))
def rows_in(folded: Codes, kinds: Classes, clues: Clues) -> int:
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


@compiled(int64(_CODES, _CLASSES, _CLUES, int64, int64))
def runs_in(folded: Codes, kinds: Classes, clues: Clues, long: int, dressed: int) -> int:
    """Return the bits of runs of digits, which may have short gaps in them.

    `long` is for as many as a number has, `dressed` for fewer with some in other clothes: these
    are no letters of a word that has others in it.
    """
    found = digits = clothed = gap = 0
    role = NOTHING
    behind = clues[kinds[folded[0]], CLUE_LENGTH] if len(folded) > 0 else NOTHING
    for at in range(1, len(folded) + 1):
        before, role = role, behind
        behind = clues[kinds[folded[at]], CLUE_LENGTH] if at < len(folded) else NOTHING
        if role == CLOTHED_LETTER and PLAIN_LETTER in (before, behind):
            role = PLAIN_LETTER
        if role >= PLAIN_DIGIT:
            gap = 0
            digits += 1
            clothed += role != PLAIN_DIGIT
            found |= long * (digits >= _LONG_DIGITS)
            found |= dressed * (digits >= _DRESSED_DIGITS and clothed > 0)
        elif role == GAP and gap < _LONGEST_NUMBER_GAP:
            gap += 1
        else:
            digits = clothed = gap = 0
    return found


@compiled(void(_CODES, _CLASSES, _CLUES, tuple_of(int64, 2), int64[:, ::1], int64))
def write_clues(
    folded: Codes, kinds: Classes, clues: Clues, runs: tuple[int, int], made: Bounds, at: int
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


# What characters are to the words: passed over as no letters, letters that no word has, and from
# here on those that some have.
PASSED, STRANGE, KNOWN = range(3)

# A table of words has a row for each beginning of one: by the kind of the next letter, the row
# that it leads to, 0 for none. In the columns of the kinds that lead nowhere it has the mark and
# the weight of the word that ends there.
WORD_MARK, WORD_WEIGHT = PASSED, STRANGE

# What is told of a text: how much of it is a name in 【】 in front, the marks within that, and of
# all behind it the marks and the weights for and against, each word's once. So many columns.
NAMED, NAME_MARKS, MARKS, PROMOTION, RELIEF, TOLD = range(6)

_OPENING, _CLOSING = np.uint32(ord("【")), np.uint32(ord("】"))

Kinds = NDArray[np.uint16]
Words = NDArray[np.int32]
Flags = NDArray[np.uint8]

_KINDS, _WORDS = row_of(uint16), table_of(int32)


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
            told[NAME_MARKS] |= words[row, WORD_MARK]
            continue
        told[MARKS] |= words[row, WORD_MARK]
        if not counted[row]:
            counted[row] = 1
            told[PROMOTION] += max(words[row, WORD_WEIGHT], 0)
            told[RELIEF] += min(words[row, WORD_WEIGHT], 0)


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
