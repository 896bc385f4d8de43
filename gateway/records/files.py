"""Hourly JSON Lines files without partial lines; written by one thread."""

import contextlib
import errno
import fcntl
import gzip
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import orjson
import structlog

log = structlog.get_logger()

MAX_LINE_OCTETS = 4 << 20  # thirty times the sealed text of the largest PDU

_HOUR_S = 3600
_BLOCK_OCTETS = 65_536
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_ATTEMPTS = 10


class LineFile(Protocol):
    """An open file, compressed or not, that is read line by line with a size limit."""

    def readline(self, size: int, /) -> bytes:
        """Return the next octets, empty at the end."""


def read_records(path: Path) -> Iterator[dict[str, object]]:
    """Yield the records of one file; a last line without newline is left out.

    A ``.gz`` file is decompressed; sealed values in it stay sealed (see
    gateway.records.sealed_values). Raises ValueError for a line that is not JSON or does not
    end within MAX_LINE_OCTETS.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from records_of(file)


def records_of(file: LineFile) -> Iterator[dict[str, object]]:
    """Yield the records of an open file, as `read_records` does."""
    yield from map(orjson.loads, whole_lines(file))


def whole_lines(file: LineFile) -> Iterator[bytes]:
    """Yield the lines of a file with their newlines; a partial line at its end is left out.

    Raises ValueError for a line longer than MAX_LINE_OCTETS: a few compressed octets may
    decompress to a line that fills the memory.
    """
    while line := file.readline(MAX_LINE_OCTETS):
        if line.endswith(b"\n"):
            yield line
        elif len(line) == MAX_LINE_OCTETS:
            raise ValueError(f"a line does not end within {MAX_LINE_OCTETS} octets")


def prepare_directory(directory: Path) -> None:
    """Create `directory` for this user only; raise OSError if no file can be created there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = f"no directory for records at {directory}: {error.strerror}"
        raise OSError(error.errno, problem) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write records in {directory}")


class HourFiles:
    """Appends whole lines to ``cdr-YYYYMMDD-HH.jsonl`` (UTC), one file open at a time.

    Files have mode 0600, a created directory has 0700. What `append` kept survives the end of
    the process (it is not synced: a power failure may lose the last seconds). A partial line left
    by a full disk or a crash is cut off before the next append. One process for each directory.
    The open file has a shared lock: sealing and purging wait until it is closed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._hour: int | None = None
        self._fd = -1

    def path_of(self, hour: int) -> Path:
        """Return the file of `hour`, counted since 1970."""
        start = datetime.fromtimestamp(hour * _HOUR_S, UTC)
        return self._directory / f"cdr-{start:%Y%m%d-%H}.jsonl"

    def append(self, hour: int, lines: bytes) -> tuple[int, OSError | None]:
        """Append `lines`; return how many octets are kept, and the error that stopped the rest.

        Only whole lines are kept: the rest may be appended again without duplicates.
        """
        written = 0
        try:
            fd = self._opened(hour)
            while written < len(lines):
                written += os.write(fd, memoryview(lines)[written:])
        except OSError as error:
            self._abandon()
            return lines.rfind(b"\n", 0, written) + 1, error
        return written, None

    def close(self) -> None:
        """Close the open file, if any; the next append opens again."""
        if self._hour is not None:
            self._hour = None
            # All octets were written before, so an error here loses nothing.
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def _opened(self, hour: int) -> int:
        if self._hour == hour and os.fstat(self._fd).st_nlink:
            return self._fd
        # Another hour, or the file was deleted.
        self.close()
        prepare_directory(self._directory)
        path = self.path_of(hour)
        self._fd, self._hour = _open_locked(path), hour
        cut_octets = _cut_torn_line(self._fd)
        if cut_octets:
            log.warning("records.repaired", path=path, octets=cut_octets)
        return self._fd

    def _abandon(self) -> None:
        """Cut off a partial line now if possible; the next opening does so in any case."""
        if self._hour is not None:
            with contextlib.suppress(OSError):
                _cut_torn_line(self._fd)
        self.close()


def _open_locked(path: Path) -> int:
    """Open the file named `path` and lock it.

    Sealing locks a past hour for a moment and renames its file: a row that comes so late starts
    a new file.
    """
    for _ in range(_ATTEMPTS):
        fd = os.open(path, _FLAGS, 0o600)
        if _is_locked(fd, fcntl.LOCK_SH) and is_named(fd, path):
            return fd
        os.close(fd)
    raise BlockingIOError(errno.EAGAIN, "another process holds this hour's records")


def lock_alone(fd: int) -> bool:
    """Lock an open file for this process only; return False if another process has it."""
    return _is_locked(fd, fcntl.LOCK_EX)


def is_named(fd: int, path: Path) -> bool:
    """Tell whether the open file is still the one that `path` names."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _is_locked(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: only a shared lock is assumed to succeed
        return kind == fcntl.LOCK_SH
    return True


def _cut_torn_line(fd: int) -> int:
    """Truncate the file after its last newline; return the octets cut off."""
    size = os.fstat(fd).st_size
    end = size
    while end:
        start = max(0, end - _BLOCK_OCTETS)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        os.ftruncate(fd, end)
    return size - end
