"""What commands print: tables for people, JSON for programs, warnings beside both."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.column_widths import fitted

# Tables in a pipe or a file are not folded to the 80 columns of a terminal that is not there.
_PIPE_COLUMNS = 200


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
