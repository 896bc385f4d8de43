"""What is searched in one view: words, exceptions to them, and parts of combinations."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

import numpy as np

from gateway.domain.policy import KeywordList
from gateway.filter.keywords.automata import Automata, Entries, in_order, throw_away
from gateway.filter.keywords.combinations import Bounds, Combinations, Numbered, Place
from gateway.filter.normalise.folding import (
    FULL_FOLDING,
    begin_run_on,
    compact,
    gaps_between,
    is_run_on,
    token_ends,
)
from gateway.filter.normalise.views import Views


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


@dataclass(frozen=True, slots=True)
class _Use:
    """How a match of an entry counts for its word.

    `ends` are the ends of its whole words, () for a run-on script. An anchor is a part of
    combinations, and its number is that of the part.
    """

    ends: tuple[int, ...] = ()
    is_anchor: bool = False


# Or, as a match of an exception, the numbers of the words that do not count within it.
_Kind = _Use | range
# A word of a run-on script, as nearly all are.
_PLAIN = _Use()
_ANCHOR = _Use(is_anchor=True)


class ViewSearch:
    """All that is searched in one view. Nothing can be added after `compile`.

    An entry is a word's number and a kind, two small integers: a hundred thousand objects would
    stop all messages while they are created and destroyed.
    """

    __slots__ = (
        "_automata", "_combinations", "_kind_of", "_kinds", "_known", "_letters", "_number_of",
    )  # fmt: skip

    def __init__(self) -> None:
        self._letters: list[str] = []
        self._number_of = array("i")
        self._kind_of = array("i")
        self._known: dict[_Kind, int] = {_PLAIN: 0}
        self._kinds: tuple[_Kind, ...] = ()
        self._automata: Automata | None = None
        self._combinations = Combinations()

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
        if letters and all(letters):
            ends = (
                () if is_run_on(one) else token_ends(Views(part).folded)
                for part, one in zip(parts, letters, strict=True)
            )
            self._combinations.add(number, within, zip(letters, ends, strict=True))

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
        for letters, piece in self._combinations.compile():
            self._look_for(letters, piece, _ANCHOR)
        if self._letters:
            order, ordered = in_order(self._letters)
            self._automata = Automata(ordered)
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
        found: list[Numbered] = []
        others: list[tuple[_Kind, Numbered]] = []
        for start, end, entry in matches:
            number, kind = self._number_of[entry], self._kinds[self._kind_of[entry]]
            if kind is _PLAIN:
                found.append((number, (start, end)))
            else:
                others.append((kind, (number, (start, end))))
        if others:
            found = self._judged(found, others, letters, text)
        return dict(reversed(found))  # the first place of each

    def _judged(
        self,
        found: list[Numbered],
        others: Sequence[tuple[_Kind, Numbered]],
        letters: str,
        text: Callable[[], str],
    ) -> list[Numbered]:
        """Return `found` with the whole words and combinations, without what is excepted."""
        special: list[tuple[_Use, Numbered]] = []
        anchors: set[int] = set()
        excepted: dict[range, list[Place]] = {}
        for kind, numbered in others:
            if isinstance(kind, range):
                excepted.setdefault(kind, []).append(numbered[1])
            elif kind.is_anchor:
                anchors.add(numbered[0])
            else:
                special.append((kind, numbered))
        if anchors:
            found += self._combinations.places(anchors, letters, text)
        if special:
            bounds = Bounds(gaps_between(text()), letters)
            found += [one for use, one in special if bounds.are_of(one[1], use.ends)]
        return _counting(found, excepted) if excepted else found


def _taken(numbers: "array[int]", entries: Entries) -> "array[int]":
    return array("i", np.frombuffer(numbers, np.intc)[entries].tobytes())


def _counting(
    found: Sequence[Numbered], excepted: Mapping[range, Sequence[Place]]
) -> list[Numbered]:
    """Return the items of `found` that are not within an exception of their list."""
    covered = [(numbers, CoveredSpans(places)) for numbers, places in excepted.items()]
    return [
        (number, place)
        for number, place in found
        if not any(number in numbers and one.holds(place) for numbers, one in covered)
    ]
