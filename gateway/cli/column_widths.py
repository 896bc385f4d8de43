"""How wide the columns of a table are, so that numbers, times and ids stay whole."""

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

# Han may be folded anywhere; what is longer than an id of a message is folded too.
_WORD = re.compile("[!-~]+")
_MAX_WHOLE = 19
_NARROWEST = 2  # of one Han character


def fitted(rows: Iterable[Sequence[str]], room: int) -> list[int] | None:
    """Return a width for each column, `room` at most in all; None where the words do not fit.

    Columns get what their longest word takes, and what is left goes to those that want more.
    """
    wanted, widths = _measured(rows)
    left = room - sum(widths)
    if left < 0:
        return None
    while left and (short := [at for at, width in enumerate(widths) if width < wanted[at]]):
        # To the narrowest first, so that they end up alike.
        narrowest = min(short, key=widths.__getitem__)
        widths[narrowest] += 1
        left -= 1
    return widths


def _measured(rows: Iterable[Sequence[str]]) -> tuple[list[int], list[int]]:
    """Return how wide each column's longest line is, and its longest word."""
    lines: list[int] = []
    words: list[int] = []
    for row in rows:
        lines = lines or [_NARROWEST] * len(row)
        words = words or [_NARROWEST] * len(row)
        for at, cell in enumerate(row):
            lines[at] = max(lines[at], *map(cell_len, cell.split("\n")))
            longest = max(map(len, _WORD.findall(cell)), default=_NARROWEST)
            words[at] = max(words[at], min(longest, _MAX_WHOLE))
    return lines, words
