"""Where words stand: whole ones, those in exceptions, and parts within a distance."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

Place = tuple[int, int]


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


class CoveredSpans:
    """The places of a text in which words do not count."""

    __slots__ = ("_reach", "_starts")

    def __init__(self, places: Iterable[Place]) -> None:
        ordered = sorted(places)
        self._starts = [start for start, _ in ordered]
        self._reach = list(_running_max(end for _, end in ordered))

    def holds(self, place: Place) -> bool:
        """Tell whether `place` lies within one of them."""
        before = bisect_right(self._starts, place[0])
        return before > 0 and self._reach[before - 1] >= place[1]


def _running_max(ends: Iterable[int]) -> Iterator[int]:
    most = 0
    for end in ends:
        most = max(most, end)
        yield most


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
