"""The loops over the letters of texts that make fingerprints and their bands, compiled."""

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


# With fewer letters a text has too few grams to be recognised after a change.
MIN_LETTERS = 8

# What a text may contain that is not part of its skeleton.
LINK, NAME = 1, 2

_LETTER, _DIGIT = 1, 2
_ZERO, _NINE, _STAR = np.uint32(ord("0")), np.uint32(ord("9")), np.uint32(ord("*"))
_SMALL_A, _SMALL_E = np.uint32(ord("a")), np.uint32(ord("e"))
_SMALL_R, _SMALL_Z = np.uint32(ord("r")), np.uint32(ord("z"))
_DOT, _STOP, _COLON = np.uint32(ord(".")), np.uint32(ord("。")), np.uint32(ord(":"))
_SLASH, _HYPHEN = np.uint32(ord("/")), np.uint32(ord("-"))
# Grams: two characters of scripts without spaces, where one changed character changes two grams;
# three letters of other scripts.
_UNSPELT = ((0x2E80, 0xA4CF), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
# Fixed, so that every process gives a text the same fingerprint.
_FIRST, _NEXT, _MIX = np.uint32(0x9E37_79B1), np.uint32(0x85EB_CA77), np.uint32(0xC2B2_AE3D)
_FIFTEEN, _ONE = np.uint32(15), np.uint32(1)
_LAST = np.uint32(0xFFFF_FFFF)

Kinds = NDArray[np.uint8]

_CODES = row_of(uint32)


@compiled(boolean(uint32))
def is_small(code: int) -> bool:
    """Tell whether it is a small letter, a to z."""
    return bool(code >= _SMALL_A and code <= _SMALL_Z)


@compiled(boolean(uint32))
def is_of_number(code: int) -> bool:
    """Tell whether a number that already has a digit may go on with this character."""
    return bool(is_small(code) or (code >= _ZERO and code <= _NINE) or code == _STAR)


@compiled(boolean(uint32))
def is_of_host(code: int) -> bool:
    """Tell whether host names may have the character; dots are not included."""
    return bool(is_small(code) or (code >= _ZERO and code <= _NINE) or code == _HYPHEN)


@compiled(uint8(_CODES, _CODES))
def particulars(codes: Codes, titles: Codes) -> int:
    """Return whether a text may have a LINK, a NAME (after dear or before a title), or both.

    `titles` holds the two characters of each title (先生), one title after the other.
    """
    found = 0
    for at in range(1, len(codes) - 1):
        before, code, behind = codes[at - 1], codes[at], codes[at + 1]
        if (code in (_DOT, _STOP) and is_of_host(before) and is_of_host(behind)) or (
            code == _SLASH and before == _COLON and behind == _SLASH
        ):
            found |= LINK
        if before == _SMALL_E and code == _SMALL_A and behind == _SMALL_R:
            found |= NAME
        for title in range(0, len(titles), 2):
            if code == titles[title] and behind == titles[title + 1]:
                found |= NAME
    return found


@compiled(uint8[::1](_CODES, row_of(int64), _CODES))
def all_particulars(codes: Codes, bounds: Bounds, titles: Codes) -> Kinds:
    """Return the particulars of each text."""
    found = np.empty(len(bounds) - 1, np.uint8)
    for text in range(len(found)):
        found[text] = particulars(codes[bounds[text] : bounds[text + 1]], titles)
    return found


@compiled(int64(_CODES, row_of(uint8), uint32[::1]))
def write_letters(codes: Codes, kinds: Kinds, letters: Codes) -> int:
    """Write the letters of a text that are not in numbers, and return how many there are.

    A number begins with a digit, or with small letters before one, and includes the small
    letters, digits and stars that follow: order numbers, amounts, codes, 138****8000, sf12345.
    With more than two letters per group of digits it counts as words with digits inserted:
    claim2 your98.
    """
    count = at = 0
    while at < len(codes):
        start = count
        while at < len(codes) and is_small(codes[at]):
            letters[count] = codes[at]
            count += 1
            at += 1
        kind = kinds[codes[at]] if at < len(codes) and codes[at] < len(kinds) else 0
        groups = 0  # of digits
        while kind == _DIGIT and at < len(codes) and (not groups or is_of_number(codes[at])):
            if is_small(codes[at]):
                letters[count] = codes[at]
                count += 1
            elif not groups or is_small(codes[at - 1]):
                groups += 1
            at += 1
        if groups:
            count = start if count - start <= 2 * groups else count
        elif at < len(codes):
            letters[count] = codes[at]
            count += kind == _LETTER
            at += 1
    return count


@compiled(int64(_CODES))
def gram_width(letters: Codes) -> int:
    """Return how many letters make a gram: it depends on the script of most of the text.

    Every fourth letter is a sufficient sample. One Han inserted into an English text must not
    make it a different text.
    """
    some = unspelt = 0
    for at in range(0, len(letters), 4):
        some += 1
        for first, last in _UNSPELT:
            unspelt += letters[at] >= first and letters[at] <= last
    return 2 if 2 * unspelt >= some else 3


@compiled(void(_CODES, _CODES, uint32[::1]))
def write_signs(letters: Codes, factors: Codes, signs: Codes) -> None:
    """Write the MinHash of the grams of at least MIN_LETTERS letters; no sign is 0.

    Each odd factor makes its column a permutation of all hashes; the least of them is kept.
    """
    width = gram_width(letters)
    for sign in range(len(signs)):
        signs[sign] = _LAST
    for at in range(len(letters) - width + 1):
        gram = np.uint32(letters[at] * _FIRST + letters[at + 1] * _NEXT)
        if width == 3:
            gram = np.uint32(gram * _FIRST + letters[at + 2] * _NEXT)
        gram = np.uint32((gram ^ (gram >> _FIFTEEN)) * _MIX) | _ONE
        for sign in range(len(signs)):
            signs[sign] = min(signs[sign], np.uint32(gram * factors[sign]))


@compiled(uint32[::1](_CODES, row_of(int64), row_of(uint8), _CODES, int64[::1], uint32[:, ::1]))
def write_all(
    codes: Codes, bounds: Bounds, kinds: Kinds, factors: Codes, counts: Bounds, signs: Codes
) -> Codes:
    """Write for each text its number of letters and, if that is enough, its signs.

    Returns the letters of all texts, one text after the other.
    """
    letters = np.empty_like(codes)
    place = 0
    for text in range(len(counts)):
        past = place + write_letters(codes[bounds[text] : bounds[text + 1]], kinds, letters[place:])
        counts[text] = past - place
        if counts[text] >= MIN_LETTERS:
            write_signs(letters[place:past], factors, signs[text])
        place = past
    return letters[:place]
