"""Texts with some of their characters spoilt, so that a model leans on no single one.

This is no attack that anybody would try: characters are replaced by chance, in innocent
texts as in spam. What is measured on real attacks stays a measure that way.
"""

import numpy as np

_HAN_FIRST, _HAN_PAST = 0x4E00, 0x9FA6
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_MOST_LETTERS = 5
# Of the Han to be spoilt: one other Han, some letters, two Han; what is left is dropped.
_ONE, _SPELT, _TWO = 0.5, 0.75, 0.9


def spoilt(text: str, share: float, rng: np.random.Generator) -> str:
    """Return `text` with about `share` of its Han and half that of its letters replaced."""
    chances = rng.random(len(text))
    return "".join(
        char if chance >= share else _instead(char, chance / share, rng)
        for char, chance in zip(text, chances.tolist(), strict=True)
    )


def _instead(char: str, kind: float, rng: np.random.Generator) -> str:
    if char.isascii():
        return _letters(1, rng) if char.isalpha() and kind < _ONE else char
    if not "\u4e00" <= char <= "\u9fff":
        return char
    if kind < _ONE:
        return _han(rng)
    if kind < _SPELT:
        return _letters(int(rng.integers(2, _MOST_LETTERS + 1)), rng)
    return _han(rng) + _han(rng) if kind < _TWO else ""


def _han(rng: np.random.Generator) -> str:
    return chr(int(rng.integers(_HAN_FIRST, _HAN_PAST)))


def _letters(count: int, rng: np.random.Generator) -> str:
    return "".join(_LETTERS[place] for place in rng.integers(0, len(_LETTERS), count).tolist())
