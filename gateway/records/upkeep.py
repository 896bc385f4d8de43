"""Upkeep of closed hours: sealing, and purge of what no legal hold keeps (R72, R73)."""

import gzip
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase

import orjson

from gateway.records.archive import HourFile, RecordArchive, hour_of, replacing, start_of
from gateway.records.sealed_values import Record, RecordPicker, RecordScope, sealed
from gateway.records.writer import MAX_LINE_OCTETS, whole_lines
from gateway.runtime.sealing import Sealer

# After a clock was set back, or a disk error, rows of the hour before may still come.
GRACE_HOURS = 1
_LEVEL = 6
_PIECE_OCTETS = MAX_LINE_OCTETS // 4  # a sealed line is up to 8/3 as long and must be readable
_TOLD_OCTETS = 1024 * 1024

OctetsTold = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SealResult:
    """The result of one run: files sealed, their rows, files that a writer still holds."""

    files: int
    rows: int
    busy: int


def due(archive: RecordArchive, hour: int) -> list[HourFile]:
    """Return the files to seal if `hour` (since 1970) is the current one."""
    return [
        file for file in archive.files() if not file.is_sealed and file.hour < hour - GRACE_HOURS
    ]


def seal_closed(archive: RecordArchive, sealer: Sealer, hour: int, told: OctetsTold) -> SealResult:
    """Seal every file that is due; `told` gets the number of octets done since its last call.

    If killed at any moment it may be called again: no row is lost or duplicated. Raises
    OSError, and ArchiveBusyError while another process works on the directory.
    """
    files = rows = busy = 0
    with archive.alone():
        for path in archive.superseded():
            path.unlink()
        for found in due(archive, hour):
            file = archive.close(found)
            if file is None:
                busy += 1
                continue
            rows += _seal(file, sealer, told)
            files += 1
    return SealResult(files, rows, busy)


def _seal(file: HourFile, sealer: Sealer, told: OctetsTold) -> int:
    rows = 0
    with (
        replacing(file.sealed_path) as out,
        gzip.GzipFile("", "wb", _LEVEL, out, mtime=0) as packed,
    ):
        for record in _records(file, told):
            line = orjson.dumps(sealed(record, sealer), option=orjson.OPT_APPEND_NEWLINE)
            packed.write(line)
            rows += 1
    file.path.unlink()
    return rows


def _records(file: HourFile, told: OctetsTold) -> Iterator[dict[str, object]]:
    octets = 0
    with file.path.open("rb") as lines:
        while line := lines.readline(_PIECE_OCTETS):
            octets += len(line)
            if octets >= _TOLD_OCTETS:
                told(octets)
                octets = 0
            # A partial line was left by a crash: its row was never complete, so it is skipped. An
            # endless line is not a record: its pieces are kept for people to examine.
            if line.endswith(b"\n") or len(line) == _PIECE_OCTETS:
                yield _record_of(line)
    told(octets)


def _record_of(line: bytes) -> dict[str, object]:
    """Return the record of a line; any other content is kept as a malformed record."""
    try:
        record = orjson.loads(line)
    except ValueError:
        record = None
    if isinstance(record, dict):
        return record
    return {"kind": "malformed", "row": line.removesuffix(b"\n").decode("latin-1")}


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
