"""Texts as people see them who gave no reason: without the numbers in them (R73)."""

import re
from collections.abc import Iterator

from gateway.systems.learning.outlines import FIGURE, SIGN, UNSEEN, outline_of

# Eight figures and more of any script, width or frame, said in Han digit by digit too, with up to
# three signs between two of them, and whatever does not show.
_GAP = rf"{UNSEEN}*+(?:{SIGN}{UNSEEN}*+){{0,3}}+"
_NUMBER = re.compile(rf"{FIGURE}(?:{_GAP}{FIGURE}){{7,}}+")
_LONG, _FIRST, _LAST, _LAST_OF_SHORT = 11, 3, 4, 2


def masked_numbers(text: str) -> str:
    """Return `text` with ``*`` for the figures of each run of eight and more: 138****8000.

    Of eleven and more the first three and the last four stay, of fewer the last two; what
    stands between the figures, and all words and links, stay as they are.
    """
    characters = list(text)
    for place in _hidden_in(outline_of(text)):
        characters[place] = "*"
    return "".join(characters)


def _hidden_in(outline: str) -> Iterator[int]:
    for run in _NUMBER.finditer(outline):
        places = [place for place in range(*run.span()) if outline[place] == FIGURE]
        is_long = len(places) >= _LONG
        yield from places[_FIRST:-_LAST] if is_long else places[:-_LAST_OF_SHORT]
