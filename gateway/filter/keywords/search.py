"""What is searched in one view: words, exceptions to them, and parts of combinations."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from math import ceil

import numpy as np
import numpy.typing as npt
import orjson
from daachorse import CharwiseDoubleArrayAhoCorasick as Automaton

from gateway.domain.policy import KeywordList
from gateway.filter.normalise.folding import (
    FULL_FOLDING,
    begin_run_on,
    compact,
    gaps_between,
    is_run_on,
    token_ends,
)
from gateway.filter.normalise.views import Views

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
        self._reach = list(accumulate((end for _, end in ordered), max))

    def holds(self, place: Place) -> bool:
        """Tell whether `place` lies within one of them."""
        before = bisect_right(self._starts, place[0])
        return before > 0 and self._reach[before - 1] >= place[1]


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


# Between the parts of a combination.
ELLIPSIS = "…"

_SEPARATORS = re.compile(r"(?:[^\w\n]|_)+")
# No other thread runs while a text is folded, or while so many words are let go: a quarter of a
# millisecond.
_AT_ONCE = 500


def closed_up(words: Sequence[str], *, by_sound: bool) -> list[str]:
    """Return the compact view of each word, many folded at once: 100 000 words take 25 ms."""
    found: list[str] = []
    for at in range(0, len(words), _AT_ONCE):
        found += _closed_up(words[at : at + _AT_ONCE], by_sound=by_sound)
    return found


def _closed_up(words: Sequence[str], *, by_sound: bool) -> list[str]:
    lines = "\n".join(words)
    if lines.count("\n") >= len(words):
        lines = "\n".join(word.replace("\n", " ") for word in words)
    folded = FULL_FOLDING.fold(lines)
    if folded.replace("\n", "").isalnum():  # nothing to close up: takes half the time
        return (Views(lines, folded).sound if by_sound else folded).split("\n")
    seen = Views(lines)
    return _SEPARATORS.sub("", seen.sound if by_sound else seen.folded).split("\n")


def parts_of(word: str) -> tuple[str, ...]:
    """Return the parts of a combination that have a letter or digit."""
    return tuple(part for part in word.split(ELLIPSIS) if compact(Views(part).folded))


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


@dataclass(frozen=True, slots=True)
class _Use:
    """How a match of an entry counts for its word.

    `ends` are the ends of its whole words, () for a run-on script. A combination has `parts`
    parts, and this entry is number `part`; at most `within` letters may lie between two parts.
    """

    ends: tuple[int, ...] = ()
    part: int = 0
    parts: int = 1
    within: int = 0


# Or, as a match of an exception, the numbers of the words that do not count within it.
_Kind = _Use | range
_Numbered = tuple[int, Place]
# A word of a run-on script, as nearly all are.
_PLAIN = _Use()


class ViewSearch:
    """All that is searched in one view. Nothing can be added after `compile`.

    An entry is a word's number and a kind, two small integers: a hundred thousand objects would
    stop all messages while they are created and destroyed.
    """

    __slots__ = ("_automata", "_kind_of", "_kinds", "_known", "_letters", "_number_of")

    def __init__(self) -> None:
        self._letters: list[str] = []
        self._number_of = array("i")
        self._kind_of = array("i")
        self._known: dict[_Kind, int] = {_PLAIN: 0}
        self._kinds: tuple[_Kind, ...] = ()
        self._automata: Automata | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to search for."""
        return self._automata is None

    def add(self, keywords: KeywordList, first: int, *, by_sound: bool) -> None:
        """Add the words of a list; their numbers begin with `first`."""
        plain: dict[str, int] = {}
        whole: dict[tuple[str, tuple[int, ...]], int] = {}
        # From the last to the first: of words with the same letters the first is kept.
        for at in reversed(range(0, len(keywords.words), _AT_ONCE)):
            words = keywords.words[at : at + _AT_ONCE]
            letters = closed_up(words, by_sound=by_sound)
            numbers = range(first + at, first + at + len(words))
            if begin_run_on(letters) and ELLIPSIS not in "".join(words):
                plain.update(zip(reversed(letters), reversed(numbers), strict=True))
                continue
            for word, one, number in zip(*map(reversed, (words, letters, numbers)), strict=True):
                if ELLIPSIS in word:
                    self._add_parts(word, number, keywords.gap, by_sound=by_sound)
                elif is_run_on(one):
                    plain[one] = number
                else:
                    whole[one, token_ends(Views(word).folded)] = number
        self._look_for_all(plain)
        for (one, ends), number in whole.items():
            self._look_for(one, number, _Use(ends))
        excepted = range(first, first + len(keywords.words))
        for one in closed_up(keywords.exceptions, by_sound=by_sound):
            self._look_for(one, first, excepted)

    def _add_parts(self, word: str, number: int, within: int, *, by_sound: bool) -> None:
        parts = parts_of(word)
        letters = closed_up(parts, by_sound=by_sound)
        for at, (part, one) in enumerate(zip(parts, letters, strict=True)):
            ends = () if is_run_on(one) else token_ends(Views(part).folded)
            self._look_for(one, number, _Use(ends, at, len(parts), within))

    def _look_for_all(self, plain: dict[str, int]) -> None:
        """Add words of run-on scripts with their numbers, the last first."""
        letters, numbers = reversed(plain), reversed(plain.values())
        for _ in range(0, len(plain), _AT_ONCE):
            self._letters += islice(letters, _AT_ONCE)
            self._number_of.extend(islice(numbers, _AT_ONCE))
        self._kind_of += array("i", [self._known[_PLAIN]]) * len(plain)

    def _look_for(self, letters: str, number: int, kind: _Kind) -> None:
        if letters:
            self._letters.append(letters)
            self._number_of.append(number)
            self._kind_of.append(self._known.setdefault(kind, len(self._known)))

    def compile(self) -> None:
        """Build the automata; other threads run meanwhile."""
        if self._letters:
            order, letters = in_order(self._letters)
            self._automata = Automata(letters)
            self._number_of = _taken(self._number_of, order)
            self._kind_of = _taken(self._kind_of, order)
        throw_away(self._letters)
        self._kinds = tuple(self._known)

    def places(self, letters: str, text: Callable[[], str]) -> Mapping[int, Place]:
        """Return the numbers of the words found in a view, with their first places.

        The places are in `letters`, the compact view of what `text` returns.
        """
        if self._automata is None:
            return {}
        matches = self._automata.matches(letters)
        if not matches:
            return {}
        found: list[_Numbered] = []
        special: list[tuple[_Use, _Numbered]] = []
        excepted: dict[range, list[Place]] = {}
        for start, end, entry in matches:
            number, kind = self._number_of[entry], self._kinds[self._kind_of[entry]]
            if kind is _PLAIN:
                found.append((number, (start, end)))
            elif isinstance(kind, _Use):
                special.append((kind, (number, (start, end))))
            else:
                excepted.setdefault(kind, []).append((start, end))
        if special:
            found += _confirmed(special, Bounds(gaps_between(text()), letters))
        if excepted:
            found = _counting(found, excepted)
        return dict(reversed(found))  # the first place of each


def _taken(numbers: "array[int]", entries: Entries) -> "array[int]":
    return array("i", np.frombuffer(numbers, np.intc)[entries].tobytes())


def _confirmed(special: Sequence[tuple[_Use, _Numbered]], bounds: Bounds) -> list[_Numbered]:
    """Return the whole words and the combinations among `special`."""
    found: list[_Numbered] = []
    parts: dict[int, tuple[_Use, list[list[Place]]]] = {}
    for use, (number, place) in special:
        if use.ends and not bounds.are_of(place, use.ends):
            continue
        if not use.within:
            found.append((number, place))
            continue
        _, places = parts.setdefault(number, (use, [[] for _ in range(use.parts)]))
        places[use.part].append(place)
    for number, (use, places) in parts.items():
        whole = chain(places, use.within)
        if whole is not None:
            found.append((number, whole))
    return found


def _counting(
    found: Sequence[_Numbered], excepted: Mapping[range, Sequence[Place]]
) -> list[_Numbered]:
    """Return the items of `found` that are not within an exception of their list."""
    covered = [(numbers, CoveredSpans(places)) for numbers, places in excepted.items()]
    return [
        (number, place)
        for number, place in found
        if not any(number in numbers and one.holds(place) for numbers, one in covered)
    ]
