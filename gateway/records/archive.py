"""A directory of records by hour, with open, closed and sealed files; safe while files move.

cdr-20131104-09.jsonl        open: the gateway writes it
cdr-20131104-09.0.jsonl      closed: it is not written any more
cdr-20131104-09.jsonl.gz     sealed: it replaces the closed file of part 0
cdr-20131104-09.1.jsonl      rows that came after the hour was closed: a part of its own

Lines can also be read as they stand, block by block: parsing a line costs as much as splitting
fifty.
"""

import fcntl
import gzip
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader, BufferedWriter
from pathlib import Path

from gateway.records.writer import MAX_LINE_OCTETS, is_named, lock_alone, records_of

_HOUR_S = 3600
_NAME = re.compile(r"cdr-([0-9]{8}-[0-9]{2})(?:\.([0-9]{1,6}))?\.jsonl(\.gz)?")
_OPEN = 1_000_000  # sorts after every closed part
_LOOKS = 5


def words_of(error: Exception) -> str:
    """Return what is wrong without the number that the system has for it."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


class ArchiveBusyError(Exception):
    """Another process is sealing or purging the same directory."""


@dataclass(frozen=True, slots=True, order=True)
class HourFile:
    """One file of one hour (hours since 1970). Files sort in the order of their rows."""

    hour: int
    part: int
    is_sealed: bool
    path: Path

    @property
    def is_open(self) -> bool:
        """Tell whether the gateway may be writing it."""
        return self.part == _OPEN

    @property
    def sealed_path(self) -> Path:
        """Return its name after sealing."""
        number = f".{self.part}" if self.part else ""
        return self.path.with_name(f"cdr-{_stamp(self.hour)}{number}.jsonl.gz")


class RecordArchive:
    """The files in one directory. Safe to use while the gateway writes there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def files(self) -> list[HourFile]:
        """Return the files, oldest first; of a closed file and its sealed copy only the copy."""
        found = {(file.hour, file.part, file.is_sealed): file for file in self.every_file()}
        return sorted(
            file
            for file in found.values()
            if file.is_sealed or (file.hour, file.part, True) not in found
        )

    def superseded(self) -> list[Path]:
        """Return what a crash left: closed files with a complete sealed copy, and partial files.

        The caller must hold the directory's lock.
        """
        found = {(file.hour, file.part, file.is_sealed) for file in self.every_file()}
        closed = [
            file.path
            for file in self.every_file()
            if not file.is_sealed and (file.hour, file.part, True) in found
        ]
        return [*closed, *self.directory.glob(".cdr-*.part")]

    def hours(self) -> list[int]:
        """Return the hours (since 1970) that have records, oldest first."""
        return sorted({file.hour for file in self.every_file()})

    def read(self, hour: int) -> Iterator[dict[str, object]]:
        """Yield the records of one hour in order, even if its files are moved meanwhile.

        Raises OSError, EOFError or ValueError for files that are not records.
        """
        with ExitStack() as stack:
            for file, octets in self.opened(hour, stack):
                yield from records_of(gzip.GzipFile(fileobj=octets) if file.is_sealed else octets)

    def opened(self, hour: int, stack: ExitStack) -> list[tuple[HourFile, BufferedReader]]:
        """Open all files of one hour before any is read: an open file cannot disappear.

        Raises FileNotFoundError if files keep disappearing while they are opened, ValueError for
        a pipe.
        """
        for _ in range(_LOOKS - 1):
            try:
                return self._open(hour, stack)
            except FileNotFoundError:
                stack.close()
        return self._open(hour, stack)

    def close(self, file: HourFile) -> HourFile | None:
        """Close an open file to its writer by renaming it; None while the writer holds it."""
        if not file.is_open:
            return file
        fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if not lock_alone(fd) or not is_named(fd, file.path):
                return None
            taken = {one.part for one in self.every_file() if one.hour == file.hour}
            part = next(number for number in range(_OPEN) if number not in taken)
            path = file.path.with_name(f"cdr-{_stamp(file.hour)}.{part}.jsonl")
            file.path.rename(path)
        finally:
            os.close(fd)
        sync(self.directory)
        return HourFile(file.hour, part, is_sealed=False, path=path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the directory's lock. Raises ArchiveBusyError if another process has it."""
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArchiveBusyError(f"{self.directory} is being worked on") from error
            yield
        finally:
            os.close(fd)

    def every_file(self) -> Iterator[HourFile]:
        """Yield all files in no order, also a closed one beside its sealed copy."""
        for path in self.directory.iterdir() if self.directory.is_dir() else ():
            named = _NAME.fullmatch(path.name)
            hour = None if named is None else _hour_of(named[1])
            if named is not None and hour is not None:
                is_sealed = named[3] is not None
                part = _OPEN if not is_sealed else 0
                yield HourFile(hour, int(named[2] or part), is_sealed, path)

    def _open(self, hour: int, stack: ExitStack) -> list[tuple[HourFile, BufferedReader]]:
        found = [file for file in self.files() if file.hour == hour]
        for file in found:
            if file.path.is_fifo():  # opening it would wait for a writer
                raise ValueError(f"{file.path.name} is a pipe and no file")
        return [(file, stack.enter_context(file.path.open("rb"))) for file in found]


def start_of(hour: int) -> datetime:
    """Return the start of an hour (since 1970)."""
    return datetime.fromtimestamp(hour * _HOUR_S, UTC)


def hour_of(moment: datetime) -> int:
    """Return the hour (since 1970) of a moment."""
    return int(moment.timestamp() // _HOUR_S)


@contextmanager
def replacing(path: Path) -> Iterator[BufferedWriter]:
    """Yield a file to write, mode 0600; it is renamed to `path` once it is on the disk.

    If the process is killed at any moment, `path` names the old file or the complete new one.
    """
    half = path.with_name(f".{path.name}.part")
    fd = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(directory: Path) -> None:
    """Sync the file names in `directory` to the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _stamp(hour: int) -> str:
    return f"{start_of(hour):%Y%m%d-%H}"


def _hour_of(stamp: str) -> int | None:
    try:
        return hour_of(datetime.strptime(stamp, "%Y%m%d-%H").replace(tzinfo=UTC))
    except ValueError:
        return None


_BLOCK_OCTETS = 1 << 20

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
        for file, raw in archive.opened(hour, stack):
            # Two names of one file where it is not packed: only how far it is read matters.
            octets = gzip.GzipFile(fileobj=raw) if file.is_sealed else raw
            done = 0
            for lines in blocks_of(file.path, octets):
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


def blocks_of(path: Path, file: BufferedReader | gzip.GzipFile) -> Iterator[FileLines]:
    """Yield the lines of a file from where it stands; half a line at the end is left out.

    Raises ValueError for what has no lines.
    """
    first, rest = 1, b""
    while block := file.read(_BLOCK_OCTETS):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_LINE_OCTETS:
            raise ValueError(f"line {first + len(lines)} does not end")
        if lines:
            yield FileLines(path, first, lines)
            first += len(lines)
