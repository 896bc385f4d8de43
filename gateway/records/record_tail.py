"""Follows records as they are written: each line once, over restarts, closing and sealing.

Lines are numbered within their hour, over all its files. An open file becomes the next closed
part, and a sealed file has the lines of the closed one, so a line keeps its number.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BufferedReader
from typing import NamedTuple

from gateway.records.archive import HourFile, RecordArchive, blocks_of, words_of

# In these hours before the newest, rows that come late are still looked for.
KEPT_HOURS = 48


class TailPosition(NamedTuple):
    """What is read: all of the hours before `first`, and of some later hours so many lines."""

    first: int
    lines: dict[int, int]


@dataclass(frozen=True, slots=True)
class TailLines:
    """Lines of one hour; those before the index `new_from` were read by an earlier process."""

    hour: int
    lines: list[bytes]
    new_from: int


@dataclass(slots=True)
class _HourPlace:
    """What of an hour this process has read: of open files (by inode) octets and lines."""

    by_inode: dict[int, tuple[int, int]] = field(default_factory=dict)
    lines_of_part: dict[int, int] = field(default_factory=dict)  # of closed files
    signature: tuple[tuple[int, bool, int], ...] = ()


class RecordTail:
    """Reads what is new in a directory. Its methods block.

    Of the newest hours before `position` the lines are returned once more, as old: later ones
    refer to them.
    """

    def __init__(self, archive: RecordArchive, position: TailPosition) -> None:
        self.unread: dict[int, str] = {}
        self._archive = archive
        self._first = position.first
        self._done = dict(position.lines)
        self._places: dict[int, _HourPlace] = {}
        newest = max(position.lines, default=0)
        self._again = {newest - 1, newest} & position.lines.keys()

    def position(self) -> TailPosition:
        """Return what `read` has returned so far."""
        return TailPosition(self._first, dict(self._done))

    def read(self, latest: int) -> Iterator[TailLines]:
        """Yield what is new, hour after hour to the `latest`, until all that is there is read.

        A caller may stop at any lines; the next call goes on after them. What cannot be read is in
        `unread`, by hour, and is tried again when its files change. An hour after `latest` waits:
        a clock that was wrong once would end the hours before it.
        """
        files = [file for file in self._archive.files() if self._first <= file.hour <= latest]
        hours = sorted({file.hour for file in files})
        for hour in hours:
            place = self._places.setdefault(hour, _HourPlace())
            signature = tuple(_signature(file) for file in files if file.hour == hour)
            if signature != place.signature:
                yield from self._read_hour(hour, place, signature)
            if hour < hours[-1] - KEPT_HOURS:
                self._first = hour + 1
                self._done.pop(hour, None)
                self._places.pop(hour, None)

    def _read_hour(
        self, hour: int, place: _HourPlace, signature: tuple[tuple[int, bool, int], ...]
    ) -> Iterator[TailLines]:
        is_opened = False
        try:
            with ExitStack() as stack:
                files, is_opened = self._archive.opened(hour, stack), True
                first = 0  # line of the file
                for file, raw in files:
                    if file.part not in place.lines_of_part:
                        yield from self._read_file(file, raw, first)
                    inode, known = _inode(raw), place.lines_of_part
                    first += known[file.part] if file.part in known else place.by_inode[inode][1]
        except (OSError, EOFError, zlib.error, ValueError) as error:
            self.unread[hour] = words_of(error)
        if is_opened:  # and read to its end, or to what is met again when files change
            place.signature = signature

    def _read_file(self, file: HourFile, raw: BufferedReader, first: int) -> Iterator[TailLines]:
        place, inode = self._places[file.hour], _inode(raw)
        if file.is_sealed:
            place.by_inode.clear()  # its open file is gone, and a new one may have the inode
        octets, count = place.by_inode.get(inode, (0, 0))
        raw.seek(octets)
        place.by_inode[inode] = octets, count
        for block in blocks_of(file.path, gzip.GzipFile(fileobj=raw) if file.is_sealed else raw):
            lines, line = block.lines, first + count
            octets += sum(map(len, lines)) + len(lines)
            count += len(lines)
            place.by_inode[inode] = octets, count
            done = self._done.get(file.hour, 0)
            self._done[file.hour] = max(done, line + len(lines))
            new_from = min(max(0, done - line), len(lines))
            if new_from < len(lines) or file.hour in self._again:
                yield TailLines(file.hour, lines, new_from)
        if not file.is_open:
            place.lines_of_part[file.part] = count
            del place.by_inode[inode]


def _inode(raw: BufferedReader) -> int:
    return os.fstat(raw.fileno()).st_ino


def _signature(file: HourFile) -> tuple[int, bool, int]:
    try:
        size = file.path.stat().st_size
    except OSError:  # it is being sealed
        size = -1
    return file.part, file.is_sealed, size
