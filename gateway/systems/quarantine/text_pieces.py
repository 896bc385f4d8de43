"""A hostile text cut into pieces for a page: plain words, evidence, and boxes for what is unseen.

A page shows a piece as text and nothing else, so no markup of a sender takes effect. What shows as
nothing or turns the order of letters becomes a box with its name, and is never sent as it is.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from gateway.filter.normalise.unicode_fold import FILLERS, MARKS

Place = tuple[int, int]

MAX_SHOWN_CHARS = 4_000  # of the first reading; ten parts of a long message have 1 530
MAX_OTHER_CHARS = 400  # of each other reading
_MAX_MARKS = 4  # that sit on one letter; what is stacked higher covers the lines above

# The names that people know; the others are shown by their number.
_NAMES = {
    0x0009: "TAB",
    0x000D: "CR",
    0x00A0: "NBSP",
    0x00AD: "SHY",
    0x061C: "ALM",
    0x200B: "ZWSP",
    0x200C: "ZWNJ",
    0x200D: "ZWJ",
    0x200E: "LRM",
    0x200F: "RLM",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x2060: "WJ",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
    0xFEFF: "BOM",
}
_SHOWN_SPACES = frozenset(" \n\u3000")  # the ideographic space shows as a gap of its own
_NEVER_SENT = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp", "Zs"})


class PieceKind(StrEnum):
    """How a piece is shown."""

    PLAIN = "plain"
    EVIDENCE = "evidence"
    BOX = "box"  # `text` is the name of one character, or of a run of the same one


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of a text. `is_evidence` tells of a box that stands within evidence."""

    kind: PieceKind
    text: str
    is_evidence: bool = False


@dataclass(frozen=True, slots=True)
class ShownText:
    """The pieces of a text in order; `left` characters behind them are not shown."""

    pieces: tuple[TextPiece, ...]
    left: int = 0


def shown_text(
    text: str, evidence: Iterable[Place] = (), limit: int = MAX_SHOWN_CHARS
) -> ShownText:
    """Return at most `limit` characters of `text` as pieces.

    `evidence` are spans of `text` (start, end), in any order; those outside are ignored. The time
    is linear in `limit` and in the number of spans.
    """
    shown = text[:limit]
    cuts = _merged(evidence, len(shown))
    pieces: list[TextPiece] = []
    at = 0
    for start, end in cuts:
        pieces += _pieces(shown[at:start], is_evidence=False)
        pieces += _pieces(shown[start:end], is_evidence=True)
        at = end
    pieces += _pieces(shown[at:], is_evidence=False)
    return ShownText(tuple(pieces), len(text) - len(shown))


def _merged(places: Iterable[Place], length: int) -> list[Place]:
    """Return the spans within a text of this length, in order; those that touch are one."""
    merged: list[Place] = []
    for start, end in sorted(places):
        first, last = max(start, 0), min(end, length)
        if first >= last:
            continue
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _pieces(text: str, *, is_evidence: bool) -> Iterator[TextPiece]:
    kind = PieceKind.EVIDENCE if is_evidence else PieceKind.PLAIN
    for start, end in pairwise(_ends(text)):
        run = text[start:end]
        name = _box_of(text, start)
        if not name:
            yield TextPiece(kind, run, is_evidence)
        else:
            times = f" ×{len(run)}" if len(run) > 1 else ""
            yield TextPiece(PieceKind.BOX, f"{name}{times}", is_evidence)


def _ends(text: str) -> Sequence[int]:
    """Return where runs of shown characters, and of the same unseen one, begin; then the end."""
    if not text:
        return ()
    ends = [0]
    before = _box_of(text, 0)
    for at in range(1, len(text)):
        now = _box_of(text, at)
        if now != before:
            ends.append(at)
        before = now
    return (*ends, len(text))


def _box_of(text: str, at: int) -> str:
    """Return the name in place of a character that does not show, "" for one that does."""
    one = text[at]
    if one in _SHOWN_SPACES:
        return ""
    if one.isascii() and one.isprintable():
        return ""
    is_unseen = FILLERS.match(one) or unicodedata.category(one) in _NEVER_SENT
    if is_unseen or (MARKS.match(one) and _is_stacked(text, at)):
        return _NAMES.get(ord(one), f"U+{ord(one):04X}")
    return ""


def _is_stacked(text: str, at: int) -> bool:
    """Tell whether a mark is one too many on its letter."""
    before = text[max(0, at - _MAX_MARKS) : at]
    return len(before) == _MAX_MARKS and all(map(MARKS.match, before))
