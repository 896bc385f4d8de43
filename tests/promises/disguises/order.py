"""Disguises that store a word in another order than it is displayed in (Unicode UAX 9)."""

from collections.abc import Callable, Iterator, Sequence

from tests.promises.disguises.clusters import clusters_of
from tests.promises.disguises.disguise import Disguise, Kind
from tests.promises.disguises.words import Script

_LRE, _RLE, _PDF, _LRO, _RLO = "\u202a", "\u202b", "\u202c", "\u202d", "\u202e"
_LRI, _RLI, _FSI, _PDI = "\u2066", "\u2067", "\u2068", "\u2069"
_LRM, _RLM, _ALM = "\u200e", "\u200f", "\u061c"
# Letters that go from left to right; Arabic ones join, and would be drawn in other shapes.
_LEFT_TO_RIGHT = frozenset(Script) - {Script.ARABIC}


def reverse(text: str) -> str:
    """Return `text` with its clusters in the reverse order."""
    return "".join(reversed(clusters_of(text)))


def _halves(text: str) -> tuple[str, str]:
    pieces = clusters_of(text)
    middle = len(pieces) // 2
    return "".join(pieces[:middle]), "".join(pieces[middle:])


def overridden(text: str) -> str:
    """Return `text` reversed within a right-to-left override."""
    return _RLO + reverse(text) + _PDF


def _half_overridden(text: str) -> str:
    first, second = _halves(text)
    return first + _RLO + reverse(second) + _PDF


def _nested(text: str) -> str:
    first, second = _halves(text)
    return _RLO + _LRO + second + _PDF + reverse(first) + _PDF


def _isolated_inside(text: str) -> str:
    first, second = _halves(text)
    return _RLO + _LRI + second + _PDI + reverse(first) + _PDF


def _pairs(text: str) -> str:
    pieces = clusters_of(text)
    pairs = (overridden("".join(pieces[at : at + 2])) for at in range(0, len(pieces), 2))
    return _LRM.join(pairs)  # without it two that follow each other are one, and shown as one


def _displayed_from_right(runs: Sequence[str], mark: str) -> str:
    """Return left-to-right `runs` as they are stored in text that goes from right to left.

    A space between two of them stands beside the mark, or it would be shown at the end.
    """
    stored = runs[-1].strip()
    for first, second in zip(reversed(runs[:-1]), reversed(runs[1:]), strict=True):
        is_apart = first.endswith(" ") or second.startswith(" ")
        stored += mark + " " * is_apart + first.strip()
    return stored


def _swapped(opening: str, mark: str, closing: str) -> Callable[[str], str]:
    """Return the disguise that stores the second half first, as right-to-left runs are shown."""
    return lambda text: opening + _displayed_from_right(_halves(text), mark) + closing


def _isolated(text: str) -> str:
    first, second = _halves(text)
    return f"{_RLI}{_LRI}{second}{_PDI}{_LRI}{first}{_PDI}{_PDI}"


def _three_runs(text: str) -> str:
    pieces = clusters_of(text)
    third = max(1, len(pieces) // 3)
    runs = ["".join(pieces[:third]), "".join(pieces[third:-third]), "".join(pieces[-third:])]
    return _RLE + _displayed_from_right(runs, _RLM) + _PDF


def order_disguises() -> Iterator[Disguise]:
    """Yield the disguises by overrides, embeddings, isolates and marks of direction."""
    for name, apply in (
        ("right-to-left override", overridden),
        ("right-to-left override without an end", lambda text: _RLO + reverse(text) + "\n"),
        ("override with a mark for its end", lambda text: overridden(text) + "\u200e"),
        ("override in an isolate", lambda text: _LRI + overridden(text) + _PDI),
        ("override ended by an isolate", lambda text: _FSI + _RLO + reverse(text) + _PDI),
        ("override in an embedding", lambda text: _LRE + overridden(text) + _PDF),
        ("override in an override", lambda text: _LRO + overridden(text) + _PDF),
        ("override of the second half", _half_overridden),
        ("override of each two letters", _pairs),
        ("override around a left-to-right override", _nested),
        ("override around an isolate", _isolated_inside),
        ("right-to-left embedding around a mark", _swapped(_RLE, _RLM, _PDF)),
        ("right-to-left isolate around a mark", _swapped(_RLI, _RLM, _PDI)),
        ("right-to-left embedding around an Arabic mark", _swapped(_RLE, _ALM, _PDF)),
        ("isolates in a right-to-left isolate", _isolated),
        ("embedding of three runs", _three_runs),
        ("a paragraph that begins from the right", _swapped("\n" + _RLM, _RLM, "\n")),
        ("an override twice", lambda text: _RLO + _RLO + reverse(text) + _PDF + _PDF),
        ("override after an end too many", lambda text: _PDF + _PDI + overridden(text)),
    ):
        yield Disguise(name, Kind.ORDER, apply, _LEFT_TO_RIGHT)
