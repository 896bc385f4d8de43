"""Copies of records beside a backup: each hour once, with a list of digests."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from gateway.cli.backups.archive import copied, private_file, sync_directory
from gateway.records.archive import ArchiveBusyError, HourFile, RecordArchive, hour_of, replacing
from gateway.records.upkeep import GRACE_HOURS
from gateway.terminal.failure import CommandError, misused
from gateway.terminal.screen import visible

LIST = "records.sha256"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_MODE = 0o700
_LISTED_EVERY = 32  # files

Told = Callable[[int], object]
"""Gets the number of octets done since its last call."""


@dataclass(frozen=True, slots=True)
class RecordCopies:
    """What one run did: files copied, files that were there, files left for the next run.

    `waiting` are files that are not sealed yet; `gone` are copies of what is in the records no
    more: purged, or lost.
    """

    copied: int
    kept: int
    waiting: int
    gone: int


@dataclass(frozen=True, slots=True)
class RestoredRecords:
    """What came back: files written, files that were there, and names of those that differ."""

    written: int = 0
    kept: int = 0
    damaged: list[str] = field(default_factory=list)


def copy_records(
    archive: RecordArchive, place: Path, now: datetime, told: Told, *, sealed_only: bool
) -> RecordCopies:
    """Copy the hours that are over into the directory `place`, each once.

    A file that is there with the same size and time is left alone, so that this may be killed and
    called again. With `sealed_only` what is not sealed yet waits for the next time. `LIST` in
    `place` has the digests, as sha256sum reads them. Raises CommandError.
    """
    over = [file for file in archive.files() if file.hour < hour_of(now) - GRACE_HOURS]
    try:
        place.mkdir(mode=_MODE, parents=True, exist_ok=True)
        with RecordArchive(place).alone():
            return _copied_into(place, over, told, sealed_only=sealed_only)
    except ArchiveBusyError as error:
        raise CommandError("another backup copies records to the same place") from error
    except OSError as error:
        raise CommandError(f"the records are not copied: {error.strerror or error}") from error


def require_apart(place: Path, records: Path) -> None:
    """Raise CommandError for copies of records that would be among the records themselves."""
    here, there = place.resolve(), records.resolve()
    is_within = here.is_relative_to(there)
    with suppress(OSError):  # one directory may be mounted twice
        is_within |= any(one.samefile(there) for one in (here, *here.parents) if one.exists())
    if is_within:
        raise misused(
            f"copies of records are not kept at {visible(str(place))}: the records are there",
            "name a directory on another disk",
        )


def _copied_into(
    place: Path, over: list[HourFile], told: Told, *, sealed_only: bool
) -> RecordCopies:
    listed, new, kept = _listed(place), 0, 0
    for name in [name for name in listed if not (place / name).exists()]:
        del listed[name]
    meant = [file for file in over if file.is_sealed or not sealed_only]
    try:
        _close_copies(place, over, listed)
        for file in meant:
            name = file.path.name
            if name in listed and _is_same(file.path, place / name):
                kept += 1
                continue
            with suppress(FileNotFoundError):  # sealed or purged meanwhile
                listed[name] = _copy(file.path, place, told, partial(_drop, place, [name], listed))
                new += 1
            if new % _LISTED_EVERY == 0:
                _write_list(place, listed)
        # Of a part that was copied before it was sealed no open copy stays.
        sealed = {(file.hour, file.part) for file in meant if file.is_sealed}
        copies = RecordArchive(place).every_file()
        old = [one for one in copies if not one.is_sealed and (one.hour, one.part) in sealed]
        _drop(place, [one.path.name for one in old], listed)
        for one in old:
            one.path.unlink()
    finally:
        _write_list(place, listed)
    names = {file.path.name for file in over}
    return RecordCopies(new, kept, len(over) - len(meant), len(listed.keys() - names))


def _close_copies(place: Path, over: list[HourFile], listed: dict[str, str]) -> None:
    """Give open copies the names of the parts that their files became since."""
    copies = list(RecordArchive(place).every_file())
    closed = _closed_since(copies, over)
    paths = {
        one.path: one.path.with_suffix(f".{closed[one.hour]}.jsonl")
        for one in copies
        if one.is_open and one.hour in closed
    }
    digests = {new.name: listed.get(old.name) for old, new in paths.items()}
    _drop(place, [old.name for old in paths], listed)
    for old, new in paths.items():
        old.rename(new)
    listed.update({name: digest for name, digest in digests.items() if digest is not None})


def _closed_since(some: Iterable[HourFile], others: Iterable[HourFile]) -> dict[int, int]:
    """Return by hour which part `others` have of what `some` have as an open file."""
    theirs = {(file.hour, file.part) for file in others}
    mine = {(file.hour, file.part): file.is_open for file in some}
    opened = {place[0] for place, is_open in mine.items() if is_open and place not in theirs}
    # A file becomes the first part that there is not yet.
    new = sorted(theirs - mine.keys(), reverse=True)
    return {hour: part for hour, part in new if hour in opened}


def restore_records(place: Path, archive: RecordArchive | None, told: Told) -> RestoredRecords:
    """Write the copies in `place` into the records where they are missing; None: only compare.

    Each is compared with its digest before it takes its name; one that differs is named and left
    out. Nothing that is there is replaced. Raises CommandError where there are no copies.
    """
    listed = _listed(place)
    if not listed:
        raise misused(f"there are no copies of records at {visible(str(place))}")
    copies = {file.path.name: file for file in RecordArchive(place).every_file()}
    there = [] if archive is None else archive.files()
    names = {file.path.name for file in there}
    written, kept, damaged = 0, 0, list[str]()
    try:
        parts = {_part_of(file, _closed_counterparts(there, copies.values())) for file in there}
        closed = _closed_counterparts(copies.values(), there, or_sealed=True)
        if archive is not None:
            archive.directory.mkdir(mode=_MODE, parents=True, exist_ok=True)
        # Sealed ones first: an open copy may be beside them.
        for name, digest in sorted(listed.items(), key=lambda one: not one[0].endswith(".gz")):
            file = copies.get(name)
            if name in names or (file is not None and _part_of(file, closed) in parts):
                kept += 1
            elif file is None or not _restored(file.path, digest, archive, told):
                damaged.append(name)
            elif archive is not None:
                parts.add(_part_of(file, closed))
                written += 1
    except OSError as error:
        raise CommandError(f"the records are not restored: {error.strerror or error}") from error
    return RestoredRecords(written, kept, damaged)


def _closed_counterparts(
    some: Iterable[HourFile], others: Iterable[HourFile], *, or_sealed: bool = False
) -> dict[int, int]:
    """Return what `_closed_since` does, of those that have rows in common.

    An open file of its own may hold rows that came late, beside a part that it never was. Rows of
    a sealed part are not looked at: it counts with `or_sealed`.
    """
    opened = {one.hour: one for one in some if one.is_open}
    found = dict[int, int]()
    for hour, part in _closed_since(opened.values(), others).items():
        same = [one for one in others if (one.hour, one.part) == (hour, part)]
        if (or_sealed and any(one.is_sealed for one in same)) or any(
            _have_a_row_in_common(opened[hour].path, one.path) for one in same if not one.is_sealed
        ):
            found[hour] = part
    return found


def _have_a_row_in_common(one: Path, other: Path) -> bool:
    """Tell whether the first row of either file is in the other; a purge leaves some of them."""
    with one.open("rb") as some, other.open("rb") as others:
        first, its_first = some.readline(), others.readline()
        some.seek(0)
        others.seek(0)
        return bool(first and its_first) and (first in others or its_first in some)


def _part_of(file: HourFile, closed: Mapping[int, int]) -> tuple[int, int]:
    return file.hour, closed.get(file.hour, file.part) if file.is_open else file.part


def _restored(source: Path, digest: str, archive: RecordArchive | None, told: Told) -> bool:
    """Tell whether a copy is what was copied; it is in the archive then."""
    if archive is None:
        with source.open("rb") as reading:
            return copied(reading, None, told)[1] == digest
    return _copy(source, archive.directory, told, bool, digest) == digest


def _copy(
    source: Path, directory: Path, told: Told, ready: Callable[[], object], wanted: str = ""
) -> str:
    """Copy a file with its time, for its owner alone, unless its digest is not as `wanted`.

    Calls `ready` before the copy takes its name. Returns the digest.
    """
    # Housekeeping removes what a copy that was killed leaves in the records.
    draft = directory / f".{source.name}.part"
    draft.unlink(missing_ok=True)
    with source.open("rb") as reading, private_file(draft) as writing:
        _, digest = copied(reading, writing, told)
        at = os.fstat(reading.fileno()).st_mtime_ns
    os.utime(draft, ns=(at, at))
    if wanted in {"", digest}:
        ready()
        draft.rename(directory / source.name)
        sync_directory(directory)
    else:
        draft.unlink()
    return digest


def _is_same(source: Path, copy: Path) -> bool:
    try:
        one, other = source.stat(), copy.stat()
    except FileNotFoundError:
        return False
    # Some file systems keep less of a time than its nanoseconds.
    return (one.st_size, int(one.st_mtime)) == (other.st_size, int(other.st_mtime))


def _listed(place: Path) -> dict[str, str]:
    try:
        lines = (place / LIST).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found = map(_LINE.fullmatch, lines)
    return {one[2]: one[1] for one in found if one is not None}


def _drop(place: Path, names: Iterable[str], listed: dict[str, str]) -> None:
    """Take files off the list that are about to change, so that none is under another's digest."""
    dropped = [listed.pop(name) for name in names if name in listed]
    if dropped:
        _write_list(place, listed)


def _write_list(place: Path, listed: Mapping[str, str]) -> None:
    with replacing(place / LIST) as file:
        file.writelines(_lines(listed))


def _lines(listed: Mapping[str, str]) -> Iterator[bytes]:
    for name, digest in sorted(listed.items()):
        yield f"{digest}  {name}\n".encode()
