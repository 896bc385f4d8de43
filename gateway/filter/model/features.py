"""What a model reads in texts: hashed n-grams of several views, and a few signs beside them.

All texts of a batch stand in one array of code points, and every step works on the whole
array: one text alone costs as many numpy calls as 256.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from gateway.filter.views import Views

BUCKET_BITS = 20
BUCKETS = 1 << BUCKET_BITS

# The shares and marks that signs_of gives of each text, in order. The last is always 1.
SIGNS = (
    "length",
    "digits",
    "small letters",
    "capitals",
    "Han",
    "other characters",
    "signature",
    "constant",
)

# What stands before and after each text, so that its first and last characters are told from
# the same ones within. No view has controls in it.
_BEFORE, _AFTER = "\x02", "\x03"
_LONGEST_TEXT = 512  # of the length sign: a longer text is no longer longer

# Odd constants whose product spreads what differs in the low bits over the high ones.
_SPREAD = np.uint32(0x9E3779B1)
_STIR = np.uint32(0x85EBCA77)

Codes = NDArray[np.uint32]
Places = NDArray[np.int64]
Floats = NDArray[np.float64]


class View(StrEnum):
    """In which form the n-grams are taken."""

    FOLDED = "folded"
    NUMBERLESS = "numberless"  # folded, every digit as 0
    SOUND = "sound"  # one character for all of one syllable, every digit as 0
    HAN = "han"  # folded, Han alone


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of one view, from single characters to `longest`."""

    view: View
    longest: int


# The same text is read as it is written, without regard to its numbers, and as it sounds.
# Those with the longest n-grams come first: see levels_of.
SPAM_GRAMS = (Grams(View.FOLDED, 5), Grams(View.NUMBERLESS, 5), Grams(View.SOUND, 3))
# Collections in which every text has a category are often stripped of all but Han: only
# what such texts share with a real message may count.
CATEGORY_GRAMS = (Grams(View.HAN, 3),)


@dataclass(slots=True)
class Level:
    """The n-grams of one length in `views` of a batch.

    `buckets` has one for every place in the joined texts, which are those of the first view,
    then those of the next. Of the joined text t count the places from `first[t]` to before
    `past[t]`; what lies between belongs to two texts.
    """

    views: tuple[View, ...]
    length: int
    buckets: Places
    first: Places
    past: Places

    def sums(self, weights: NDArray[np.float32]) -> Floats:
        """Return for each message the sum of the weights of its n-grams."""
        summed = np.zeros(len(self.buckets) + 1)
        np.cumsum(weights[self.buckets], dtype=np.float64, out=summed[1:])
        return self._by_message(summed[self.past] - summed[self.first])

    def counts(self) -> Floats:
        """Return how many n-grams each message has."""
        return self._by_message(self.past - self.first)

    def _by_message(self, by_text: NDArray[np.generic]) -> Floats:
        return np.asarray(by_text.reshape(len(self.views), -1).sum(axis=0), dtype=np.float64)


def levels_of(batch: Sequence[Views], grams: Sequence[Grams]) -> Iterator[Level]:
    """Yield the n-grams of a batch that is not empty, the shortest first.

    `grams` has those with the longest n-grams first: what has no more of a length is then a
    tail that is cut off.
    """
    texts = [_view_of(text, group.view) for group in grams for text in batch]
    codes, lengths = _joined(texts)
    past = np.cumsum(lengths)
    first = past - lengths
    codes = _told_apart(codes, grams, past[len(batch) - 1 :: len(batch)])
    singles = codes * _SPREAD
    hashes = singles
    for length in range(1, grams[0].longest + 1):
        views = tuple(group.view for group in grams if group.longest >= length)
        texts_left = len(views) * len(batch)
        if length > 1:
            count = int(past[texts_left - 1]) - length + 1
            hashes = hashes[: max(count, 0)]
            hashes = (hashes ^ (hashes >> np.uint32(15))) * _STIR
            hashes += singles[length - 1 : length - 1 + len(hashes)]
        ends = np.maximum(past[:texts_left] - length + 1, first[:texts_left])
        buckets = ((hashes * _SPREAD) >> np.uint32(32 - BUCKET_BITS)).astype(np.int64)
        # A text shorter than the n-gram, at the very end, starts past the last of them.
        starts = np.minimum(first[:texts_left], len(buckets))
        yield Level(views, length, buckets, starts, np.minimum(ends, len(buckets)))


def signs_of(batch: Sequence[Views]) -> NDArray[np.float32]:
    """Return the SIGNS of each text, one row for each, all between 0 and 1.

    All but the capitals are read from the folded view: a number in full width is a number.
    """
    codes, lengths = _joined([views.folded for views in batch])
    past = np.cumsum(lengths)
    first = past - lengths
    long = np.maximum(lengths - 2, 1)
    digits = (codes >= ord("0")) & (codes <= ord("9"))
    small = (codes >= ord("a")) & (codes <= ord("z"))
    signature = (codes == ord("【")) | (codes == ord("["))
    shares = [_within(mask, first, past) / long for mask in (digits, small, _is_han(codes))]
    rows = (
        np.log1p(np.minimum(long, _LONGEST_TEXT)) / np.log1p(_LONGEST_TEXT),
        *shares[:2],
        _capitals(batch),
        shares[2],
        np.clip(1 - sum(shares), 0, 1),
        _within(signature, first, past) > 0,
        np.ones(len(batch)),
    )
    return np.stack([np.asarray(row, dtype=np.float32) for row in rows], axis=1)


def _capitals(batch: Sequence[Views]) -> Floats:
    codes, lengths = _joined([views.raw for views in batch])
    past = np.cumsum(lengths)
    capitals = (codes >= ord("A")) & (codes <= ord("Z"))
    return _within(capitals, past - lengths, past) / np.maximum(lengths - 2, 1)


def _view_of(views: Views, view: View) -> str:
    if view is View.SOUND:
        return views.sound
    if view is View.HAN:
        return "".join(filter(_is_han_character, views.folded))
    return views.folded


def _told_apart(codes: Codes, grams: Sequence[Grams], ends: Places) -> Codes:
    """Return the code points of each view as others than those of the view before it."""
    parts = []
    start = 0
    for number, (group, end) in enumerate(zip(grams, ends.tolist(), strict=True)):
        part = codes[start:end]
        if group.view in {View.NUMBERLESS, View.SOUND}:
            part = _numberless(part)
        parts.append(part + np.uint32(number << 24))
        start = end
    return np.concatenate(parts)


def _is_han_character(char: str) -> bool:
    return "\u3400" <= char <= "\u9fff"


def _is_han(codes: Codes) -> NDArray[np.bool_]:
    return (codes >= 0x3400) & (codes <= 0x9FFF)


def _joined(texts: Sequence[str]) -> tuple[Codes, Places]:
    """Return the code points of all texts with their edges, and the length of each."""
    whole = _BEFORE + (_AFTER + _BEFORE).join(texts) + _AFTER
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return codes, np.array([len(text) + 2 for text in texts], dtype=np.int64)


def _numberless(codes: Codes) -> Codes:
    is_digit = (codes >= ord("0")) & (codes <= ord("9"))
    return np.where(is_digit | _is_mask(codes, "x") | _is_mask(codes, "*"), ord("0"), codes).astype(
        np.uint32
    )


def _is_mask(codes: Codes, char: str) -> NDArray[np.bool_]:
    """Tell where `char` stands in a run, as it does in place of a number."""
    is_char = codes == ord(char)
    beside = np.zeros(len(codes) + 2, dtype=np.bool_)
    beside[:-2] |= is_char
    beside[2:] |= is_char
    return np.asarray(is_char & beside[1:-1])


def _within(mask: NDArray[np.bool_], first: Places, past: Places) -> Floats:
    counted = np.concatenate(([0], np.cumsum(mask)))
    return np.asarray(counted[past] - counted[first], dtype=np.float64)
