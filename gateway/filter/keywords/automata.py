"""Automata that find many words in a text at once; made while other threads run."""

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
import orjson
from daachorse import CharwiseDoubleArrayAhoCorasick as Automaton

# A quarter of a millisecond, in which no other thread runs.
_AT_ONCE = 500
# Of one automaton: no other thread runs while it takes its entries over, and while it lets go of
# them, 4 ms for 100 000. Each one more costs a text a third of a microsecond.
_ENTRIES = 65_536
_MOST_AUTOMATA = 4
_BREAK = "\n"
_MOVED_AT_ONCE = 2_000
# With so many out of place it takes no less time to put them in order first.
_FEW = 0.1

Entries = npt.NDArray[np.intp]


def in_order(letters: Sequence[str]) -> tuple[Entries, list[str]]:
    """Return the entries by their first two characters, and their letters in that order.

    In that order an automaton is made in three quarters of the time. What begins alike comes
    together then; where it nearly does they stay as they are. Letters that are moved are copies
    that follow each other in memory: no other thread runs while the maker of an automaton reads
    them, 12 ms for 100 000 where it has to look for each, else 4. None may hold a line break.
    """
    codes = np.frombuffer(_BREAK.join(("", *letters, "")).encode("utf-32-le"), np.uint32)
    breaks = np.flatnonzero(codes == ord(_BREAK))
    starts, sizes = breaks[:-1], np.diff(breaks)
    keys = codes[starts + 1].astype(np.int64) << 32 | codes[starts + 2]
    if np.count_nonzero(keys[1:] < keys[:-1]) < _FEW * len(keys):
        return np.arange(len(keys)), list(letters)
    order = np.argsort(keys)
    found: list[str] = []
    for at in range(0, len(order), _MOVED_AT_ONCE):
        some = order[at : at + _MOVED_AT_ONCE]
        filled = np.cumsum(sizes[some])
        shifts = np.repeat(starts[some] - filled + sizes[some], sizes[some])
        words = codes[np.arange(filled[-1]) + shifts].tobytes().decode("utf-32-le")
        found += words[1:].split(_BREAK)
    return order, found


class Automata:
    """Finds entries, by their numbers, as one automaton does: of many entries there are a few."""

    __slots__ = ("_first", "_others")

    def __init__(self, letters: list[str]) -> None:
        """Take the entries out of `letters`."""
        automata = [*_automata_of(letters)]
        # Mostly the only one; its entries are numbered from 0.
        self._first, _ = automata.pop()
        self._others = tuple(automata)

    def matches(self, letters: str) -> list[tuple[int, int, int]]:
        """Return start, end and entry of every match; those of one automaton by their ends."""
        found = self._first.find_overlapping(letters)
        for automaton, first in self._others:
            others = automaton.find_overlapping(letters)
            found += [(start, end, first + entry) for start, end, entry in others]
        return found


def _automata_of(letters: list[str]) -> Iterator[tuple[Automaton, int]]:
    """Yield automata, each with the number of its first entry, from the last to the first."""
    for left in range(min(ceil(len(letters) / _ENTRIES), _MOST_AUTOMATA), 0, -1):
        first = len(letters) - len(letters) // left
        some = _OneByOne(letters[first:])
        del letters[first:]
        yield Automaton(some), first
        throw_away(some)


def throw_away(letters: list[str]) -> None:
    """End many words piece by piece, so that other threads run meanwhile."""
    while letters:
        del letters[-_AT_ONCE:]


class _OneByOne(list[str]):
    """Words that are handed out one by one, so that other threads run meanwhile.

    The maker of the automaton reads all of them as UTF-8 before it lets other threads run. That
    is kept by a str once it was made: here, some hundred words at a time, half of it is done.
    """

    def __iter__(self) -> Iterator[str]:
        for at in range(0, len(self), _AT_ONCE):
            some = self[at : at + _AT_ONCE]
            orjson.dumps(some)
            for one in some:  # noqa: UP028 - within `yield from` no thread gets its turn
                yield one
