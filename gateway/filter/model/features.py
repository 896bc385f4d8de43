"""What a model reads in texts: hashed n-grams of several views, and a few signs beside them.

The texts of a batch stand in one array of code points, and one compiled loop reads it: one text
alone takes as many calls as 256.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.filter.code_points import Bounds, Codes, joined
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

# Of the hash of an n-gram.
SHIFT = 32 - BUCKET_BITS

Buckets = NDArray[np.uint32]


class NgramView(StrEnum):
    """In which form the n-grams are taken."""

    FOLDED = "folded"  # a long number as so many digits
    SOUND = "sound"  # one character for all of one syllable, every number as so many digits
    HAN = "han"  # folded, Han alone


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of one view, from single characters to `longest`."""

    view: NgramView
    longest: int


# The same text is read as it is written and as it sounds.
SPAM_GRAMS = (Grams(NgramView.FOLDED, 5), Grams(NgramView.SOUND, 3))
# Collections in which every text has a category are often stripped of all but Han: only
# what such texts share with a real message may count.
CATEGORY_GRAMS = (Grams(NgramView.HAN, 3),)

_VIEWS = tuple(NgramView)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The n-grams of one length in one view of a text, from left to right.

    The first begins with what stands before each text, the last ends with what stands behind.
    Each is from one of `starts` to before one of `ends`, as the places of what is written of
    the text with its edges are counted.
    """

    view: NgramView
    length: int
    buckets: Buckets
    starts: Bounds
    ends: Bounds


class TextBatch(NamedTuple):
    """A batch of texts as gateway.filter.model.loops takes it: code points, where each begins."""

    codes: Codes
    bounds: Bounds
    texts: int


def as_table(grams: Sequence[Grams]) -> NDArray[np.int64]:
    """Return the groups as gateway.filter.model.loops takes them."""
    rows = [(_VIEWS.index(group.view), group.longest) for group in grams]
    return np.array(rows, dtype=np.int64)


def read(batch: Sequence[Views]) -> TextBatch:
    """Return a batch as the compiled loops take it."""
    folded, sounds = [text.folded for text in batch], [text.sound for text in batch]
    return TextBatch(*joined([*folded, *sounds, *(text.raw for text in batch)]), len(batch))


def buckets_of(batch: Sequence[Views], grams: Sequence[Grams]) -> tuple[Buckets, Bounds]:
    """Return the buckets of all n-grams, text after text, each once, and how many each has."""
    from gateway.filter.model.loops import batch_buckets  # noqa: PLC0415 - see linear.LinearModel

    codes, bounds, texts = read(batch)
    counts = np.empty(texts, dtype=np.int64)
    return batch_buckets(codes, bounds, as_table(grams), SHIFT, counts), counts


def levels_of(text: Views, grams: Sequence[Grams]) -> Iterator[Level]:
    """Yield the n-grams of one text as they stand in it, group after group, the shortest first."""
    from gateway.filter.model.loops import (  # noqa: PLC0415 - as above
        NUMBER,
        write_buckets,
        write_view,
    )

    for number, (view, longest) in enumerate(as_table(grams)):
        written = text.sound if grams[number].view is NgramView.SOUND else text.folded
        codes, _ = joined([written])
        seen = np.empty(len(codes) + 2, dtype=np.uint32)
        seen = seen[: write_view(codes, view, number, seen)]
        buckets = np.empty(len(seen) * longest, dtype=np.uint32)
        write_buckets(seen, longest, SHIFT, buckets)
        digits = np.maximum((seen & 0xFFFFFF).astype(np.int64) - NUMBER, 0)
        places = np.concatenate(([0], np.cumsum(np.maximum(digits, 1))))
        start = 0
        for length in range(1, min(longest, len(seen)) + 1):
            past = start + len(seen) - length + 1
            found = buckets[start:past]
            yield Level(grams[number].view, length, found, places[:-length], places[length:])
            start = past


def signs_of(batch: Sequence[Views]) -> NDArray[np.float32]:
    """Return the SIGNS of each text, one row for each, all between 0 and 1.

    All but the capitals are read from the folded view: a number in full width is a number.
    """
    from gateway.filter.model.loops import batch_signs  # noqa: PLC0415 - as above

    codes, bounds, texts = read(batch)
    signs = np.empty((texts, len(SIGNS)), dtype=np.float32)
    batch_signs(codes, bounds, signs)
    return signs
