"""Hourly JSON Lines files that never end in half a line; written by one thread."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import structlog

log = structlog.get_logger()

_HOUR_S = 3600
_BLOCK_OCTETS = 65_536
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def read_records(path: Path) -> Iterator[dict[str, object]]:
    """Yield the records of one file; a last line still without its newline is left out.

    Raises orjson.JSONDecodeError (a ValueError) for a line that is no JSON.
    """
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


def prepare_directory(directory: Path) -> None:
    """Create `directory` for this user alone; raise OSError when no file can be made there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = f"no directory for records at {directory}: {error.strerror}"
        raise OSError(error.errno, problem) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write records in {directory}")


class HourFiles:
    """Appends whole lines to ``cdr-YYYYMMDD-HH.jsonl`` (UTC), one file open at a time.

    Files have mode 0600, a directory that is made has 0700. What `append` kept outlives the
    process (it is not synced: a power cut may take the last seconds). Half a line left by
    a full disk or by a crash is cut off before anything follows it. One process per directory.
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
        """Append `lines`; return how many octets are kept, and what stopped the rest.

        Kept are whole lines only: what was not may be given again, nothing comes twice.
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
            # Everything was handed to the system before; nothing is left to be done.
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def _opened(self, hour: int) -> int:
        if self._hour == hour and os.fstat(self._fd).st_nlink:
            return self._fd
        # Another hour, or somebody took the file away.
        self.close()
        prepare_directory(self._directory)
        path = self.path_of(hour)
        self._fd, self._hour = os.open(path, _FLAGS, 0o600), hour
        cut_octets = _cut_torn_line(self._fd)
        if cut_octets:
            log.warning("records.repaired", path=path, octets=cut_octets)
        return self._fd

    def _abandon(self) -> None:
        """Cut off the half line now if the disk lets us; opening again does so in any case."""
        if self._hour is not None:
            with contextlib.suppress(OSError):
                _cut_torn_line(self._fd)
        self.close()


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
