"""Purge hours of records past retention, except rows kept by legal holds (R72)."""

import gzip
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase

import orjson

from gateway.runtime.record_archive import (
    HourFile,
    RecordArchive,
    hour_of,
    replacing,
    start_of,
)
from gateway.runtime.record_files import whole_lines
from gateway.runtime.record_filter import RecordPicker, RecordScope
from gateway.runtime.sealed_records import Record
from gateway.runtime.sealing import Sealer

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FilePurge:
    """The plan for one file: `goes` rows are deleted, `stays` rows are under a hold."""

    file: HourFile
    goes: int
    stays: int


def plan_purge(
    archive: RecordArchive,
    before: datetime,
    holds: Sequence[RecordScope],
    sealer: Sealer | None,
    told: Told,
) -> list[FilePurge]:
    """Return the files with all rows older than `before`, and how many rows of each would go.

    `told` gets the number of files read and of all. Raises OSError, EOFError or ValueError for a
    file that cannot be read: nothing is deleted then.
    """
    # A file may have the first row of the next hour: rows are filed by their tick.
    files = [file for file in archive.files() if file.hour < hour_of(before)]
    plans: list[FilePurge] = []
    keeper = _HoldFilter(holds, sealer)
    for number, file in enumerate(files, 1):
        stays = sum(1 for _ in keeper.kept(file))
        goes = sum(1 for _ in _lines(file)) - stays
        plans.append(FilePurge(file, goes, stays))
        told(number, len(files))
    return plans


def purge(
    archive: RecordArchive,
    plans: Sequence[FilePurge],
    holds: Sequence[RecordScope],
    sealer: Sealer | None,
) -> int:
    """Carry out a plan; return how many rows were deleted. The caller holds the directory's lock.

    A file with rows to keep is rewritten with only those. If the process is killed, the file has
    all its rows or those to keep. A file that a gateway still writes is left for the next run.
    """
    gone = 0
    keeper = _HoldFilter(holds, sealer)
    for plan in plans:
        file = archive.close(plan.file)
        if file is None:
            continue
        kept = keeper.kept(file)
        if not plan.stays:
            file.path.unlink()
        elif not plan.goes:
            deque(kept, maxlen=0)  # read it: outcomes in the next hour may belong to its requests
        else:
            with _rewriting(file) as out:
                out.writelines(
                    orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in kept
                )
        gone += plan.goes
    return gone


class _HoldFilter:
    """Applies the holds hour by hour, only to hours that a hold covers."""

    def __init__(self, holds: Sequence[RecordScope], sealer: Sealer | None) -> None:
        self._holds = holds
        # In doubt a record is kept: it can be deleted later, but not restored.
        self._picker = RecordPicker(holds, sealer, in_doubt=True)

    def kept(self, file: HourFile) -> Iterator[Record]:
        hour = start_of(file.hour), start_of(file.hour + 1)
        if any(hold.touches(*hour) for hold in self._holds):
            yield from self._picker.picked(map(orjson.loads, _lines(file)))


def _lines(file: HourFile) -> Iterator[bytes]:
    with gzip.open(file.path) if file.is_sealed else file.path.open("rb") as lines:
        yield from whole_lines(lines)


@contextmanager
def _rewriting(file: HourFile) -> Iterator[BufferedIOBase]:
    with replacing(file.path) as out:
        if not file.is_sealed:
            yield out
        else:
            with gzip.GzipFile("", "wb", fileobj=out, mtime=0) as packed:
                yield packed
