"""What a model reads in a text, written once more in plain Python: slow, and to be believed."""

from collections.abc import Iterator, Sequence
from math import log

from gateway.filter.model.features import Grams, View
from gateway.filter.views import Views

_MOST = 0xFFFF_FFFF


def buckets(text: Views, grams: Sequence[Grams]) -> list[int]:
    """Return the buckets of all n-grams of a text."""
    return [
        hashed(characters[at : at + length])
        for number, group in enumerate(grams)
        for characters in [[(number << 24) + code for code in characters_of(text, group.view)]]
        for length in range(1, group.longest + 1)
        for at in range(len(characters) - length + 1)
    ]


def hashed(gram: Sequence[int]) -> int:
    first, *others = (code * 0x9E3779B1 & _MOST for code in gram)
    state = first
    for single in others:
        state = ((state ^ (state >> 15)) * 0x85EBCA77 + single) & _MOST
    return (state * 0x9E3779B1 & _MOST) >> 12


def characters_of(text: Views, view: View) -> list[int]:
    written = text.sound if view is View.SOUND else text.folded
    if view in {View.NUMBERLESS, View.SOUND}:
        written = "".join(numberless(written))
    if view is View.HAN:
        written = "".join(one for one in written if is_han(one))
    return [2, *map(ord, written), 3]


def numberless(text: str) -> Iterator[str]:
    padded = f"|{text}|"
    for before, one, after in zip(padded, padded[1:], padded[2:], strict=False):
        is_mask = one in "x*" and one in {before, after}
        yield "0" if is_mask or one in "0123456789" else one


def is_han(one: str) -> bool:
    return "\u3400" <= one <= "\u9fff"


def signs(text: Views) -> list[float]:
    """Return the SIGNS of a text."""
    folded, raw = text.folded, text.raw
    length = max(len(folded), 1)
    digits, small, han = (
        sum(map(is_one, folded)) / length
        for is_one in (lambda c: "0" <= c <= "9", lambda c: "a" <= c <= "z", is_han)
    )
    return [
        log(1 + min(length, 512)) / log(513),
        digits,
        small,
        sum("A" <= one <= "Z" for one in raw) / max(len(raw), 1),
        han,
        max(1 - digits - small - han, 0),
        float("【" in folded or "[" in folded),
        1,
    ]
