"""The words of a list in the form in which they are searched, and the places where they stand."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from gateway.filter.normalise.folding import FULL_FOLDING, MARKS, compact
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


# Between the parts of a combination.
ELLIPSIS = "…"

# Scripts written without spaces: Thai, Lao, Burmese, Hangul (particles join the word),
# Khmer, kana, bopomofo and Han. In the others the end of a word can be seen.
_RUN_ON = (
    r"\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005\u3040-\u31bf\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_HAS_RUN_ON = re.compile(f"[{_RUN_ON}]")
_NOT_RUN_ON = re.compile(rf"\n(?![{_RUN_ON}])")
# Marks within a word are part of it, such as the vowels of Hindi.
_NO_GAP = re.compile(f"[{MARKS}]+")
_TOKEN = re.compile(rf"[{_RUN_ON}]+|[^\W_{_RUN_ON}](?:[{MARKS}]*[^\W_{_RUN_ON}]+)*")
_SEPARATORS = re.compile(r"(?:[^\w\n]|_)+")
# No other thread runs while a text is folded: a quarter of a millisecond for this many words.
AT_ONCE = 500


def closed_up(words: Sequence[str], *, by_sound: bool) -> list[str]:
    """Return the compact view of each word, many folded at once: 100 000 words take 25 ms."""
    found: list[str] = []
    for at in range(0, len(words), AT_ONCE):
        found += _closed_up(words[at : at + AT_ONCE], by_sound=by_sound)
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


def is_run_on(letters: str) -> bool:
    """Tell whether `letters` contains a script without spaces."""
    return "\u4e00" <= letters[:1] <= "\u9fff" or (
        not letters.isascii() and _HAS_RUN_ON.search(letters) is not None
    )


def begin_run_on(letters: Sequence[str]) -> bool:
    """Tell whether all of `letters` begin with a script without spaces, as nearly all words do."""
    return _NOT_RUN_ON.search("\n".join(("", *letters))) is None


def token_ends(plain: str) -> tuple[int, ...]:
    """Return where words and runs of scripts without spaces end in the compact view."""
    ends: list[int] = []
    at = 0
    for token in _TOKEN.findall(plain):
        at += len(token) if token.isalnum() else len(compact(token))
        ends.append(at)
    return tuple(ends)


def gaps_between(plain: str) -> dict[int, str]:
    """Return what stands after each word of a text, by the word's end in the compact view."""
    gaps: dict[int, str] = {}
    at = passed = 0
    for token in _TOKEN.finditer(plain):
        if at:
            gaps[at] = _NO_GAP.sub("", plain[passed : token.start()])
        at += len(token[0]) if token[0].isalnum() else len(compact(token[0]))
        passed = token.end()
    gaps[at] = _NO_GAP.sub("", plain[passed:])
    return gaps


def parts_of(word: str) -> tuple[str, ...]:
    """Return the parts of a combination that have a letter or digit."""
    return tuple(part for part in word.split(ELLIPSIS) if compact(Views(part).folded))
