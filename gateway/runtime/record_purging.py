"""Purging of hours that are past keeping, but for what legal holds keep (R72)."""

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
from gateway.runtime.record_picking import RecordPicker, RecordScope
from gateway.runtime.sealed_records import Record
from gateway.runtime.sealing import Sealer

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FilePurge:
    """What is to become of one file: `goes` rows go, `stays` rows are under hold."""

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
    """Return the files whose last row is older than `before`, and what would go of each.

    `told` hears how many of how many files are looked through. Raises OSError, EOFError or
    ValueError for a file that cannot be read: what cannot be told apart is not deleted.
    """
    # The next hour's first row may be in it: rows are filed by their tick.
    files = [file for file in archive.files() if file.hour < hour_of(before)]
    plans: list[FilePurge] = []
    keeper = _Keeper(holds, sealer)
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
    """Carry out a plan and return how many rows went; the caller holds the directory's lock.

    A file of which rows stay is written anew with only those; killed at any moment it has
    all its rows or those that stay. What a gateway still writes stays for another day.
    """
    gone = 0
    keeper = _Keeper(holds, sealer)
    for plan in plans:
        file = archive.close(plan.file)
        if file is None:
            continue
        kept = keeper.kept(file)
        if not plan.stays:
            file.path.unlink()
        elif not plan.goes:
            deque(kept, maxlen=0)  # what comes in the next hour may belong to it
        else:
            with _rewriting(file) as out:
                out.writelines(
                    orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in kept
                )
        gone += plan.goes
    return gone


class _Keeper:
    """Asks the holds hour by hour, and only for hours that any of them is about."""

    def __init__(self, holds: Sequence[RecordScope], sealer: Sealer | None) -> None:
        self._holds = holds
        # In doubt a record stays: it can go another day, but not come back.
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
