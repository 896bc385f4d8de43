"""The views of many texts at once, in a fifth of the time that each takes by itself."""

from collections.abc import Sequence

import numpy as np

from gateway.filter.code_points import NO_LETTER, Codes, joined, kinds_of_characters, text_of
from gateway.filter.folding import FULL_FOLDING, sound_of
from gateway.filter.view_loops import (
    BOTH,
    CHARACTERS,
    DIGIT,
    HAN,
    LETTER,
    MARK,
    NONE,
    PIECE,
    SEPARATOR,
    SMALL,
    Classes,
    write_views,
)
from gateway.filter.views import Views


def views_of(texts: Sequence[str]) -> list[Views]:
    """Return the views of each text: what Views makes of it alone."""
    codes, bounds = joined(texts)
    made = np.empty((len(texts), 3), np.int64)
    codes_of_views = write_views(codes, bounds, _FOLDS, _CLASSES, _SOUNDS, made)
    folded, letters, sound = map(text_of, codes_of_views)
    seen = []
    at = lettered = 0
    for text, (which, count, letters_count) in zip(texts, made.tolist(), strict=True):
        if which == NONE:
            seen.append(Views(text))
            continue
        start, at = at, at + count
        first, lettered = lettered, lettered + letters_count
        heard = sound[start:at] if which == BOTH else None
        seen.append(Views(text, folded[start:at], letters[first:lettered], heard))
    return seen


def _folds() -> Codes:
    entries: list[int] = []
    pieces: list[int] = []
    for fold in FULL_FOLDING.entries():
        if fold is None:
            entries.append(PIECE)
        elif len(fold) == 1:
            entries.append(ord(fold))
        else:
            entries.append(PIECE + CHARACTERS + len(pieces))
            pieces += (len(fold), *map(ord, fold))
    return np.array(entries + pieces, np.uint32)


def _classes() -> Classes:
    kinds = kinds_of_characters()
    classes = np.where(kinds == NO_LETTER, SEPARATOR, LETTER).astype(np.uint8)
    classes[[ord(one) for one in "\n_【】"]] = MARK
    classes[0x3400:0x4DC0] = classes[0x4E00:0xA000] = HAN
    classes[ord("a") : ord("z") + 1] = SMALL
    classes[ord("0") : ord("9") + 1] = DIGIT
    return classes


_FOLDS, _CLASSES = _folds(), _classes()
# Character for character, so that the code points of the whole are a table.
_SOUNDS, _ = joined([sound_of("".join(map(chr, range(len(_CLASSES)))))])
