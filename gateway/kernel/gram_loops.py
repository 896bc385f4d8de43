"""The compiled loops of linear models: n-grams, signs, sums of weights, and a descent.

A batch is given as the code points of its texts, one text after the other, and as `bounds`: where
each begins and the last one ends. First come the folded views of all texts, then their sound
views, then the texts as written. A text gives the same result alone and in a batch.

`grams` has a row for each group of n-grams: the number of its view, and the length of the longest.
The last `shift` bits of the hash of an n-gram are dropped; the rest is the number of a bucket.
"""

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.compiler import (
    compiled,
    float32,
    float64,
    int32,
    int64,
    row_of,
    table_of,
    uint16,
    uint32,
    void,
)

# The numbers of the views.
FOLDED, SOUND, HAN = range(3)

# A number of n digits becomes NUMBER + n if its value does not matter: no character is that high.
NUMBER = 0x110000
_LONG_NUMBER = 7  # telephone numbers have so many digits; few codes and prices do

# A sum is divided by the root of FEW plus the number of its n-grams: a long text weighs little
# more than one of some words, and a single word weighs less.
FEW = 200.0

# Marks before and after each text, so that its first and last characters differ from the same
# characters inside. No view contains control characters.
_BEFORE, _AFTER = np.uint32(2), np.uint32(3)
# Odd constants: multiplication spreads differences in the low bits over the high bits.
_SPREAD, _STIR = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
_FIFTEEN = np.uint32(15)

_ZERO, _NINE, _STAR = np.uint32(ord("0")), np.uint32(ord("9")), np.uint32(ord("*"))
_SMALL_A, _SMALL_X, _SMALL_Z = np.uint32(ord("a")), np.uint32(ord("x")), np.uint32(ord("z"))
_CAPITAL_A, _CAPITAL_Z = np.uint32(ord("A")), np.uint32(ord("Z"))
_FIRST_HAN, _LAST_HAN = np.uint32(0x3400), np.uint32(0x9FFF)
_BRACKET, _SIGNATURE = np.uint32(ord("[")), np.uint32(ord("【"))
# The bits of a half precision float, and where they go in a single.
_SIGN, _MAGNITUDE = np.uint32(0x8000), np.uint32(0x7FFF)
_TO_SIGN, _TO_MAGNITUDE = np.uint32(16), np.uint32(13)
_FACTOR = 2.0 ** (127 - 15)
_SIGNS = 8
_LARGEST_EXPONENT = 500.0
_LONGEST_TEXT = 512  # for the length sign: a longer text counts as this long

Codes = NDArray[np.uint32]
Integers = NDArray[np.int64]
Buckets = NDArray[np.uint32]
Weights = NDArray[np.float32]
Halves = NDArray[np.uint16]
Floats = NDArray[np.float64]

_CODES, _BOUNDS, _GRAMS = row_of(uint32), row_of(int64), table_of(int64)


@compiled(int64(_CODES, int64, int64, uint32[::1]))
def write_view(codes: Codes, view: int, number: int, seen: Codes) -> int:
    """Write a view of a text with its edges; every view `number` has its own code points.

    Returns how many code points there are, at most two more than in `codes`.
    """
    told = np.uint32(number << 24)
    seen[0] = _BEFORE + told
    count, last = 1, len(codes) - 1
    least = 1 if view == SOUND else _LONG_NUMBER
    digits = 0  # so far, of a number
    for at in range(len(codes)):
        code = codes[at]
        if view == HAN and (code < _FIRST_HAN or code > _LAST_HAN):
            continue
        # A run of x or * masks a number.
        is_mask = code in (_SMALL_X, _STAR) and (
            (at > 0 and codes[at - 1] == code) or (at < last and codes[at + 1] == code)
        )
        digits = digits + 1 if is_mask or (code >= _ZERO and code <= _NINE) else 0
        if digits >= least:
            count -= least - 1 if digits == least else 1
            code = np.uint32(NUMBER + digits)
        seen[count] = code + told
        count += 1
    seen[count] = _AFTER + told
    return count + 1


@compiled(int64(uint32[::1], int64, uint32, uint32[::1]))
def write_buckets(seen: Codes, longest: int, shift: int, buckets: Buckets) -> int:
    """Write the buckets of the n-grams in `seen`, the shortest first; return how many there are."""
    count = place = len(seen)
    singles, hashes = np.empty_like(seen), np.empty_like(seen)
    for at in range(count):
        singles[at] = hashes[at] = np.uint32(seen[at] * _SPREAD)
        buckets[at] = np.uint32(hashes[at] * _SPREAD) >> shift
    for length in range(1, min(longest, count)):
        for at in range(count - length):
            before = np.uint32(hashes[at] ^ (hashes[at] >> _FIFTEEN))
            hashes[at] = np.uint32(before * _STIR) + singles[at + length]
            buckets[place + at] = np.uint32(hashes[at] * _SPREAD) >> shift
        place += count - length
    return place


@compiled(int64(uint32[::1], uint32))
def keep_distinct(buckets: Buckets, shift: int) -> int:
    """Drop the buckets that occurred before; return how many are left.

    If two share a place in the table, the first is forgotten, and is kept again if it recurs: this
    happens to one in some thousands, and costs a third of a search.
    """
    room = 4
    while room < 4 * len(buckets) and room >> (32 - shift) == 0:
        room *= 2
    met = np.zeros(room, np.uint32)
    kept = 0
    for bucket in buckets:
        place, known = int(bucket) & (room - 1), np.uint32(bucket + 1)
        buckets[kept] = bucket
        kept += met[place] != known
        met[place] = known
    return kept


@compiled(uint32[::1](_CODES, _CODES, _GRAMS, uint32))
def text_buckets(folded: Codes, sound: Codes, grams: Integers, shift: int) -> Buckets:
    """Return the buckets of all n-grams of one text, group after group, each bucket once."""
    longest = max(len(folded), len(sound)) + 2
    seen = np.empty(longest, np.uint32)
    most = 0
    for number in range(len(grams)):
        most += grams[number, 1]
    buckets = np.empty(longest * most, np.uint32)
    place = 0
    for number in range(len(grams)):
        view = grams[number, 0]
        count = write_view(sound if view == SOUND else folded, view, number, seen)
        place += write_buckets(seen[:count], grams[number, 1], shift, buckets[place:])
    return buckets[: keep_distinct(buckets[:place], shift)]


@compiled(uint32[::1](_CODES, _BOUNDS, _GRAMS, uint32, int64[::1]))
def batch_buckets(
    codes: Codes, bounds: Integers, grams: Integers, shift: int, counts: Integers
) -> Buckets:
    """Return the buckets of all texts, one text after the other; write how many each has."""
    texts = len(counts)
    most = 0
    for number in range(len(grams)):
        most += grams[number, 1]
    buckets = np.empty((len(codes) + 2 * texts) * most, np.uint32)
    place = 0
    for text in range(texts):
        folded = codes[bounds[text] : bounds[text + 1]]
        sound = codes[bounds[texts + text] : bounds[texts + text + 1]]
        found = text_buckets(folded, sound, grams, shift)
        for bucket in found:
            buckets[place] = bucket
            place += 1
        counts[text] = len(found)
    return buckets[:place]


@compiled(void(_CODES, _CODES, float32[::1]))
def write_signs(folded: Codes, raw: Codes, signs: Weights) -> None:
    """Write the SIGNS of one text."""
    digits = small = capitals = han = 0
    is_signed = False
    for code in folded:
        digits += code >= _ZERO and code <= _NINE
        small += code >= _SMALL_A and code <= _SMALL_Z
        han += code >= _FIRST_HAN and code <= _LAST_HAN
        is_signed |= code in (_SIGNATURE, _BRACKET)
    for code in raw:
        capitals += code >= _CAPITAL_A and code <= _CAPITAL_Z
    length = max(len(folded), 1)
    others = 1 - (digits / length + small / length + han / length)
    signs[0] = np.log1p(min(length, _LONGEST_TEXT)) / np.log1p(_LONGEST_TEXT)
    signs[1] = digits / length
    signs[2] = small / length
    signs[3] = capitals / max(len(raw), 1)
    signs[4] = han / length
    signs[5] = min(max(others, 0), 1)
    signs[6] = is_signed
    signs[7] = 1


@compiled(void(_CODES, _BOUNDS, float32[:, ::1]))
def batch_signs(codes: Codes, bounds: Integers, signs: Weights) -> None:
    """Write the SIGNS of each text."""
    texts = len(signs)
    for text in range(texts):
        folded = codes[bounds[text] : bounds[text + 1]]
        raw = codes[bounds[2 * texts + text] : bounds[2 * texts + text + 1]]
        write_signs(folded, raw, signs[text])


@compiled(float64(uint32[::1], row_of(uint16)), in_any_order=True)
def sum_of(buckets: Buckets, halves: Halves) -> float:
    """Return the sum of the weights of `buckets`, which are overwritten.

    The cost of a sum is its cache misses, and a weight of half the octets has half the misses. A
    half is put into the bits of a single without changing the exponent: each weight is then too
    small by one constant factor.
    """
    for at in range(len(buckets)):
        buckets[at] = halves[buckets[at]]
    for at in range(len(buckets)):
        half = buckets[at]
        buckets[at] = (half & _SIGN) << _TO_SIGN | (half & _MAGNITUDE) << _TO_MAGNITUDE
    weights = buckets.view(np.float32)
    total = 0.0
    for at in range(len(weights)):  # twice as fast as over the weights themselves
        total += weights[at]
    return total * _FACTOR


@compiled(void(_CODES, _BOUNDS, _GRAMS, uint32, row_of(uint16), float64[::1]))
def spam_scores(
    codes: Codes, bounds: Integers, grams: Integers, shift: int, halves: Halves, scores: Floats
) -> None:
    """Write the score of each text; `halves` has the weights of buckets, then those of signs.

    They are half precision floats as they lie in memory; none is subnormal.
    """
    texts = len(scores)
    signs = np.empty(_SIGNS, np.float32)
    of_signs = np.empty(_SIGNS)
    for sign in range(_SIGNS):
        bucket = np.full(1, len(halves) - _SIGNS + sign, np.uint32)
        of_signs[sign] = sum_of(bucket, halves)
    for text in range(texts):
        folded = codes[bounds[text] : bounds[text + 1]]
        sound = codes[bounds[texts + text] : bounds[texts + text + 1]]
        buckets = text_buckets(folded, sound, grams, shift)
        write_signs(folded, codes[bounds[2 * texts + text] : bounds[2 * texts + text + 1]], signs)
        scores[text] = sum_of(buckets, halves) / np.sqrt(FEW + len(buckets))
        for sign in range(_SIGNS):
            scores[text] += signs[sign] * of_signs[sign]


@compiled(float64[::1](row_of(float64), float64, float64))
def chances(scores: Floats, slope: float, offset: float) -> Floats:
    """Return 1 / (1 + exp(-slope s - offset)) for each score."""
    found = np.empty_like(scores)
    for at in range(len(scores)):
        found[at] = 1 / (1 + np.exp(min(-slope * scores[at] - offset, _LARGEST_EXPONENT)))
    return found


@compiled(int64[::1](_CODES, _BOUNDS, _GRAMS, uint32, table_of(float32), float64[:, ::1]))
def category_scores(
    codes: Codes, bounds: Integers, grams: Integers, shift: int, weights: Weights, scores: Floats
) -> Integers:
    """Write the score of each text for each category; return the best category of each text.

    `weights` has a row for each of 2^n buckets, and a last row of constants. If there are fewer
    buckets than hashes, the first bits of the hash are dropped.
    """
    mask, categories = len(weights) - 2, weights.shape[1]
    best = np.zeros(len(scores), np.int64)
    sums = np.empty(categories)
    for text in range(len(scores)):
        folded = codes[bounds[text] : bounds[text + 1]]
        buckets = text_buckets(folded, folded, grams, shift)
        for category in range(categories):
            sums[category] = 0.0
        for bucket in buckets:
            row = weights[bucket & mask]
            for category in range(categories):
                sums[category] += row[category]
        root = np.sqrt(FEW + len(buckets))
        for category in range(categories):
            scores[text, category] = sums[category] / root + weights[mask + 1, category]
            if scores[text, category] > scores[text, best[text]]:
                best[text] = category
    return best


# A sample that is right by more than this beyond the margin is left out for a while.
_SETTLED = 0.3


@compiled(float64[::1](float32[::1], int64[::1]))
def lengths_of(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the square of the length of each row."""
    lengths = np.zeros(len(starts) - 1)
    for row in range(len(lengths)):
        for at in range(starts[row], starts[row + 1]):
            lengths[row] += values[at] * values[at]
    return lengths


@compiled(
    float64(int64[::1], int32[::1], float32[::1], int64[::1], *(float64[::1] for _ in range(5)))
)
def go_through(  # noqa: PLR0913, PLR0917 - compiled code takes arrays, no objects
    order: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
    starts: NDArray[np.int64],
    signs: NDArray[np.float64],
    curvatures: NDArray[np.float64],
    softness: NDArray[np.float64],
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    """Take one step for each row of `order`, changing `shares` and `weights`; return the worst.

    The rows to go on with are written over the first of `order`, and -1 behind the last of
    them, unless all are.
    """
    kept = 0
    worst = 0.0
    for place in range(len(order)):
        row = order[place]
        product = 0.0
        for at in range(starts[row], starts[row + 1]):
            product += weights[columns[at]] * values[at]
        share = shares[row]
        slope = signs[row] * product - 1 + softness[row] * share
        if share == 0 and slope > 0:
            if slope < _SETTLED:
                order[kept] = row
                kept += 1
            continue
        order[kept] = row
        kept += 1
        worst = max(worst, abs(slope))
        shares[row] = max(share - slope / curvatures[row], 0.0)
        step = (shares[row] - share) * signs[row]
        for at in range(starts[row], starts[row + 1]):
            weights[columns[at]] += step * values[at]
    if kept < len(order):
        order[kept] = -1
    return worst
