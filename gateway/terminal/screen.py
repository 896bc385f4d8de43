"""What commands print and write: tables, JSON, warnings, progress, private files."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

import orjson
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gateway.domain.categories import category_of, harm_of
from gateway.domain.msisdn import is_mobile, masked
from gateway.terminal.failure import CommandError, misused

# Han may be folded anywhere, but for one that leads a number (粤B2-20200001); what is longer
# than an id of a message is folded too.
_LED = r"[^\x00-\x7f]?[!-~]+"
_WORD = re.compile(_LED)
_WORD_OR_TIME = re.compile(
    rf"[0-9]{{4}}(?:-[0-9]{{2}}){{2}} [0-9]{{2}}(?::[0-9]{{2}}){{1,2}}|{_LED}"
)
_MAX_WHOLE = 19
_NARROWEST = 2  # of one Han character
# Tables in a pipe or a file are not folded to the 80 columns of a terminal that is not there.
_PIPE_COLUMNS = 200


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


def console(stream: TextIO | None = None) -> Console:
    """Return a console for `stream`, by default the standard output, that takes text literally."""
    stream = stream or sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def visible(text: str) -> str:
    r"""Return `text` with what cannot be seen written out, as ``\u200b``.

    Senders choose texts and names: escape sequences must not steer a terminal, and a
    reviewer should see the invisible characters by which words are hidden.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def shown_fields(record: object, names: str, **instead: object) -> dict[str, object]:
    """Return fields of `record` for programs, in the order of `names`; times to the second.

    What is given `instead` stands in the place of a field, or behind them all.
    """
    order = dict.fromkeys((*names.split(), *instead))
    fields = ((name, instead[name] if name in instead else getattr(record, name)) for name in order)
    return {
        name: one.isoformat(timespec="seconds") if isinstance(one, datetime) else one
        for name, one in fields
    }


def print_json(value: object) -> None:
    """Print one value as indented JSON, in characters that a terminal can show."""
    _print_shown(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_json_line(value: object) -> None:
    """Print one value as one line of JSON."""
    _print_shown(orjson.dumps(value).decode())


def _print_shown(text: str) -> None:
    # Outside of its strings JSON has no other characters than printable ones and newlines.
    lines = (
        line if line.isprintable() else "".join(map(_shown, line)) for line in text.split("\n")
    )
    sys.stdout.write("\n".join(lines) + "\n")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Sequence[str]]], *, title: str = ""
) -> None:
    """Print rows of plain text under `columns`; a cell that is no str has several lines."""
    cells = [[_lines([cell] if isinstance(cell, str) else cell) for cell in row] for row in rows]
    words = [columns, *([cell.plain for cell in row] for row in cells)]
    room, count = console().width, len(columns)
    table = Table(title=title or None, title_justify="left", header_style="bold")
    # Without a frame there may be room for numbers and times to stay whole.
    rooms = {True: room - 3 * count - 1, False: room - 2 * count + 2}
    fits = (
        (is_framed, fitted(words, rooms[is_framed], keeps_times=keeps_times))
        for keeps_times in (True, False)
        for is_framed in (True, False)
    )
    is_framed, widths = next((one for one in fits if one[1] is not None), (False, None))
    if not is_framed:
        table.box, table.show_edge, table.pad_edge = SIMPLE_HEAD, False, False
        table.padding = (0, 1, 0, 0)
    for place, column in enumerate(columns):
        width = None if widths is None else widths[place]
        table.add_column(column, width=width, overflow="fold")
    for row in cells:
        table.add_row(*row)
    console().print(table)


def print_listed(
    shown: object,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Sequence[str]]],
    nothing: str,
    *,
    as_json: bool,
    title: str = "",
) -> None:
    """Print `shown` for programs; for people a table of `rows`, or `nothing` without any."""
    if as_json:
        print_json(shown)
    elif listed := list(rows):
        print_table(columns, listed, title=title)
    else:
        say(nothing)


def print_result(shown: object, line: str, *, as_json: bool) -> None:
    """Print what a command has done: `shown` for programs, `line` for people."""
    if as_json:
        print_json(shown)
    else:
        say(line)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, _lines(value.split("\n")))
    console().print(table)


def say(line: str, *, style: str = "") -> None:
    """Print one line for people."""
    console().print(Text(visible(line), style=style), soft_wrap=True)


def warn(line: str, lang: str = "en") -> None:
    """Say on the standard error what may be overlooked otherwise."""
    head = "警告：" if lang == "zh" else "warning: "
    console(sys.stderr).print(Text(f"{head}{visible(line)}", style="bold yellow"), soft_wrap=True)


def _lines(lines: Iterable[str]) -> Text:
    return Text("\n".join(map(visible, lines)))


def _shown(char: str) -> str:
    # JSON's escapes are plain ones too, with surrogate pairs past U+FFFF.
    return char if char.isprintable() else json.dumps(char)[1:-1]


def counted(count: int, noun: str) -> str:
    """Return `count` with its noun: 1 notice, 2 notices."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def progress_bar() -> Progress:
    """Return a progress bar on the standard error, or one that shows nothing without a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console(sys.stderr),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


_PRIVATE = 0o600
_LOOKED_AT = 1 << 20
# A mobile number as exports write it, and no piece of an id or a digest.
_WHOLE = re.compile(rb"(?<![0-9a-f])(?:\+|00)?(?:86)?1[3-9][0-9]{9}(?![0-9a-f])")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def private_file(path: Path, *, is_whole: bool = True) -> Iterator[TextIO]:
    """Give a text file to write, mode 0600, that takes the name `path` at the end.

    What `path` held until then stays when something fails. Raises CommandError: where it cannot
    be written, and where what is written `is_whole` in no number and would take the place of what
    is: a list that somebody gave a reason for is not to be had again from a masked one.
    """
    if not is_whole and _holds_numbers(path):
        raise misused(
            f"{visible(str(path))} holds whole numbers, and masked ones would take their place",
            "name another file, or remove that one first",
        )
    unfinished = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(unfinished, _FLAGS, _PRIVATE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                os.fchmod(descriptor, _PRIVATE)
                yield file
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error


def _holds_numbers(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _WHOLE.search(file.read(_LOOKED_AT)) is not None


def masked_source(source: str) -> str:
    """Return a source address; a personal number is masked, a port is not."""
    is_person = is_mobile(source.encode("latin-1", "replace"))
    return masked(source.removeprefix("+")) if is_person else source


def severity_of(category: str) -> str:
    """Return the harm (危害程度) of a category, "" of one that is not of the tree."""
    return "" if category_of(category) is None else harm_of(category)


def told_category(category: str) -> str:
    """Return a category with its severity, as ``fraud_prize (fraud)``; other words unchanged."""
    severity = severity_of(category)
    return f"{category} ({severity})" if severity else category
