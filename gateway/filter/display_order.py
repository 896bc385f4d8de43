"""A text in the order in which a handset shows it, where marks in it say another one."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate, pairwise

import numpy as np

from gateway.filter.folding import MARKS, VIRAMAS

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
    from gateway.filter.display_loops import write_order  # noqa: PLC0415

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
        if start >= 0 and end - start == last - first:
            places[start : end + 1] = range(first, last + 1)
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
