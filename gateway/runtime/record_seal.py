"""Seal closed hours: crash-safe, one file after the other, while the gateway runs."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from gateway.runtime.record_archive import HourFile, RecordArchive, replacing
from gateway.runtime.record_files import MAX_LINE_OCTETS
from gateway.runtime.sealed_records import sealed
from gateway.runtime.sealing import Sealer

# After a clock was set back, or a disk error, rows of the hour before may still come.
GRACE_HOURS = 1
_LEVEL = 6
_PIECE_OCTETS = MAX_LINE_OCTETS // 4  # a sealed line is up to 8/3 as long and must be readable
_TOLD_OCTETS = 1024 * 1024

Told = Callable[[int], None]


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


def seal_closed(archive: RecordArchive, sealer: Sealer, hour: int, told: Told) -> SealResult:
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


def _seal(file: HourFile, sealer: Sealer, told: Told) -> int:
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


def _records(file: HourFile, told: Told) -> Iterator[dict[str, object]]:
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
