"""Call detail records: appended by the tick, formatted and written by one thread."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import NoReturn

import structlog

from gateway.domain.records import Row
from gateway.runtime.record_files import HourFiles
from gateway.runtime.record_lines import RecordLines

log = structlog.get_logger()

FLUSH_S = 0.1
FLUSH_ROWS = 4096  # the tick flushes early at this many

# Rows formatted between two writes. Formatting holds the interpreter lock, writing lets it
# go: about 0.3 ms, so that the loop never waits for the lock's own 5 ms.
_CHUNK_ROWS = 512
_GIVE_UP_S = 1.0


@dataclass(frozen=True, slots=True)
class RecordsHealth:
    """How the records stand, for metrics and readiness."""

    pending: int
    failing: bool
    written: int
    lost: int
    malformed: int
    failures: int


class Records:
    """Writes rows to hourly files under `directory` without ever blocking the loop.

    The hot path appends tuples to `rows`, which stays the same list for life, and asks
    `is_full` once a tick: when it is, messages are refused rather than passed unrecorded.
    `flush` is due every FLUSH_S and after FLUSH_ROWS.

    While the disk refuses, rows wait in memory and are tried again every `retry_s`. Past
    `maximum_rows` there is half as much room again, for the outcomes of messages already on
    their way; beyond that rows are dropped and counted in `lost`.

    All methods belong to the loop's thread.
    """

    def __init__(
        self, directory: Path, *, maximum_rows: int = 200_000, retry_s: float = 0.5
    ) -> None:
        self.rows: list[Row] = []
        self.lost = 0
        self._maximum_rows = maximum_rows
        self._handed = 0
        self._is_closed = False
        self._batches: SimpleQueue[list[Row] | None] = SimpleQueue()
        self._writer = _Writer(directory, self._batches, retry_s)
        self._thread: threading.Thread | None = None

    @property
    def failing(self) -> bool:
        """Tell whether the last attempt to write failed."""
        return self._writer.failing

    @property
    def is_full(self) -> bool:
        """Tell whether more rows wait than may."""
        return self.pending() > self._maximum_rows

    def pending(self) -> int:
        """Return how many rows are not on disk yet."""
        return len(self.rows) + self._handed - self._writer.written

    def health(self) -> RecordsHealth:
        """Return all counters at once."""
        writer = self._writer
        return RecordsHealth(
            pending=self.pending(),
            failing=writer.failing,
            written=writer.written,
            lost=self.lost,
            malformed=writer.lines.malformed,
            failures=writer.failures,
        )

    def flush(self) -> None:
        """Hand the rows gathered so far to the writer; costs a list copy."""
        if not self.rows:
            return
        room = self._maximum_rows * 3 // 2 - self._handed + self._writer.written
        batch = [] if self._is_closed else self.rows[: max(0, room)]
        self._note_lost(len(self.rows) - len(batch))
        self.rows.clear()
        if not batch:
            return
        if self._thread is None:
            # A daemon: a network disk that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._writer.run, name="records", daemon=True)
            self._thread.start()
        self._handed += len(batch)
        self._batches.put(batch)

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
        self, directory: Path, batches: SimpleQueue[list[Row] | None], retry_s: float
    ) -> None:
        self.lines = RecordLines()
        self.give_up = threading.Event()
        self.written = 0
        self.failures = 0
        self.failing = False
        self._files = HourFiles(directory)
        self._batches = batches
        self._retry_s = retry_s

    def run(self) -> None:
        """Write batches until None comes, or until told to give up."""
        try:
            while (batch := self._batches.get()) is not None:
                for start in range(0, len(batch), _CHUNK_ROWS):
                    if not self._store(batch[start : start + _CHUNK_ROWS]):
                        return
        except Exception as error:  # the thread's edge: rows pile up and is_full speaks
            self.failing = True
            log.exception("task.failed", task="records", exc_info=error)
        finally:
            self._files.close()

    def _store(self, rows: Sequence[Row]) -> bool:
        for hour, count, lines in self.lines.by_hour(rows):
            if not self._append(hour, lines):
                return False
            self.written += count
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
