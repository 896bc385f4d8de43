"""Disguises that put something between the letters of a word."""

from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from tests.promises.disguises.clusters import clusters_of
from tests.promises.disguises.disguise import Disguise, Kind
from tests.promises.disguises.words import Script

JOINABLE = frozenset(Script) - {Script.ARABIC}
_LONG = {"forty": "\u200b" * 40}
# Marks that give a letter next to them another shape: Arabic with them is another word.
_ANY_SCRIPT = frozenset({Kind.INVISIBLE})
# Between words of several a line of eight would stand.
_ONCE = frozenset({Kind.PUNCTUATION, Kind.SPACES, Kind.LETTERS_AS_MARKS})
_IN_THE_MIDDLE = ("hyphen", "slash", "low line", "middle dot", "two spaces", "modifier macron")


def between(mark: str) -> Callable[[str], str]:
    """Return the disguise that puts `mark` between all letters that follow each other."""

    def apply(text: str) -> str:
        return " ".join(mark.join(clusters_of(word)) for word in text.split(" "))

    return apply


def in_the_middle(mark: str) -> Callable[[str], str]:
    """Return the disguise that puts `mark` once in the middle of the longest word."""

    def apply(text: str) -> str:
        longest = max(text.split(" "), key=len)
        pieces = clusters_of(longest)
        middle = len(pieces) // 2
        cut = "".join(pieces[:middle]) + mark + "".join(pieces[middle:])
        return text.replace(longest, cut)

    return apply


def _around(left: str, right: str) -> Callable[[str], str]:
    return lambda text: " ".join(
        "".join(left + one + right for one in clusters_of(word)) for word in text.split(" ")
    )


def _changing(marks: str) -> Callable[[str], str]:
    def apply(text: str) -> str:
        made, turn = [], 0
        for word in text.split(" "):
            piece = ""
            for one in clusters_of(word):
                piece += (marks[turn % len(marks)] if piece else "") + one
                turn += 1
            made.append(piece)
        return " ".join(made)

    return apply


def _pairs(mark: str) -> Callable[[str], str]:
    def apply(text: str) -> str:
        pieces = clusters_of(text)
        return mark.join("".join(pieces[at : at + 2]) for at in range(0, len(pieces), 2))

    return apply


def separator_disguises() -> Iterator[Disguise]:
    """Yield the disguises by what stands between the letters."""
    path = Path(__file__).with_name("separators.yaml")
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    for kind_name, marks in rows.items():
        kind = Kind(kind_name)
        for name, written, *scripts in marks:
            mark = _LONG.get(written, written)
            chosen = frozenset(map(Script, scripts[0])) if scripts else _usual(kind)
            yield Disguise(f"{name} between all", kind, between(mark), chosen)
            if name in _IN_THE_MIDDLE and kind in _ONCE:
                yield Disguise(f"{name} in the middle", kind, in_the_middle(mark), chosen)
    yield from _arrangements()


def _usual(kind: Kind) -> frozenset[Script]:
    return frozenset(Script) if kind in _ANY_SCRIPT else JOINABLE


def _arrangements() -> Iterator[Disguise]:
    marks = Kind.PUNCTUATION
    yield Disguise("each in brackets", marks, _around("(", ")"), JOINABLE)
    yield Disguise("each in square brackets", marks, _around("[", "]"), JOINABLE)
    yield Disguise("each in corner brackets", marks, _around("「", "」"), JOINABLE)
    yield Disguise("each in black brackets", marks, _around("【", "】"), JOINABLE)
    yield Disguise("each in asterisks", marks, _around("*", "*"), JOINABLE)
    yield Disguise("changing marks", marks, _changing(".-/+~*_|,"), JOINABLE)
    yield Disguise("changing symbols", marks, _changing("☆♥◆※■●▲"), JOINABLE)
    yield Disguise("pairs with a slash", marks, _pairs("/"), JOINABLE)
    yield Disguise("pairs with two spaces", Kind.SPACES, _pairs("  "), JOINABLE)
    yield Disguise("pairs on lines", Kind.SPACES, _pairs("\n"), JOINABLE)
    yield Disguise("changing spaces", Kind.SPACES, _changing(" \u00a0\u2009\u3000\u2003"), JOINABLE)
