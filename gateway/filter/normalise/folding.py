"""Folding a text to one spelling: one look into a table for each character, and the full rules.

The tables are tuples over the first two planes: 56 Han are through one in 1.2 us, where a
dict takes 3 us and NFKC 5 us.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pkgutil import get_data

from gateway.filter.normalise.unicode_fold import FILLERS, fold_fully

# What a table makes of a character that acts on what stands before it: no table can fold the
# text then. A filler itself, it stands in no text that was folded.
_ACTS = "\0"
_BOUND = ("", _ACTS)
# Beyond the tables are variants of Han, which fold to one character each, and what acts.
_BOUND_RUN = re.compile("[\0\U00020000-\U0010ffff]+")
_CODES = 0x20000
# First letters of Hangul that stand alone behind a syllable without a last one: ㄷㅗㅂㅏㄱ.
_LOOSE = re.compile("([가-힣])([ᄀ-ᄒ])(?![ᅡ-ᅵ])")
_FIRST_LETTERS = range(0x1100, 0x1113)
# How each of them is written as the last letter of a syllable, by its number in Unicode 3.12; three
# are never last.
_LAST = (1, 2, 4, 7, 0, 8, 16, 17, 0, 19, 20, 21, 22, 0, 23, 24, 25, 26, 27)
_SYLLABLE, _LASTS = 0xAC00, 28


class Folding:
    """One way of folding: NFKC and case, without what shows as nothing, and `after` that.

    With `joins` it writes loose letters of Hangul as the syllables that are read.
    """

    __slots__ = ("_after", "_joins", "_table")

    def __init__(self, after: Mapping[int, str], *, joins: bool = False) -> None:
        table: list[int | str | None] = list(_PLAIN)
        for code, target in after.items():
            table[code] = target
        for code, folded in _FOLDS.items():
            table[code] = folded.translate(after)
        for codes in _ACTING:
            table[codes.start : codes.stop] = [_ACTS] * len(codes)
        for code in _LOOSE_LETTERS if joins else ():
            table[code] = _ACTS
        self._table = tuple(table)
        self._after = after
        self._joins = joins

    def fold(self, text: str) -> str:
        """Return `text` folded; folding again changes nothing.

        Takes any str, lone surrogates included; no character becomes more than 18.
        """
        if text.isascii():
            lowered = text.lower()
            return lowered if lowered.isprintable() else FILLERS.sub("", lowered)
        folded = text.translate(self._table)
        if _ACTS in folded or _BEYOND.search(folded):
            return self._fold_clusters(text)
        return folded

    def _fold_clusters(self, text: str) -> str:
        """Fold by the table what it can fold, and the rest by all the rules, in one piece.

        Nothing in one cluster acts on the next (Unicode UAX #15, 9.1), and on a line end nothing
        acts at all.
        """
        alone: list[str] = []
        bound: list[str] = []
        at = 0
        for run in _BOUND_RUN.finditer(text.translate(_KINDS)):
            start, end = run.span()
            start -= start > at and text[start - 1] != "\n"
            alone.append(text[at:start])
            bound.append(text[start:end])
            at = end
        alone.append(text[at:])
        clusters = fold_fully("\n".join(bound)).translate(self._after)
        if self._joins:
            clusters = _LOOSE.sub(_joined, clusters)
        pieces = (piece.translate(self._table) for piece in alone)
        return "".join(chain(*zip_longest(pieces, clusters.split("\n"), fillvalue="")))

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
            if not self._is_bound(text[at]) or self._begins(text[at - 1], text[at]):
                yield start, at
                start = at
        if text:
            yield start, len(text)

    def _begins(self, before: str, letter: str) -> bool:
        """Tell whether a letter of Hangul begins a syllable, as behind what is no Hangul."""
        if not self._joins or ord(letter) not in _LOOSE_LETTERS:
            return False
        return not ("가" <= before <= "힣" or self._is_bound(before))

    def _is_bound(self, one: str) -> bool:
        return one.translate(self._table) in _BOUND or _BEYOND.match(one) is not None

    def kinds(self) -> tuple[str, ...]:
        """Return for each character of the first two planes whether it is bound to that before."""
        return tuple("\0" if entry in _BOUND else "x" for entry in self._table)


def sound_of(folded: str) -> str:
    """Return a text that was folded with one character for all that are read alike.

    Character for character: tones do not count, other scripts stay as they are.
    """
    return folded if folded.isascii() else folded.translate(_SOUNDS)


def _joined(found: re.Match[str]) -> str:
    syllable, last = ord(found[1]), _LAST[ord(found[2]) - _FIRST_LETTERS.start]
    is_open = (syllable - _SYLLABLE) % _LASTS == 0
    return chr(syllable + last) if is_open and last else found[0]


def _loose_letters() -> Iterator[int]:
    firsts = frozenset(map(chr, _FIRST_LETTERS))
    yield from _FIRST_LETTERS
    yield from (code for code, folded in _FOLDS.items() if folded in firsts)


def _sections() -> dict[str, str]:
    """Return the tables by their names."""
    text = (get_data(__package__, "fold_tables.txt") or b"").decode()
    found = (section.partition("]\n") for section in text.split("\n[")[1:])
    return {name: table for name, _, table in found}


def _folds(runs: str) -> Iterator[tuple[int, str]]:
    for word in runs.split():
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
    pairs = _TABLES["SIMPLER"].replace("\n", "")
    return {ord(one): simple for one, simple in zip(pairs[::2], pairs[1::2], strict=True)}


def _sounds() -> tuple[int | str, ...]:
    table: list[int | str] = list(_PLAIN)
    for line in _TABLES["SOUNDS"].strip().split("\n"):
        syllable, characters = line.split(" ")
        for one in characters:
            table[ord(one)] = SYLLABLES.setdefault(syllable, one)
    return tuple(table)


def _class(name: str) -> str:
    """Return the ranges of a table as they are written in a pattern."""
    return "".join(f"{chr(some[0])}-{chr(some[-1])}" for some in _ranges(_TABLES[name]))


_TABLES = _sections()
_PLAIN = tuple(range(_CODES))
_ACTING = tuple(_ranges(_TABLES["ACTING"]))
_FOLDS = dict(_folds(_TABLES["PLAIN"]))
_LOOSE_LETTERS = frozenset(_loose_letters())
# The variants of Han, tags and variation selectors.
_BEYOND = re.compile(f"[{_class('BEYOND')}]")
# Toneless syllables, ü written v, each with the character that stands for all that sound so.
SYLLABLES: dict[str, str] = {}
_SOUNDS = _sounds()

# What characters may be read as beside what they fold to; none of them is beyond the tables.
SHAPES = dict(_folds(_TABLES["SHAPES"]))
STROKES = dict(_folds(_TABLES["STROKES"]))
# Combining marks, those of them that make one of two letters, and what changes the order in which
# letters are shown, as they are written in a pattern.
MARKS, VIRAMAS, DIRECTING = map(_class, ("MARKS", "VIRAMAS", "DIRECTING"))

_SIMPLER = _simpler()
PLAIN_FOLDING = Folding({})
SIMPLIFYING = Folding(_SIMPLER)
FULL_FOLDING = Folding(_SIMPLER | dict(_folds(_TABLES["ALIKE"])), joins=True)
_KINDS = FULL_FOLDING.kinds()  # in the others less is bound


_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")
_NO_ASCII_SEPARATORS = {
    code: None for code in range(128) if not _LETTERS_AND_DIGITS.match(chr(code))
}

normalise = PLAIN_FOLDING.fold


def compact(plain: str) -> str:
    """Return the compact view of a `plain` view: letters (Han among them) and digits only.

    It joins 代-开 发.票 and 代 开 发 票 into one word. The price: the end of a sentence joins the
    start of the next one, so a word may be found that is not in the text.
    """
    if plain.isascii():  # takes half the time of the search below
        return plain.translate(_NO_ASCII_SEPARATORS)
    return "".join(_LETTERS_AND_DIGITS.findall(plain))


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


def simplified(text: str) -> str:
    """Return the plain view of `text` with traditional characters simplified, one by one."""
    return SIMPLIFYING.fold(text)


def folded(text: str) -> str:
    """Return `text` simplified, and with Latin letters for those that look like them (R62).

    For searching only: what is written in Cyrillic comes out as no language, the same each
    time.
    """
    return FULL_FOLDING.fold(text)
