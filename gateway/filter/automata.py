"""Automata of a hundred thousand entries, made while other threads run."""

from collections.abc import Iterator
from math import ceil

import orjson
from daachorse import CharwiseDoubleArrayAhoCorasick as Automaton

# Of one automaton: no other thread runs while it takes its entries over, and while it lets go of
# them, 4 ms for 100 000. Each one more costs a text a third of a microsecond.
_ENTRIES = 65_536
_MOST_AUTOMATA = 4
# A quarter of a millisecond, in which no other thread runs.
_AT_ONCE = 500


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
