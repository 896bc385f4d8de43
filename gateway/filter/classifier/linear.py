"""Linear models over hashed n-grams of several views: scores of a batch, and explanations.

The texts of a batch stand in one array of code points, and one compiled loop reads it: one text
alone takes as many calls as 256.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.filter.normalise.views import Views
from gateway.kernel.code_points import Bounds, Codes, joined

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
    """A batch of texts as gateway.kernel.gram_loops takes it: code points, where each begins."""

    codes: Codes
    bounds: Bounds
    texts: int


def as_table(grams: Sequence[Grams]) -> NDArray[np.int64]:
    """Return the groups as gateway.kernel.gram_loops takes them."""
    rows = [(_VIEWS.index(group.view), group.longest) for group in grams]
    return np.array(rows, dtype=np.int64)


def read(batch: Sequence[Views]) -> TextBatch:
    """Return a batch as the compiled loops take it."""
    folded, sounds = [text.folded for text in batch], [text.sound for text in batch]
    return TextBatch(*joined([*folded, *sounds, *(text.raw for text in batch)]), len(batch))


def buckets_of(batch: Sequence[Views], grams: Sequence[Grams]) -> tuple[Buckets, Bounds]:
    """Return the buckets of all n-grams, text after text, each once, and how many each has."""
    from gateway.kernel.gram_loops import batch_buckets  # noqa: PLC0415 - see linear.LinearModel

    codes, bounds, texts = read(batch)
    counts = np.empty(texts, dtype=np.int64)
    return batch_buckets(codes, bounds, as_table(grams), SHIFT, counts), counts


def levels_of(text: Views, grams: Sequence[Grams]) -> Iterator[Level]:
    """Yield the n-grams of one text as they stand in it, group after group, the shortest first."""
    from gateway.kernel.gram_loops import (  # noqa: PLC0415 - as above
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
    from gateway.kernel.gram_loops import batch_signs  # noqa: PLC0415 - as above

    codes, bounds, texts = read(batch)
    signs = np.empty((texts, len(SIGNS)), dtype=np.float32)
    batch_signs(codes, bounds, signs)
    return signs


# Categories need less room than spam: fewer texts, fewer n-grams.
CATEGORY_BUCKET_BITS = 16
CATEGORY_BUCKETS = 1 << CATEGORY_BUCKET_BITS

_TOLD, _NOTHING = 0.25, 1e-9
_DIGITS = re.compile("[0-9]")
_SPAM, _CATEGORY = as_table(SPAM_GRAMS), as_table(CATEGORY_GRAMS)

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a score becomes the probability of spam (Platt): 1 / (1 + exp(-slope s - offset))."""

    slope: float
    offset: float

    def probabilities(self, scores: Floats) -> Floats:
        """Return the probability for each score."""
        from gateway.kernel.gram_loops import chances  # noqa: PLC0415 - see LinearModel

        return chances(scores, self.slope, self.offset)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a piece of the folded view, from `start` to before `end`, adds to the score.

    `piece` has every digit as 0: numbers are no evidence for anybody to read.
    """

    piece: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """The weights of one traffic class: of BUCKETS n-grams, then of SIGNS.

    Each n-gram of a text counts once. The sum is divided by the root of their number and FEW, so
    that neither a long text weighs by its length nor one word alone too much. It was trained
    that way. Scores are those of the weights in half precision, as a file keeps them; what is
    below 0.00006 counts as nothing.
    """

    weights: Weights
    calibration: Calibration
    _halves: NDArray[np.uint16] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Have the loops compiled now: no message waits for it, and who has no model never does.

        Raises ValueError for weights of another number: the loops look none of them over.
        """
        from gateway.kernel import gram_loops  # noqa: F401, PLC0415

        _check_shape(self.weights, (BUCKETS + len(SIGNS),))
        halves = self.weights.astype(np.float16)
        halves[np.abs(halves) < np.finfo(np.float16).smallest_normal] = 0
        object.__setattr__(self, "_halves", halves.view(np.uint16))

    def scores(self, batch: Sequence[Views]) -> Floats:
        """Return the score of each text: above 0 it is rather spam than not."""
        return self.scores_of(read(batch))

    def scores_of(self, batch: TextBatch) -> Floats:
        """Return the score of each text of a batch that is read already."""
        from gateway.kernel.gram_loops import spam_scores  # noqa: PLC0415

        codes, bounds, texts = batch
        scores = np.empty(texts)
        spam_scores(codes, bounds, _SPAM, SHIFT, self._halves, scores)
        return scores

    def probabilities(self, batch: Sequence[Views]) -> Floats:
        """Return the probability of spam of each text."""
        return self.calibration.probabilities(self.scores(batch))

    def explain(self, views: Views, maximum: int = 8) -> tuple[Contribution, ...]:
        """Return the pieces that made the score what it is, the strongest first, for or against.

        Every n-gram shares its weight among the characters where it stands; a piece is a run of
        characters that all add, or all take, a good part of what the strongest one does.
        """
        shares = self._by_character(views)
        least = _TOLD * float(np.abs(shares).max(initial=0.0))
        kinds = np.where(np.abs(shares) >= max(least, _NOTHING), np.sign(shares), 0)
        found: list[Contribution] = []
        start = 0
        for end in range(1, len(kinds) + 1):
            if end < len(kinds) and kinds[end] == kinds[start]:
                continue
            if kinds[start]:
                piece = _DIGITS.sub("0", views.folded[start:end])
                found.append(Contribution(piece, start, end, float(shares[start:end].sum())))
            start = end
        found.sort(key=lambda one: (-abs(one.weight), one.start))
        return tuple(found[:maximum])

    def _by_character(self, views: Views) -> Floats:
        """Return what each character of the folded view adds to the score."""
        from gateway.kernel.gram_loops import FEW  # noqa: PLC0415 - see LinearModel

        levels = list(levels_of(views, SPAM_GRAMS))
        met, times = np.unique(
            np.concatenate([level.buckets for level in levels]), return_counts=True
        )
        weights = self.weights[met].astype(np.float64) / times / np.sqrt(FEW + len(met))
        # How a text sounds may be shorter than how it is written (fapiao as two Han).
        is_as_written = len(views.sound) == len(views.folded)
        rises = np.zeros(len(views.folded) + 3)
        for level in levels:
            if level.view is not NgramView.SOUND or is_as_written:
                even = weights[np.searchsorted(met, level.buckets)] / (level.ends - level.starts)
                np.add.at(rises, level.starts, even)
                np.add.at(rises, level.ends, -even)
        return np.asarray(np.cumsum(rises)[1:-2])


@dataclass(frozen=True, slots=True, eq=False)
class CategoryModel:
    """Tells what a spam is about: one row of CATEGORY_BUCKETS and a constant for each of `ids`.

    `ids` are of gateway.domain.categories.
    """

    ids: tuple[str, ...]
    weights: Weights
    # What is looked up together lies together.
    _by_bucket: Weights = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Have the loops compiled, and raise ValueError, as LinearModel does."""
        from gateway.kernel import gram_loops  # noqa: F401, PLC0415

        _check_shape(self.weights, (len(self.ids), CATEGORY_BUCKETS + 1))
        object.__setattr__(self, "_by_bucket", np.ascontiguousarray(self.weights.T))

    def scores(self, batch: Sequence[Views]) -> Floats:
        """Return one row for each text, one column for each of `ids`."""
        return self._scored(read(batch))[0]

    def categories(self, batch: Sequence[Views]) -> list[str]:
        """Return the likeliest category of each text."""
        return self.categories_of(read(batch))

    def categories_of(self, batch: TextBatch) -> list[str]:
        """Return the likeliest category of each text of a batch that is read already."""
        return [self.ids[best] for best in self._scored(batch)[1].tolist()]

    def _scored(self, batch: TextBatch) -> tuple[Floats, NDArray[np.int64]]:
        from gateway.kernel.gram_loops import category_scores  # noqa: PLC0415

        codes, bounds, texts = batch
        scores = np.empty((texts, len(self.ids)))
        return scores, category_scores(codes, bounds, _CATEGORY, SHIFT, self._by_bucket, scores)


def _check_shape(weights: Weights, shape: tuple[int, ...]) -> None:
    if weights.shape != shape:
        raise ValueError(f"weights are {weights.shape}, not {shape}")
