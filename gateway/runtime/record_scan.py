"""The lines of records as they stand, block by block, for those that skip most of them.

Parsing a line costs as much as splitting fifty; who needs every record reads the archive.
"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from gateway.runtime.record_archive import RecordArchive
from gateway.runtime.record_files import MAX_LINE_OCTETS

_BLOCK_OCTETS = 1 << 20
_LOOKS = 5

Told = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class FileLines:
    """Whole lines of one file without their newlines; `first` is the number of the first."""

    path: Path
    first: int
    lines: list[bytes]


def scan_hour(archive: RecordArchive, hour: int, told: Told) -> Iterator[FileLines]:
    """Yield the lines of one hour in their order; half a line at the end is left out.

    `told` hears how many more octets on the disk are read for it. What is sealed meanwhile is read
    whole. Raises OSError, EOFError, zlib.error, or ValueError for what has no lines.
    """
    with ExitStack() as stack:
        for path, raw, is_packed in _opened(archive, hour, stack):
            # Two names of one file where it is not packed: only how far it is read matters.
            file = gzip.GzipFile(fileobj=raw) if is_packed else raw
            done = 0
            for lines in _blocks(path, file):
                told(raw.tell() - done)
                done = raw.tell()
                yield lines


def size_of(archive: RecordArchive, first_hour: int, last_hour: int) -> int:
    """Return how many octets on the disk the files of some hours take, about."""
    sizes = 0
    for file in archive.files():
        if first_hour <= file.hour <= last_hour:
            try:
                sizes += file.path.stat().st_size
            except OSError:  # sealed meanwhile, or what is wrong is said when it is read
                continue
    return sizes


def _opened(
    archive: RecordArchive, hour: int, stack: ExitStack
) -> list[tuple[Path, BufferedReader, bool]]:
    """Open all files of one hour before any is read: what is open can no longer vanish."""
    for look in range(_LOOKS):
        opened: list[tuple[Path, BufferedReader, bool]] = []
        try:
            for file in archive.files():
                if file.hour == hour:
                    if file.path.is_fifo():  # opening it would wait for a writer
                        raise ValueError(f"{file.path.name} is a pipe and no file")
                    raw = stack.enter_context(file.path.open("rb"))
                    opened.append((file.path, raw, file.is_sealed))
        except FileNotFoundError:
            stack.close()
            if look == _LOOKS - 1:
                raise
        else:
            return opened
    raise AssertionError  # the last look returns or raises


def _blocks(path: Path, file: BufferedReader | gzip.GzipFile) -> Iterator[FileLines]:
    first, rest = 1, b""
    while block := file.read(_BLOCK_OCTETS):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_LINE_OCTETS:
            raise ValueError(f"line {first + len(lines)} does not end")
        if lines:
            yield FileLines(path, first, lines)
            first += len(lines)
