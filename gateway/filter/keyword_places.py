"""Where words stand: whole ones, those in exceptions, and parts within a distance."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

Place = tuple[int, int]


class Bounds:
    """Where the words of a text begin and end, in its compact view."""

    __slots__ = ("_ends",)

    def __init__(self, ends: Iterable[int]) -> None:
        self._ends = frozenset((0, *ends))

    def are_of(self, place: Place, ends: Sequence[int]) -> bool:
        """Tell whether whole words that end at `ends`, counted from there, fill `place`."""
        start, end = place
        wanted = {start + at for at in ends}
        return start in self._ends and all(
            (at in self._ends) == (at in wanted) for at in range(start + 1, end + 1)
        )


class Covered:
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
