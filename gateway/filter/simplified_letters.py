"""Traditional characters as simplified ones, and letters as the Latin ones they look like."""

from gateway.filter.folding import FULL_FOLDING, SIMPLIFYING


def simplified(text: str) -> str:
    """Return the plain view of `text` with traditional characters simplified, one by one."""
    return SIMPLIFYING.fold(text)


def folded(text: str) -> str:
    """Return `text` simplified, and with Latin letters for those that look like them (R62).

    For searching only: what is written in Cyrillic comes out as no language, the same each
    time.
    """
    return FULL_FOLDING.fold(text)
