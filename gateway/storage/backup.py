"""Copy a database file while others write to it, check a copy, and put one in its place."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from gateway.domain.records import JournalState
from gateway.runtime.clock import monotonic
from gateway.runtime.sealing import Keys
from gateway.storage.database import Database
from gateway.storage.dialect import dialect_at
from gateway.storage.dialects.sqlite import FilePlace
from gateway.storage.errors import StoreUnavailable
from gateway.storage.journals import SqlJournals
from gateway.storage.open import RESEALED_NOW, file_of, locked, open_database

# Gets the number of pages done and the total.
PagesTold = Callable[[int, int], None]

PAGES_PER_STEP = 256  # a mebibyte
_FLUSH_PAGES = 16 * PAGES_PER_STEP
_LONGEST_PAUSE_S = 0.1
_BUSY_S = 30.0
# Rows that a check reads may be many; no message waits for it.
_CHECK_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class StoreCopy:
    """What a copy of a database is: the key that it is sealed with ("" if open), its tables."""

    key_id: str
    revision: str


def backed_up_file(url: str) -> Path:
    """Return the file of the store at `url`: a backup has a copy of it.

    Raises StoreUnavailable for a store without one: its text says how that is backed up.
    """
    path = file_of(url)
    if path is None:
        raise StoreUnavailable(dialect_at(url).backed_up_by or "nothing of it is kept")
    return path


def copy_database(source: Path, target: Path, told: PagesTold) -> None:
    """Copy the database `source`, as it is at this moment, into the new file `target`.

    Others may read and write meanwhile: no lock is held that a writer waits for. The copy is
    made in steps of a mebibyte, each followed by a pause as long as the step took, and is
    written to the disk every 16 MiB, so that a commit of the gateway waits for little else.
    `target` needs no other file beside it. Raises StoreUnavailable.
    """
    place = FilePlace(source)
    share = locked(place.share, place, RESEALED_NOW)
    try:
        _copy(source, target, told)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the copy failed: {error}") from error
    finally:
        share.release()


def _copy(source: Path, target: Path, told: PagesTold) -> None:
    # Opened first and closed last: closing it would give back the locks of SQLite on the file.
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with (
            closing(sqlite3.connect(source, timeout=_BUSY_S, isolation_level=None)) as reading,
            closing(sqlite3.connect(target, isolation_level=None)) as copying,
        ):
            reading.execute("PRAGMA query_only=ON")
            # Every step reads within this one transaction. Without it each commit of another
            # process would let the copy begin again, and it would never end under load.
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            copying.execute("PRAGMA synchronous=OFF")
            reading.backup(
                copying, pages=PAGES_PER_STEP, progress=_CopyProgress(descriptor, told).step
            )
            reading.execute("ROLLBACK")
            copying.execute("PRAGMA journal_mode=DELETE")  # the log of changes is in the file now
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _CopyProgress:
    """Tells how far the copy is, lets it rest, and writes what it made to the disk bit by bit."""

    def __init__(self, descriptor: int, told: PagesTold) -> None:
        self._descriptor = descriptor
        self._told = told
        self._flushed = 0
        self._began = monotonic()

    def step(self, _status: int, left: int, total: int) -> None:
        done = total - left
        if done - self._flushed >= _FLUSH_PAGES:
            os.fdatasync(self._descriptor)
            self._flushed = done
        self._told(done, total)
        if left:
            sleep(min(monotonic() - self._began, _LONGEST_PAUSE_S))
        self._began = monotonic()


def checked_copy(path: Path) -> StoreCopy:
    """Return what the database file `path` is, which no process has open.

    Every page and index is read. Raises StoreUnavailable if anything is wrong with it.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA query_only=ON")
            (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if said != "ok":
                raise StoreUnavailable(f"its pages are damaged: {said}")
            key = connection.execute("SELECT key_id FROM store_seals").fetchone()
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"it is no store of smsward: {error}") from error
    return StoreCopy("" if key is None else str(key[0]), str(revision))


async def journals_of(path: Path) -> list[JournalState]:
    """Return the state of the journals in the copy `path`, as `SqlJournals.states` does."""
    place = FilePlace(path)
    database = Database(
        reading=place.reading_engine(busy_s=_BUSY_S),
        writing=place.writing_engine(busy_s=_BUSY_S),  # which connects only where it writes
        deadline_s=_CHECK_DEADLINE_S,
    )
    try:
        return await SqlJournals(database).states()
    finally:
        await database.close()


@contextmanager
def store_kept_alone(path: Path, busy: str) -> Iterator[None]:
    """Keep a gateway and all others from the database file `path`.

    Raises StoreUnavailable, with `busy` where somebody has it.
    """
    place = FilePlace(path)
    with ExitStack() as stack:
        for take in (place.own, place.take_whole):
            stack.callback(locked(take, place, busy).release)
        yield


async def open_copy(path: Path, *, keys: Keys | None, max_octets: int) -> Database:
    """Open the copy `path` to write to it, as `open_database` does; call `settle_copy` then."""
    return await open_database(
        f"sqlite:///{path}", keys=keys, deadline_s=_CHECK_DEADLINE_S, max_octets=max_octets
    )


def settle_copy(path: Path) -> None:
    """Let a copy that was written to stand in one file, to be renamed."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def set_store_aside(path: Path, aside: Path) -> None:
    """Give the database file `path` the name `aside`, with all that is beside it."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        # A log that stayed would be taken for one of the next store.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}{suffix}").rename(f"{aside}{suffix}")


def remove_copy(path: Path) -> None:
    """Remove a copy, if it is there, with all that is beside it."""
    for suffix in ("", "-wal", "-shm", "-journal", ".share", ".lock"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
