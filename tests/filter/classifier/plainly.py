"""What a model reads in a text, written once more in plain Python: slow, and to be believed."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import log
from operator import itemgetter

from gateway.filter.classifier.linear import Grams, NgramView
from gateway.filter.normalise.views import Views

_MOST = 0xFFFF_FFFF
NUMBER = 0x11_0000


def buckets(text: Views, grams: Sequence[Grams]) -> list[int]:
    """Return the buckets of all n-grams of a text, each once."""
    found = [
        hashed(characters[at : at + length])
        for number, group in enumerate(grams)
        for characters in [[(number << 24) + code for code in characters_of(text, group.view)]]
        for length in range(1, group.longest + 1)
        for at in range(len(characters) - length + 1)
    ]
    return list(distinct(found))


def distinct(found: Sequence[int]) -> Iterator[int]:
    """Yield what was not met before, as far as a table of so many places remembers."""
    places = min(1 << max(4 * len(found) - 1, 3).bit_length(), 1 << 20)
    met: dict[int, int] = {}
    for bucket in found:
        if met.get(bucket % places) != bucket:
            yield bucket
        met[bucket % places] = bucket


def hashed(gram: Sequence[int]) -> int:
    first, *others = (code * 0x9E3779B1 & _MOST for code in gram)
    state = first
    for single in others:
        state = ((state ^ (state >> 15)) * 0x85EBCA77 + single) & _MOST
    return (state * 0x9E3779B1 & _MOST) >> 12


def characters_of(text: Views, view: NgramView) -> list[int]:
    written = text.sound if view is NgramView.SOUND else text.folded
    if view is NgramView.HAN:
        written = "".join(one for one in written if is_han(one))
    return [2, *numbered(written, 1 if view is NgramView.SOUND else 7), 3]


def numbered(text: str, least: int) -> Iterator[int]:
    """Yield each character, and for `least` or more digits or masks in a row how many they are."""
    padded = f"|{text}|"
    kinds = [
        one in "0123456789" or (one in "x*" and one in {before, after})
        for before, one, after in zip(padded, padded[1:], padded[2:], strict=False)
    ]
    for is_number, run in groupby(zip(kinds, text, strict=True), key=itemgetter(0)):
        characters = [ord(one) for _, one in run]
        is_long = is_number and len(characters) >= least
        yield from [NUMBER + len(characters)] if is_long else characters


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
