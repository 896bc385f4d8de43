"""Lists as files, plain or gzip: their lines, bounded, and how far they are read."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Protocol

from gateway.systems.consent.answer_lines import MAX_LINE_OCTETS

_GZIP = b"\x1f\x8b"
_BUFFER_OCTETS = 1 << 20
_LINES_PER_REPORT = 20_000


class _ListLines(Protocol):
    def readline(self, size: int, /) -> bytes: ...


def numbered_lines(path: Path, on_read: Callable[[int], object]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that hold anything, counted from 1.

    A line longer than MAX_LINE_OCTETS is cut just behind them. `on_read` hears from time to
    time how many octets of the file are read. Raises OSError, also for a broken gzip file,
    EOFError and zlib.error.
    """
    with ExitStack() as stack:
        raw = BufferedReader(stack.enter_context(FileIO(path)), _BUFFER_OCTETS)
        lines: _ListLines = raw
        if raw.peek(len(_GZIP)).startswith(_GZIP):
            lines = stack.enter_context(gzip.GzipFile(fileobj=raw))
        number = 0
        while line := lines.readline(MAX_LINE_OCTETS + 1):
            number += 1
            if len(line) > MAX_LINE_OCTETS and not line.endswith(b"\n"):
                _skip_rest(lines)
            if number % _LINES_PER_REPORT == 0 and raw.seekable():
                on_read(raw.tell())
            if not line.isspace():
                yield number, line


def _skip_rest(lines: _ListLines) -> None:
    while (rest := lines.readline(_BUFFER_OCTETS)) and not rest.endswith(b"\n"):
        pass
