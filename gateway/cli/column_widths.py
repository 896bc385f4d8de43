"""How wide the columns of a table are, so that numbers, times and ids stay whole."""

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

# Han may be folded anywhere, but for one that leads a number (粤B2-20200001); what is longer
# than an id of a message is folded too.
_LED = r"[^\x00-\x7f]?[!-~]+"
_WORD = re.compile(_LED)
_WORD_OR_TIME = re.compile(
    rf"[0-9]{{4}}(?:-[0-9]{{2}}){{2}} [0-9]{{2}}(?::[0-9]{{2}}){{1,2}}|{_LED}"
)
_MAX_WHOLE = 19
_NARROWEST = 2  # of one Han character


def fitted(
    rows: Iterable[Sequence[str]], room: int, *, keeps_times: bool = False
) -> list[int] | None:
    """Return a width for each column, `room` at most in all; None where the words do not fit.

    Columns get what their longest word takes, and what is left goes to those that want more.
    With `keeps_times` a date and the time behind it are one word.
    """
    wanted, widths = _measured(rows, _WORD_OR_TIME if keeps_times else _WORD)
    left = room - sum(widths)
    if left < 0:
        return None
    while left and (short := [at for at, width in enumerate(widths) if width < wanted[at]]):
        # To the narrowest first, so that they end up alike.
        narrowest = min(short, key=widths.__getitem__)
        widths[narrowest] += 1
        left -= 1
    return widths


def _measured(rows: Iterable[Sequence[str]], word: re.Pattern[str]) -> tuple[list[int], list[int]]:
    """Return how wide each column's longest line is, and its longest word."""
    lines: list[int] = []
    words: list[int] = []
    for row in rows:
        lines = lines or [_NARROWEST] * len(row)
        words = words or [_NARROWEST] * len(row)
        for at, cell in enumerate(row):
            lines[at] = max(lines[at], *map(cell_len, cell.split("\n")))
            longest = max(map(cell_len, word.findall(cell)), default=_NARROWEST)
            words[at] = max(words[at], min(longest, _MAX_WHOLE))
    return lines, words
