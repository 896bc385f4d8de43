"""How characters may be read beside what they are folded to: boxed letters as marks, say."""

import re

from gateway.filter.folding import DIRECTING, SHAPES, STROKES

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
