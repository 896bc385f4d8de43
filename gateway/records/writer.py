"""Call detail records: appended and formatted by the tick, written to hourly files by a thread."""

import asyncio
import contextlib
import errno
import fcntl
import gzip
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BufferedReader
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NoReturn, TypeAlias

import orjson
import structlog

from gateway.domain.records import Row
from gateway.records.lines import RecordLines
from gateway.runtime.snapshot import RecordsHealth

log = structlog.get_logger()

# An open file, compressed or not, that is read line by line with a size limit.
LineFile: TypeAlias = BufferedReader | gzip.GzipFile

MAX_LINE_OCTETS = 4 << 20  # thirty times the sealed text of the largest PDU

_HOUR_S = 3600
_BLOCK_OCTETS = 65_536
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_ATTEMPTS = 10


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


log = structlog.get_logger()

FLUSH_S = 0.1
_RENDER_ROWS = 16  # fewer cost more to begin with than they gain by being warm
_FLUSH_ROWS = 4096
_GIVE_UP_S = 1.0
# A writer that has written nothing for so long does not write: waiting for it is no use.
_PATIENCE_S = 1.0
_IDLE_S = 60.0  # then the file is let go, so that its hour can be sealed although nothing comes

# Hours since 1970, number of rows, their lines.
Part = tuple[int, int, bytes]


class Records:
    """Writes rows to hourly files under `directory` without ever blocking the loop.

    The hot path appends tuples to `rows`, which stays the same list for life, calls
    `settle` at the end of each tick, and asks `is_behind` and `is_full` once a tick: messages
    wait for a writer that is behind, and when it is full they are refused rather than passed
    unrecorded. Rows become lines on the loop's thread, while
    they are warm: another thread would have to take the interpreter's lock from the loop for
    it, which cost three times the formatting. `flush` is due every FLUSH_S.

    While the disk refuses, rows wait in memory and are tried again every `retry_s`. Past
    `maximum_rows` there is half as much room again, for the outcomes of messages already on
    their way; beyond that rows are dropped and counted in `lost`. Texts make rows long:
    `maximum_octets` of lines are as full as `maximum_rows` of them. Past `max_octets_per_day` of
    one SP its texts are left out (see RecordLines).

    All methods belong to the loop's thread.
    """

    def __init__(
        self,
        directory: Path,
        *,
        maximum_rows: int = 200_000,
        maximum_octets: int = 256 * 1024 * 1024,
        retry_s: float = 0.5,
        max_octets_per_day: int | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.lost = 0
        self.lines = RecordLines(max_octets_per_day)
        self._parts: list[Part] = []
        self._rendered = 0
        self._maximum_rows = maximum_rows
        self._maximum_octets = maximum_octets
        self._octets = 0
        self._handed = 0
        self._is_closed = False
        self._progress = (0, float("-inf"))  # rows written, and when that was seen first
        self._batches: SimpleQueue[list[Part] | None] = SimpleQueue()
        self._writer = _Writer(directory, self._batches, retry_s)
        self._thread: threading.Thread | None = None

    @property
    def failing(self) -> bool:
        """Tell whether the last attempt to write failed."""
        return self._writer.failing

    @property
    def is_full(self) -> bool:
        """Tell whether more rows wait than may."""
        return (
            self.pending() > self._maximum_rows
            or self._octets - self._writer.written_octets > self._maximum_octets
        )

    def is_behind(self, now: float) -> bool:
        """Tell whether messages should wait for the writer, monotonic `now`.

        It has half of what may wait still to write, and goes on writing. While it writes nothing,
        messages go on until `is_full`: a disk that hangs is told to SPs, not waited for.
        """
        written = self._writer.written
        if written != self._progress[0]:
            self._progress = (written, now)
        return (
            self.pending() > self._maximum_rows // 2
            or self._octets - self._writer.written_octets > self._maximum_octets // 2
        ) and now - self._progress[1] < _PATIENCE_S

    def pending(self) -> int:
        """Return how many rows are not on disk yet."""
        return len(self.rows) + self._rendered + self._handed - self._writer.written

    def health(self) -> RecordsHealth:
        """Return all counters at once."""
        writer = self._writer
        return RecordsHealth(
            pending=self.pending(),
            failing=writer.failing,
            written=writer.written,
            lost=self.lost,
            malformed=self.lines.malformed,
            failures=writer.failures,
            texts_left_out=self.lines.texts_left_out,
        )

    def settle(self) -> None:
        """Turn the rows of a tick into lines, and hand over what has become much."""
        if len(self.rows) >= _RENDER_ROWS:
            self._render()
        if self._rendered >= _FLUSH_ROWS:
            self._hand_over()

    def flush(self) -> None:
        """Hand everything gathered so far to the writer."""
        self._render()
        self._hand_over()

    def _render(self) -> None:
        rows = self.rows
        room = self._maximum_rows * 3 // 2 - self.pending() + len(rows)
        kept = 0 if self._is_closed else max(0, min(room, len(rows)))
        self._note_lost(len(rows) - kept)
        for part in self.lines.by_hour(rows[:kept]):
            self._parts.append(part)
            self._octets += len(part[2])
        self._rendered += kept
        rows.clear()

    def _hand_over(self) -> None:
        if not self._parts:
            return
        if self._thread is None:
            # A daemon: a network disk that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._writer.run, name="records", daemon=True)
            self._thread.start()
        self._handed += self._rendered
        self._batches.put(self._parts)
        self._parts, self._rendered = [], 0

    async def flush_regularly(self, interval_s: float = FLUSH_S) -> NoReturn:
        """Flush every `interval_s`, until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            self.flush()

    def close(self, timeout_s: float) -> int:
        """Write everything within `timeout_s`; return how many rows could not be written.

        Blocks: call it after the loop or in a thread. Rows that come later are lost.
        """
        self.flush()
        self._is_closed = True
        if self._thread is not None:
            self._batches.put(None)
            self._thread.join(timeout_s)
            self._writer.give_up.set()
            self._thread.join(_GIVE_UP_S)
        return self.pending()

    def _note_lost(self, rows: int) -> None:
        if rows and not self.lost:
            log.error("records.lost", rows=rows)
        self.lost += rows


class _Writer:
    """The thread's side. Its counters are written here and read by the loop."""

    def __init__(
        self, directory: Path, batches: SimpleQueue[list[Part] | None], retry_s: float
    ) -> None:
        self.give_up = threading.Event()
        self.written = 0
        self.written_octets = 0
        self.failures = 0
        self.failing = False
        self._files = HourFiles(directory)
        self._batches = batches
        self._retry_s = retry_s

    def run(self) -> None:
        """Write batches until None comes, or until told to give up."""
        try:
            while (batch := self._next()) is not None:
                if not self._store(batch):
                    return
        except Exception as error:  # the thread's edge: rows pile up and is_full speaks
            self.failing = True
            log.exception("task.failed", task="records", exc_info=error)
        finally:
            self._files.close()

    def _next(self) -> list[Part] | None:
        try:
            return self._batches.get(timeout=_IDLE_S)
        except Empty:
            self._files.close()
            return self._batches.get()

    def _store(self, parts: list[Part]) -> bool:
        for hour, same in groupby(parts, key=itemgetter(0)):
            of_hour = list(same)
            lines = b"".join(lines for _, _, lines in of_hour)
            if not self._append(hour, lines):
                return False
            self.written_octets += len(lines)
            self.written += sum(count for _, count, _ in of_hour)
        return True

    def _append(self, hour: int, lines: bytes) -> bool:
        while True:
            kept, fault = self._files.append(hour, lines)
            if fault is None:
                self._note_success()
                return True
            self._note_failure(fault)
            lines = lines[kept:]
            if self.give_up.wait(self._retry_s):
                return False

    def _note_success(self) -> None:
        if self.failing:
            self.failing = False
            log.info("records.recovered", rows=self.written)

    def _note_failure(self, fault: OSError) -> None:
        self.failures += 1
        if not self.failing:
            self.failing = True
            log.error("records.failed", error=type(fault).__name__, said=str(fault))
