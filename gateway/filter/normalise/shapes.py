"""How else a text may be read: other shapes, another order, and texts that swell when folded."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate, pairwise

import numpy as np

from gateway.filter.normalise.folding import DIRECTING, MARKS, SHAPES, STROKES, VIRAMAS

# Whether a text has characters that may be read in another way, or in another order.
SHAPED, DIRECTED = 1, 2

_BOX = "\u20e3"
# A digit with a box drawn around it is a picture to some, and a mark between letters.
_KEYCAP = re.compile(f"[0-9#*](\ufe0f?{_BOX})")
_MARK = "·"
_JAMO = "\u1100-\u1112\u1161-\u1175\u11a8-\u11c2\u3131-\u3163"
# What stands between loose letters of Hangul; without it they are syllables.
_BETWEEN_JAMO = re.compile(rf"(?<=[{_JAMO}])[^\w\s]{{1,3}}(?=[{_JAMO}])")
_NOTHING = "\u200b"
# The Han for one, written for the kana that draws a vowel out.
_KANA = "\u30a1-\u30fa"
_LIKE_KANA = "亻力口工夕卜二八"
_DRAWN_OUT = re.compile(
    rf"(?<=[{_KANA}{_LIKE_KANA}])一(?=[{_KANA}])|(?<=[{_KANA}])一(?=[{_LIKE_KANA}])"
)

_LOOSE = re.compile(f"[{_JAMO}]")
# As a set: a class of 2 500 characters in a pattern takes 4 us for each character it is tried on.
_NEAR = _LOOSE.findall("".join(map(chr, range(0x1100, 0x3164))))
_SHAPED_CHARACTERS = frozenset((*map(chr, (*SHAPES, *STROKES)), _BOX, *_NEAR))
_IS_DIRECTED = re.compile(f"[{DIRECTING}]")


def shaped(text: str) -> list[str]:
    """Return how `text` may be read as well, each time character for character.

    With boxed letters, raised ones and numbers as marks, and with letters as marks that are
    strokes between those of another script. Few texts may be read in another way at all.
    """
    unboxed = _KEYCAP.sub(rf"{_MARK}\1", text) if _BOX in text else text
    unboxed = _DRAWN_OUT.sub(_MARK, _BETWEEN_JAMO.sub(_as_nothing, unboxed))
    boxed = unboxed.translate(SHAPES)
    struck = unboxed.translate(STROKES).translate(SHAPES)
    return [one for one in dict.fromkeys((boxed, struck)) if one != text]


def hints_of(text: str) -> int:
    """Return SHAPED and DIRECTED where `text` has characters for which they stand."""
    if text.isascii():
        return 0
    is_shaped = not _SHAPED_CHARACTERS.isdisjoint(text) or (
        "一" in text and _DRAWN_OUT.search(text) is not None
    )
    return SHAPED * is_shaped + DIRECTED * bool(_IS_DIRECTED.search(text))


def hints_by_character() -> dict[int, int]:
    """Return the characters that give hints, and which.

    Of what is read in another way by its neighbours alone each kana gives one.
    """
    kana = range(0x30A1, 0x30FB)
    hints = dict.fromkeys((*map(ord, _SHAPED_CHARACTERS), *kana), SHAPED)
    for one in _IS_DIRECTED.findall("".join(map(chr, range(0x20000)))):
        hints[ord(one)] = hints.get(ord(one), 0) | DIRECTED
    return hints


def _as_nothing(found: re.Match[str]) -> str:
    return _NOTHING * len(found[0])


_CLASSES = (
    "L R AL EN AN ES ET CS NSM BN B S WS ON LRE LRO RLE RLO PDF LRI RLI FSI PDI".split()  # noqa: SIM905 - one line to compare with the loops
)
_NUMBER_OF = {name: chr(number) for number, name in enumerate(_CLASSES)}
# An override that follows another, and what parts the two.
_FOLLOWING = re.compile("(?<=\u202c)(?=[\u202a-\u202e])")
_PART = "\u200e"
# A letter with its marks, or letters that are drawn as one.
_CLUSTER = re.compile(rf"\w[{MARKS}]+(?:(?<=[{VIRAMAS}])\w[{MARKS}]*)*")
# The other brackets close with the character behind the one that opens.
_BRACKETS = {"(": ")", "[": "]", "{": "}", "⦍": "⦐", "⦏": "⦎", "〈": "〉"}


def displayed(text: str) -> list[str]:
    """Return `text` in each order in which it may be read that is not the one it is written in."""
    return ["".join(map(text.__getitem__, order)) for order in display_orders(text)]


def display_orders(text: str) -> list[list[int]]:
    """Return the places of the characters that show in the order in which they are read.

    None where that is the order they are in; two where overrides follow each other, which are one
    (UAX #9, X9), but not to every handset. Letters that are written from the right stay in the
    order in which they are read, and so does what is drawn as one. A text without SIGNS need not
    be asked for.
    """
    orders = [_order(text)]
    pieces = _FOLLOWING.split(text)
    if len(pieces) > 1:
        ends = accumulate(map(len, pieces[:-1]))
        parts = {end + number for number, end in enumerate(ends)}
        places = iter(range(len(text)))
        place_of = [-1 if at in parts else next(places, -1) for at in range(len(text) + len(parts))]
        parted = _order(_PART.join(pieces))
        orders.append([place_of[at] for at in parted if place_of[at] >= 0])
    found = [order for order in orders if any(at > after for at, after in pairwise(order))]
    return found[:1] if found[1:] == found[:1] else found


def prepare() -> None:
    """Import what is compiled, or the first text that asks for it would have to wait."""
    display_orders("\u202eba")


def _order(text: str) -> list[int]:
    # What is compiled takes longer to import than all of this.
    from gateway.kernel.display_loops import write_order  # noqa: PLC0415

    order = np.empty(len(text), np.int64)
    write_order(_kinds(text), _brackets(text), order)
    places: list[int] = order[order >= 0].tolist()
    return _with_whole_clusters(places, text) if _CLUSTER.search(text) else places


def _with_whole_clusters(places: list[int], text: str) -> list[int]:
    """Return an order in which letters with their marks are not turned round within."""
    turned = {place: at for at, place in enumerate(places)}
    for cluster in _CLUSTER.finditer(text):
        first, last = cluster.start(), cluster.end() - 1
        start, end = turned.get(last, -1), turned.get(first, -1)
        whole = range(first, last + 1)
        # A digit may stand between: between the turned letter and its last mark.
        if start >= 0 and set(places[start : end + 1]) == set(whole):
            places[start : end + 1] = whole
    return places


def _kinds(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    numbers = {ord(one): _NUMBER_OF[unicodedata.bidirectional(one) or "L"] for one in set(text)}
    return np.frombuffer(text.translate(numbers).encode("latin-1"), np.uint8)


def _brackets(text: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found = np.zeros(len(text), np.int64)
    for bracket in _BRACKET.finditer(text):
        found[bracket.start()] = _PAIRS[bracket[0]]
    return found


def _pairs() -> Iterator[tuple[str, int]]:
    """Yield brackets with a number for each pair, below nothing for those that close."""
    for code in range(0x10000):
        one = chr(code)
        if unicodedata.category(one) == "Ps" and unicodedata.mirrored(one):
            # 〈 is another character twice, and one bracket (UAX #9, BD16).
            opening = unicodedata.normalize("NFC", one)
            closing = _BRACKETS.get(one, chr(code + 1))
            if unicodedata.category(closing) == "Pe":
                yield one, ord(opening)
                yield closing, -ord(opening)


_PAIRS = dict(_pairs())
_BRACKET = re.compile(f"[{re.escape(''.join(_PAIRS))}]")


# Characters that NFKC expands to three or more, up to 18: fractions, squared and bracketed words,
# Arabic ligatures. Where a whole block is listed, a few expand less. The ellipsis is not listed:
# people use it.
_SWELLING = re.compile(
    r"[\u00bc-\u00be\u0385\u0f77\u0f79\u1fc1\u1fcd-\u1fcf\u1fdd-\u1fdf\u1fed\u1fee\u2034\u2037\u2057"
    r"\u2100-\u2106\u2121\u213b\u2150-\u217b\u2189\u222d\u2230\u2474-\u24b5\u2a0c\u2a74-\u2a76"
    r"\u3200-\u3250\u32c9-\u32cf\u3300-\u33ff\ufb03\ufb04\ufb2c\ufb2d\ufc5e-\ufc63\ufcf2-\ufcf4"
    r"\ufd50-\ufdfc\ufe19\U0001d160-\U0001d164\U0001d1bd-\U0001d1c0\U0001f110-\U0001f12a\U0001f14e"
    r"\U0001f240-\U0001f248]"
)
# A text of more than _SHORT characters may hold _MAX_SWELLING of them. The 32 000 ligatures of one
# message_payload would become half a million letters, and block the event loop for half a second.
_SHORT, _MAX_SWELLING = 1_000, 256


def is_inflated(text: str) -> bool:
    """Tell whether normalisation would make `text` several times as long: honest texts do not."""
    if len(text) <= _SHORT or text.isascii():
        return False
    return len(_SWELLING.findall(text)) > _MAX_SWELLING


def deflated(text: str) -> str:
    """Return `text` without the characters that swell; part of what it says is lost."""
    return _SWELLING.sub("", text)
