"""Combinations of words that stand near each other, and where the words of a text end."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from gateway.filter.keywords.automata import Automata
from gateway.filter.normalise.folding import gaps_between

Place = tuple[int, int]
Numbered = tuple[int, Place]

# Looking for each part by itself in a longer text takes more time than for all at once.
_LONG_TEXT = 1_000

# A shorter word closed up is too often the end of one word and the beginning of the next.
_LONG_WORD = 6
_SPELT_WORD, _HYPHENED_WORD = 3, 4
_LONGEST_GAP = 3
# What people write between words, also without a space.
_PARTING = frozenset(' \t\n,.;:!?、。，；：！？…()（）"“”')


class Bounds:
    """Where the words of a text begin and end, in its compact view.

    `gaps` are what stands behind each of its words, by the place where that ends.
    """

    __slots__ = ("_gaps", "_letters")

    def __init__(self, gaps: Mapping[int, str], letters: str) -> None:
        self._gaps = gaps
        self._letters = letters

    def are_of(self, place: Place, ends: Sequence[int]) -> bool:
        """Tell whether whole words that end at `ends`, counted from there, fill `place`.

        Or what is written for them to be read as such: s p e l t words, long ones in pieces.
        """
        start, end = place
        cuts = [at for at in range(start + 1, end) if at in self._gaps]
        word = self._letters[start:end]
        is_long = len(word) >= _LONG_WORD and word.isalpha()
        if not (self._is_bound(start, is_long=is_long) and self._is_bound(end, is_long=is_long)):
            return False
        wanted = [start + at for at in ends[:-1]]
        if cuts == wanted or not cuts:
            return cuts == wanted
        return self._is_written(word, cuts, [start, *wanted, end])

    def _is_bound(self, at: int, *, is_long: bool) -> bool:
        """Tell whether a word begins or ends at a place; a digit is no part of a long one."""
        if at in self._gaps or at in (0, len(self._letters)):
            return True
        return is_long and (self._letters[at - 1].isdigit() or self._letters[at].isdigit())

    def _is_written(self, word: str, cuts: Sequence[int], ends: Sequence[int]) -> bool:
        """Tell whether words in pieces are read as such: not digits, nor what sentences part."""
        gaps = [self._gaps[at] for at in cuts]
        if not word.isalpha() or any(len(gap) > _LONGEST_GAP for gap in gaps):
            return False
        if len(word) >= _LONG_WORD:
            return True
        if len(word) >= _SPELT_WORD and _are_spelt_out(cuts, ends):
            return True
        is_tight = all(len(gap) == 1 and gap not in _PARTING for gap in gaps)
        return len(word) >= _HYPHENED_WORD and is_tight


def _are_spelt_out(cuts: Sequence[int], ends: Sequence[int]) -> bool:
    """Tell whether each of some words is whole or in single letters."""
    if not set(ends[1:-1]) <= set(cuts):
        return False
    for first, last in pairwise(ends):
        inside = sum(first < at < last for at in cuts)
        if inside not in {0, last - first - 1}:
            return False
    return True


def chain(parts: Sequence[Sequence[Place]], within: int) -> Place | None:
    """Return the first place where a place of each of `parts` follows that of the one before.

    At most `within` letters lie between them. The time is that of sorting.
    """
    reached = sorted((end, start) for start, end in parts[0])
    for places in parts[1:]:
        reached = sorted(_following(reached, places, within))
    return None if not reached else (reached[0][1], reached[0][0])


def _following(
    reached: Sequence[tuple[int, int]], places: Sequence[Place], within: int
) -> Iterator[tuple[int, int]]:
    """Yield the end of each place that follows one reached, with where the chain began."""
    ends = [end for end, _ in reached]
    for start, end in places:
        at = bisect_left(ends, start - within)
        if at < len(ends) and ends[at] <= start:
            yield end, reached[at][1]


class Combinations:
    """The combinations of all lists. They are looked for only where an anchor was found.

    The anchor of a combination is its longest part, of several the one in fewest combinations,
    the least usual: most texts have none of ten thousand combinations. Each part is searched
    once, in however many combinations it stands. All is in arrays of integers, for the reason
    told at ViewSearch.
    """

    __slots__ = (
        "_anchors", "_automata", "_ends", "_ends_of", "_first", "_letters", "_number_of",
        "_order", "_parts", "_pieces", "_starts", "_usual", "_within",
    )  # fmt: skip

    def __init__(self) -> None:
        self._pieces: dict[tuple[str, tuple[int, ...]], int] = {}
        self._letters: list[str] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._ends_of = array("i")
        self._number_of, self._within = array("i"), array("i")
        self._parts, self._starts = array("i"), array("i", [0])
        self._anchors, self._usual = array("i"), array("i")
        self._order, self._first = array("i"), array("i")
        self._automata: Automata | None = None

    def add(self, number: int, within: int, parts: Iterable[tuple[str, tuple[int, ...]]]) -> None:
        """Add the combination with a number: the letters of its parts and the ends of words."""
        for part in parts:
            piece = self._pieces.setdefault(part, len(self._letters))
            if piece == len(self._letters):
                self._letters.append(part[0])
                self._ends_of.append(self._ends.setdefault(part[1], len(self._ends)))
            self._parts.append(piece)
        self._number_of.append(number)
        self._within.append(within)
        self._starts.append(len(self._parts))

    def compile(self) -> Iterator[tuple[str, int]]:
        """Build the automata; yield the letters and the number of each anchor."""
        if not self._letters:
            return
        uses = np.bincount(np.frombuffer(self._parts, np.intc)).tolist()
        for at in range(len(self._number_of)):
            parts = sorted(
                self._parts_of(at), key=lambda one: (-len(self._letters[one]), uses[one])
            )
            self._anchors.append(parts[0])
            self._usual.append(parts[-1])
        anchors = np.frombuffer(self._anchors, np.intc)
        self._order = array("i", np.argsort(anchors, kind="stable").astype(np.intc).tobytes())
        counts = np.bincount(anchors, minlength=len(self._letters))
        self._first = array("i", [0, *np.cumsum(counts).tolist()])
        self._automata = Automata(list(self._letters))
        self._pieces.clear()
        yield from ((self._letters[piece], piece) for piece in np.flatnonzero(counts).tolist())

    def _parts_of(self, at: int) -> Sequence[int]:
        return self._parts[self._starts[at] : self._starts[at + 1]]

    def places(
        self, anchors: Iterable[int], letters: str, text: Callable[[], str]
    ) -> Iterator[Numbered]:
        """Yield the number and the first place of each combination that has one of `anchors`."""
        likely = [
            at
            for anchor in anchors
            for at in self._order[self._first[anchor] : self._first[anchor + 1]]
            if len(letters) > _LONG_TEXT or self._letters[self._usual[at]] in letters
        ]
        if not likely or self._automata is None:
            return
        seen: dict[int, list[Place]] = {}
        for start, end, piece in self._automata.matches(letters):
            seen.setdefault(piece, []).append((start, end))
        likely = [at for at in likely if seen.keys() >= set(self._parts_of(at))]
        self._keep_whole(
            {part for at in likely for part in self._parts_of(at)}, seen, letters, text
        )
        for at in likely:
            place = chain([seen[part] for part in self._parts_of(at)], self._within[at])
            if place is not None:
                yield self._number_of[at], place

    def _keep_whole(
        self,
        parts: Iterable[int],
        seen: dict[int, list[Place]],
        letters: str,
        text: Callable[[], str],
    ) -> None:
        """Keep of the places of each of `parts` those that are whole words, if it has words."""
        ends_of = tuple(self._ends)
        worded = [(part, ends) for part in parts if (ends := ends_of[self._ends_of[part]])]
        if worded:
            bounds = Bounds(gaps_between(text()), letters)
            for part, ends in worded:
                seen[part] = [one for one in seen[part] if bounds.are_of(one, ends)]
