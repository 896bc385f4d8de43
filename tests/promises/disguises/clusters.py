"""A word in the pieces that are drawn in one place each."""

import unicodedata
from collections.abc import Sequence

_VIRAMA = "\u094d"
_HALF_WIDTH_MARKS = "\uff9e\uff9f"


def clusters_of(text: str) -> list[str]:
    """Return the clusters of `text`: a letter and its marks, and what a virama binds to it."""
    made: list[str] = []
    for one in text:
        is_mark = unicodedata.category(one).startswith("M") or one in _HALF_WIDTH_MARKS
        if made and (is_mark or made[-1].endswith(_VIRAMA)):
            made[-1] += one
        else:
            made.append(one)
    return made


def composed_of(clusters: Sequence[str], after: str) -> str:
    """Return the clusters with `after` behind each that is no space."""
    return "".join(one if one.isspace() else one + after for one in clusters)
