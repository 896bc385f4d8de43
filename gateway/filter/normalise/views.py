"""A text as it is read, as it is meant, and as it sounds, with places in the original text.

Clues are few characters that stand in each text which has a link or a contact. They are little
enough to be looked for in every text; a pattern need be tried only where its clue is found. A new
spelling in a pattern needs its clue here.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.filter.normalise.folding import FULL_FOLDING, SYLLABLES, compact, sound_of
from gateway.filter.normalise.shapes import SHAPED, hints_of, shaped

# What stands for a text in which nobody looked: whatever there is.
EVERY = -1

# Each clue is a row of at most six items of a regular expression, each for one character of
# the folded view.
_LINK = r"""
    :[/\\]
    :[ ][/\\]
    www
    [a-z0-9_ -][.。·•点][a-z]
    [ ][.。·•点][ ][a-z]
    dot[ ]
    [.。点t ][)\]}>】][a-z]
    [.。点t ][)\]}>】][ ][a-z]
    """
# A host that is a number takes a port or a path to be a link.
_DOTTED = "[0-9][.][0-9]"
_PORTED = "[0-9][:/?#]"
_QQ = """
    q[ .·q:群1-9]
    [扣抠球企][扣抠球鹅群裙号]
    """
_WECHAT = """
    [微威薇徽维v][信x]
    wx
    we[ci]
    [加➕+][v薇威]
    """
_MESSENGER = """
    tele
    tg
    hats
    skyp
    pota
    [飞电蝙土][机报蝠豆]
    """
_EMAIL = "[a-z0-9._+-]@[a-z0-9-]"
_SERVICE_LINE = """
    [^0-9.¥$€£]9[56‐–—-][0-9‐–—-][0-9‐–—-][0-9‐–—-]
    [^0-9]1[0-2][0-9][0-9][0-9]
    """
WRITTEN = tuple(
    tuple(map(str.strip, each.strip().splitlines()))
    for each in (_LINK, _DOTTED, _PORTED, _QQ, _WECHAT, _MESSENGER, _EMAIL, _SERVICE_LINE)
)

# Digits in other clothes, one character each: a number in Han, and o and l in one of digits.
CLOTHES_OF = (
    "〇零洞o",
    "一壹幺li",
    "二贰",
    "三叁",
    "四肆",
    "五伍",
    "六陆",
    "七柒拐",
    "八捌",
    "九玖勾",
)
# What people put between the digits of one number.
GAPS = " -.·•‧∙・点/()‐–—―~_"

# Two clues are no rows but runs: the digits of a number that is dialled, and fewer in other
# clothes.
LONG_NUMBER, DRESSED = 1, 2
FIRST_ROW = 2


def _bits() -> Iterator[int]:
    at = FIRST_ROW
    for rows in WRITTEN:
        yield ((1 << len(rows)) - 1) << at
        at += len(rows)


LINK, DOTTED, PORTED, QQ, WECHAT, MESSENGER, EMAIL, _SHORT_NUMBER = _bits()
DIALLED = LONG_NUMBER | _SHORT_NUMBER
CONTACT = QQ | WECHAT | MESSENGER | EMAIL | DIALLED | DRESSED


_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
# Characters put between two Han to break up a word; a line break or a signature's bracket is a real
# boundary and not among them.
_SEPARATOR = r"[^\w\n【】]"
# The pattern begins with what it consumes, and the look-behind follows: this makes searching fast.
_BETWEEN_HAN = re.compile(rf"{_SEPARATOR}(?<=[{_HAN}]{_SEPARATOR}){_SEPARATOR}{{0,2}}(?=[{_HAN}])")
_GAP = "[ .*_-]"
_IS_SPELT_OUT = re.compile(rf"{_GAP}[a-z]{_GAP}[a-z](?![a-z0-9])")
_SPELT_OUT = re.compile(rf"(?<![a-z0-9])[a-z](?:{_GAP}[a-z]){{2,}}(?![a-z0-9])")

_ROMANISED = re.compile(
    rf"[a-z](?:(?<=[{_HAN}][a-z])|(?<=[{_HAN}] [a-z]))[a-z]{{1,23}}(?![a-z0-9])"
    rf"|[a-z](?<![a-z0-9][a-z])[a-z]{{1,23}}(?= ?[{_HAN}])"
)
_LONGEST_SYLLABLE = max(map(len, SYLLABLES))

# The start and end of a piece of a text, and its replacement.
Edit = tuple[int, int, str]
# A view, and what gateway.kernel.view_loops found in it.
Even = tuple[str, Sequence[int]]


class Views:
    """The views of one text.

    - `raw`: the text as it is read.
    - `folded`: one spelling for all disguises of a character (width, case, traditional,
      look-alikes), without invisible characters, separators between Han, and the gaps of
      s-p-e-l-t words.
    - `sound`: `folded` with one character for all characters that sound alike, including romanised
      syllables among Han (发piao).
    - `letters`: `folded` with letters and digits only.
    - `further`: the views of other ways to read the text, with boxed letters, raised letters or
      numbers as marks, if it has such characters.
    - `hints`: whether it has them (SHAPED of gateway.filter.normalise.shapes), and whether it is
      read in another order (DIRECTED).
    - `even`: the folded view before anything was left out, and the weights of its cues. Only made
      in a tick; None unless each character became exactly one, and no letter of another script
      became the Latin letter that it looks like.
    - `clues`: those of links and contacts. Only found in a tick.

    Each view is linear in the text, and at most 18 times as long.
    """

    __slots__ = (
        "_further",
        "_letters",
        "_sound",
        "_trace",
        "clues",
        "even",
        "folded",
        "hints",
        "raw",
    )

    # What gateway.filter.batch_views makes of many texts at once, and else is made here.
    def __init__(  # noqa: PLR0913, PLR0917
        self,
        raw: str,
        folded: str | None = None,
        letters: str | None = None,
        sound: str | None = None,
        even: Even | None = None,
        clues: int = EVERY,
        hints: int | None = None,
    ) -> None:
        """Take the views that are made, and make the missing ones."""
        self.raw = raw
        self.folded = _folded(raw) if folded is None else folded
        self._letters = letters
        self._sound = sound
        self._trace: Trace | None = None
        self._further: tuple[Views, ...] | None = None
        self.even = even
        self.clues = clues
        self.hints = hints_of(raw) if hints is None else hints

    @property
    def letters(self) -> str:
        """Return the compact form of the folded view: its letters and digits."""
        if self._letters is None:
            self._letters = compact(self.folded)
        return self._letters

    def spaced(self) -> str:
        """Return the folded view before anything was left out; its letters are the same."""
        return FULL_FOLDING.fold(self.raw) if self.even is None else self.even[0]

    @property
    def further(self) -> tuple["Views", ...]:
        """Return the views of other ways to read the text, character for character."""
        if self._further is None:
            texts = shaped(self.raw) if self.hints & SHAPED else ()
            self._further = tuple(map(Views, texts))
        return self._further

    @property
    def sound(self) -> str:
        """Return the sound view; it is made on first use."""
        if self._sound is None:
            folded = self.folded
            self._sound = folded if folded.isascii() else sound_of(_ROMANISED.sub(_spoken, folded))
        return self._sound

    def trace_folded(self) -> "Trace":
        """Return the folded view with the place of each of its characters; slow, for evidence."""
        if self._trace is None:
            self._trace = self._traced()
            if self._trace.text != self.folded:
                self._trace = self._trace.edited(_removing(_BETWEEN_HAN)).edited(_closing_up)
        return self._trace

    def _traced(self) -> "Trace":
        if self.even is None:
            return _fold_traced(self.raw)
        text, _ = self.even
        places = range(len(text) + 1)
        return Trace(text, places[:-1], places[1:])

    def trace_sound(self) -> "Trace":
        """Return the sound view with the place of each of its characters."""
        trace = self.trace_folded().edited(_speaking)
        return Trace(sound_of(trace.text), trace.starts, trace.ends)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A view that knows for each character which piece of the original text it stands for."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the original text for a non-empty span of this view."""
        return self.starts[start], max(self.ends[start:end])

    def edited(self, edits_of: Callable[[str], Iterator[Edit]]) -> "Trace":
        """Return the view after the edits that `edits_of` yields for its text."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for start, end, instead in (*edits_of(self.text), (len(self.text), len(self.text), "")):
            pieces += (self.text[at:start], instead)
            starts += self.starts[at:start]
            ends += self.ends[at:start]
            if instead:
                first, last = self.original(start, end)
                starts += [first] * len(instead)
                ends += [last] * len(instead)
            at = end
        return Trace("".join(pieces), starts, ends)


def _folded(raw: str) -> str:
    folded = FULL_FOLDING.fold(raw)
    if not folded.isascii():
        folded = _BETWEEN_HAN.sub("", folded)
    if _IS_SPELT_OUT.search(folded):
        folded = _SPELT_OUT.sub(_closed_up, folded)
    return folded


def letters_traced(trace: Trace) -> Trace:
    """Return the compact view of a trace: its letters and digits, with their places."""
    kept = [at for at, one in enumerate(trace.text) if one.isalnum()]
    return Trace(
        "".join(trace.text[at] for at in kept),
        [trace.starts[at] for at in kept],
        [trace.ends[at] for at in kept],
    )


def _fold_traced(raw: str) -> Trace:
    """Fold cluster by cluster: clusters do not affect each other (Unicode UAX #15, 9.1)."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in FULL_FOLDING.clusters(raw):
        piece = FULL_FOLDING.fold(raw[start:end])
        pieces.append(piece)
        starts += [start] * len(piece)
        ends += [end] * len(piece)
    return Trace("".join(pieces), starts, ends)


def _removing(pattern: re.Pattern[str]) -> Callable[[str], Iterator[Edit]]:
    return lambda text: ((*found.span(), "") for found in pattern.finditer(text))


def _closed_up(found: re.Match[str]) -> str:
    return found[0][::2]


def _closing_up(text: str) -> Iterator[Edit]:
    for found in _SPELT_OUT.finditer(text):
        start, end = found.span()
        yield from ((at, at + 1, "") for at in range(start + 1, end, 2))


def _spoken(found: re.Match[str]) -> str:
    return _in_syllables(found[0]) or found[0]


def _speaking(text: str) -> Iterator[Edit]:
    for found in _ROMANISED.finditer(text):
        spoken = _in_syllables(found[0])
        if spoken:
            yield (*found.span(), spoken)


@lru_cache(maxsize=4096)
def _in_syllables(word: str) -> str:
    """Return a character for each syllable of `word`, "" if it does not divide into syllables.

    Of several ways, the one with the fewest syllables; a syllable has at least two letters.
    """
    best: list[str | None] = [""] + [None] * len(word)
    for end in range(2, len(word) + 1):
        for start in range(max(0, end - _LONGEST_SYLLABLE), end - 1):
            before, character = best[start], SYLLABLES.get(word[start:end])
            if before is None or character is None:
                continue
            now = best[end]
            if now is None or len(before) + 1 < len(now):
                best[end] = before + character
    return best[-1] or ""
