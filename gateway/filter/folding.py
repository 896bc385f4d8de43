"""Folding as one look into a table for each character, and where that is not enough.

The tables are tuples over the first two planes: 56 Han are through one in 1.2 us, where a
dict takes 3 us and NFKC 5 us.
"""

import re
from collections.abc import Iterator, Mapping

from gateway.filter.fold_tables import ACTING, ALIKE, BEYOND, PLAIN, SIMPLER, SOUNDS
from gateway.filter.unicode_fold import FILLERS, fold_fully

# What a table makes of a character that acts on what stands before it: no table can fold the
# text then. A filler itself, it stands in no text that was folded.
_ACTS = "\0"
_BOUND = ("", _ACTS)
_CODES = 0x20000


class Folding:
    """One way of folding: NFKC and case, without what shows as nothing, and `after` that."""

    __slots__ = ("_after", "_table")

    def __init__(self, after: Mapping[int, str]) -> None:
        table: list[int | str | None] = list(_PLAIN)
        for code, target in after.items():
            table[code] = target
        for code, folded in _FOLDS.items():
            table[code] = folded.translate(after)
        for codes in _ranges(ACTING):
            table[codes.start : codes.stop] = [_ACTS] * len(codes)
        self._table = tuple(table)
        self._after = after

    def fold(self, text: str) -> str:
        """Return `text` folded; folding again changes nothing.

        Takes any str, lone surrogates included; no character becomes more than 18.
        """
        if text.isascii():
            lowered = text.lower()
            return lowered if lowered.isprintable() else FILLERS.sub("", lowered)
        folded = text.translate(self._table)
        if _ACTS in folded or _BEYOND.search(folded):
            return fold_fully(text).translate(self._after)
        return folded

    def entries(self) -> Iterator[str | None]:
        """Yield what each character of the first two planes becomes; None if it acts on others."""
        for entry in self._table:
            if isinstance(entry, int):
                yield chr(entry)
            else:
                yield None if entry == _ACTS else entry

    def clusters(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the spans of a text that are folded each by itself, joining up to the whole.

        A cluster is a character, and those behind it that act on it or show as nothing.
        """
        start = 0
        for at in range(1, len(text)):
            if not self._is_bound(text[at]):
                yield start, at
                start = at
        if text:
            yield start, len(text)

    def _is_bound(self, one: str) -> bool:
        return one.translate(self._table) in _BOUND or _BEYOND.match(one) is not None


def sound_of(folded: str) -> str:
    """Return a text that was folded with one character for all that are read alike.

    Character for character: tones do not count, other scripts stay as they are.
    """
    return folded if folded.isascii() else folded.translate(_SOUNDS)


def _plain_folds() -> Iterator[tuple[int, str]]:
    for word in PLAIN.split():
        span, _, target = word.partition(":")
        ends, _, step = span.partition("/")
        first, _, last = ends.partition("-")
        codes = range(int(first, 16), int(last or first, 16) + 1, int(step or 1))
        if "." in target:
            yield codes.start, "".join(chr(int(one, 16)) for one in target.split("."))
        elif target:
            start = int(target, 16)
            yield from ((code, chr(start + code - codes.start)) for code in codes)
        else:
            yield from ((code, "") for code in codes)


def _ranges(spans: str) -> Iterator[range]:
    for span in spans.split():
        first, _, last = span.partition("-")
        yield range(int(first, 16), int(last, 16) + 1)


def _simpler() -> dict[int, str]:
    pairs = SIMPLER.replace("\n", "")
    return {ord(one): simple for one, simple in zip(pairs[::2], pairs[1::2], strict=True)}


def _alike() -> dict[int, str]:
    return {int(word[:-2], 16): word[-1] for word in ALIKE.split()}


def _sounds() -> tuple[int | str, ...]:
    table: list[int | str] = list(_PLAIN)
    for line in SOUNDS.strip().split("\n"):
        syllable, characters = line.split(" ")
        for one in characters:
            table[ord(one)] = SYLLABLES.setdefault(syllable, one)
    return tuple(table)


_PLAIN = tuple(range(_CODES))
_FOLDS = dict(_plain_folds())
# The variants of Han, tags and variation selectors.
_BEYOND = re.compile(f"[{''.join(f'{chr(r.start)}-{chr(r[-1])}' for r in _ranges(BEYOND))}]")
# Toneless syllables, ü written v, each with the character that stands for all that sound so.
SYLLABLES: dict[str, str] = {}
_SOUNDS = _sounds()

PLAIN_FOLDING = Folding({})
SIMPLIFYING = Folding(_simpler())
FULL_FOLDING = Folding(_simpler() | _alike())
