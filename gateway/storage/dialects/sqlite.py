"""SQLite: a file that is durable, private to its owner and shared by processes; or memory."""

import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    Connection,
    Integer,
    StaticPool,
    TextClause,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles

from gateway.runtime.file_lock import FileLock
from gateway.storage.dialects.base import DatabasePlace, MakeTables, SqlDialect, TextOctets
from gateway.storage.errors import StoreUnavailable

_PRIVATE = 0o600
_PRIVATE_DIRECTORY = 0o700
_WAL_OCTETS = 64 * 1024 * 1024
_WAL_PATIENCE_MS = 100
_READERS = 4
_DRIVER = "sqlite+aiosqlite"
_MEMORY = "memory://"

_numbers = count(1)


class SqliteDialect(SqlDialect):
    """SQLite, the database of the program."""

    name = "sqlite"
    schemes: ClassVar = {"sqlite": "sqlite:///path", "memory": _MEMORY}
    # SQLite numbers its rows by an INTEGER key for free; a BIGINT key would be a second index.
    row_number = Integer
    never_reused: ClassVar = {"sqlite_autoincrement": True}
    in_key_order: ClassVar = {"sqlite_with_rowid": False}
    suffixes = frozenset({".db", ".db-wal", ".db-shm", ".db-journal"})

    # The pages in use; those that are free again are not counted.
    used_octets = text(
        "SELECT (page_count - freelist_count) * page_size AS octets"
        " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    )
    last_given = text("SELECT seq FROM sqlite_sequence WHERE name = :journal")
    triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :journal")
    walls = ("tr_{}_insert", "tr_{}_update", "tr_{}_delete")

    def place_at(self, url: str) -> DatabasePlace:
        if url == _MEMORY:
            return MemoryPlace()
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ValueError("the store's URL cannot be read") from None
        file = Path(parsed.database or "")
        if parsed.drivername != "sqlite" or file.name in ("", ":memory:"):
            raise ValueError("the store's URL must read sqlite:///path or memory://")
        return FilePlace(file)

    def rows_where(self, condition: TextClause) -> dict[str, Any]:
        return {"sqlite_where": condition}

    def fault_of(self, error: BaseException) -> str:
        name = getattr(error, "sqlite_errorname", "")
        return f"{error} ({name})" if name else ""

    async def emptied_log(self, connection: AsyncConnection) -> bool:
        """Move the write-ahead log into the file and cut it off; tell whether that was done.

        Most of the work is done while others write (PASSIVE); the rest keeps them waiting for at
        most `_WAL_PATIENCE_MS`.
        """
        await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
        usual = (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA busy_timeout={_WAL_PATIENCE_MS}")
        try:
            done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return not done.one()[0]
        finally:
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={usual}")


@compiles(TextOctets, "sqlite")
def _octets_of_text(element: TextOctets, compiler: Any, **more: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **more)} AS BLOB))"


class FilePlace(DatabasePlace):
    """A database file."""

    def __init__(self, file: Path) -> None:
        self.file: Path = file

    def __str__(self) -> str:
        return str(self.file.absolute())

    def is_made(self) -> bool:
        return self.file.is_file()

    def prepare(self, make_tables: MakeTables, *, busy_s: float) -> bool:
        del make_tables
        try:
            prepare_file(self.file, busy_s=busy_s)
        except OSError as error:
            raise StoreUnavailable(f"no database file at {self.file}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise StoreUnavailable(f"no database at {self.file}: {error}") from error
        return False

    def reading_engine(self, *, busy_s: float) -> AsyncEngine:
        return reading_engine(self.file, busy_s=busy_s)

    def writing_engine(self, *, busy_s: float, max_octets: int | None = None) -> AsyncEngine:
        return writing_engine(self.file, busy_s=busy_s, max_octets=max_octets)

    def share(self) -> FileLock:
        return FileLock.of(self.file)

    def own(self) -> FileLock:
        return FileLock.owner(self.file)

    def take_whole(self) -> FileLock:
        """Take all of it: no other process takes part. Raises as `share` does."""
        return FileLock.whole(self.file)

    def take_work(self, command: str) -> FileLock:
        return FileLock.whole(self.file.with_name(f"{self.file.name}.{command.replace(' ', '-')}"))


class MemoryPlace(DatabasePlace):
    """A new database in memory: its connections share and lock it as they do a file."""

    def __init__(self) -> None:
        # SQLite shares it by its name, within the process, while one connection is open.
        self._name = f"file:/smsward-{next(_numbers)}"
        query = {"vfs": "memdb", "uri": "true"}
        self._url = URL.create(_DRIVER, database=self._name, query=query)
        self._connection: sqlite3.Connection | None = None

    def __str__(self) -> str:
        return "no place: it is in memory"

    def is_made(self) -> bool:
        return False

    def prepare(self, make_tables: MakeTables, *, busy_s: float) -> bool:
        del busy_s
        template = empty_database(make_tables)
        self._connection = sqlite3.connect(
            f"{self._name}?vfs=memdb", uri=True, check_same_thread=False
        )
        template.backup(self._connection)
        return True

    def reading_engine(self, *, busy_s: float) -> AsyncEngine:
        return reading_engine(self._url, busy_s=busy_s)

    def writing_engine(self, *, busy_s: float, max_octets: int | None = None) -> AsyncEngine:
        return writing_engine(self._url, busy_s=busy_s, max_octets=max_octets)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@cache
def empty_database(make_tables: MakeTables) -> sqlite3.Connection:
    """Return an empty database in memory with all tables, to be copied.

    The migrations run once in a process: that takes 100 ms, a copy 1 ms.
    """
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.begin() as migrating:
        make_tables(migrating)
    return connection


def prepare_file(path: Path, *, busy_s: float) -> None:
    """Create the database file with mode 0600 (for any umask) and its directories.

    SQLite gives its -wal and -shm files the mode of the database. An existing file gets the same
    mode, so others cannot read it. Raises OSError if the file cannot be created or opened, and
    sqlite3.OperationalError if it stays locked for `busy_s`.
    """
    path.parent.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # One process at a time: if two switch a new file to WAL, one fails at once in SQLite, in
        # spite of its busy timeout.
        fcntl.flock(directory, fcntl.LOCK_EX)
        _make_private(path)
        with closing(sqlite3.connect(path, timeout=busy_s)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        # SQLite syncs the content of the file; we must sync its directory entry.
        os.fsync(directory)
    finally:
        os.close(directory)


def _make_private(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    try:
        os.fchmod(descriptor, _PRIVATE)
    finally:
        os.close(descriptor)


def reading_engine(place: Path | URL, *, busy_s: float) -> AsyncEngine:
    """Return an engine of a few connections that can only read."""
    engine = _engine(place, busy_s=busy_s, connections=_READERS)
    _on_connect(engine, "PRAGMA query_only=ON")
    return engine


def writing_engine(
    place: Path | URL, *, busy_s: float, max_octets: int | None = None
) -> AsyncEngine:
    """Return an engine with one connection; its commits are on the disk when they return.

    `max_octets` limits the file size: beyond it writes fail as on a full disk.
    """
    engine = _engine(place, busy_s=busy_s, connections=1)
    _on_connect(
        engine,
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        # Deleted data is overwritten, for any build of SQLite.
        "PRAGMA secure_delete=ON",
        # REPLACE deletes rows: without this, triggers that forbid a deletion are not fired.
        "PRAGMA recursive_triggers=ON",
        f"PRAGMA journal_size_limit={_WAL_OCTETS}",
        *_size_limit(max_octets),
    )
    # A transaction that reads first and then writes fails at once if another process wrote in
    # between, in spite of the busy timeout: take the write lock first.
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _engine(place: Path | URL, *, busy_s: float, connections: int) -> AsyncEngine:
    return create_async_engine(
        place if isinstance(place, URL) else URL.create(_DRIVER, database=str(place)),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=2 * busy_s,
        # The driver's own BEGIN comes too late for a transaction that starts by reading.
        connect_args={"timeout": busy_s, "isolation_level": None},
        # An exception must not carry a message's octets or a subscriber's number.
        hide_parameters=True,
    )


def _on_connect(engine: AsyncEngine, *pragmas: str) -> None:
    def run(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    listener: Callable[[DBAPIConnection, object], None] = run
    event.listen(engine.sync_engine, "connect", listener)


def _size_limit(max_octets: int | None) -> tuple[str, ...]:
    if max_octets is None:
        return ()
    page_octets = 4096  # SQLite's default, which a new file gets
    return (f"PRAGMA max_page_count={max(1, max_octets // page_octets)}",)


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
