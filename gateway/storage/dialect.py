"""All that differs between databases, today that of SQLite: its SQL, faults, files and engines.

An engine is durable, private to its owner and shared by several processes; or in memory.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    TextClause,
    cast,
    event,
    func,
    text,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.storage.errors import StoreUnavailable

# SQLite numbers its rows by an INTEGER key for free; a BIGINT key would be a second index.
ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
# Options of a table: a number that was deleted is never given again.
NEVER_REUSED: dict[str, Any] = {"sqlite_autoincrement": True}
# Options of a table of many short rows that are read in the order of their key.
IN_KEY_ORDER: dict[str, Any] = {"sqlite_with_rowid": False}

# An insert that says what to do about a row that is there.
insert_or_update = insert

# The octets of the pages in use.
USED_OCTETS = text(
    "SELECT (page_count - freelist_count) * page_size AS octets"
    " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
# Of the table :journal: its triggers, and the highest number ever given, also if its row was
# deleted.
TRIGGERS = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :journal")
LAST_GIVEN = text("SELECT seq FROM sqlite_sequence WHERE name = :journal")


def marks(count: int) -> str:
    """Return what stands for so many values in the driver's own SQL."""
    return ", ".join("?" * count)


def octets_of(column: ColumnElement[str]) -> ColumnElement[int]:
    """Return how many octets a text takes."""
    return func.length(cast(column, LargeBinary))


def columns(kind: Any, *names: str) -> list[Column[Any]]:
    """Return columns of one type that are never NULL."""
    return [Column(name, kind, nullable=False) for name in names]


def partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """Return an index of the rows that are `where`.

    It serves only a query that repeats its condition, literals and all.
    """
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def upsert(
    table: Table, names: Sequence[str] = (), where: ColumnElement[bool] | None = None
) -> Insert:
    """Return what inserts rows, or sets the columns `names` of those with the same primary key.

    Without `names` all other columns are set. Rows that are there and not `where` stay.
    """
    keys, statement = list(table.primary_key), insert(table)
    rest = names or [column.name for column in table.c if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=keys,
        set_={name: statement.excluded[name] for name in rest},
        where=where,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable in place of a driver's fault or a deadline that passed.

    Its text names the kind of fault only, never a statement's values. IntegrityError
    passes: it is the caller's fault.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise StoreUnavailable(_kind_of(error)) from error
    except (PoolTimeoutError, TimeoutError) as error:
        raise StoreUnavailable("no answer in time") from error


def _kind_of(error: DBAPIError) -> str:
    name = getattr(error.orig, "sqlite_errorname", "")
    return f"{error.orig} ({name})" if name else type(error.orig).__name__


_PRIVATE = 0o600
_PRIVATE_DIRECTORY = 0o700
_WAL_OCTETS = 64 * 1024 * 1024
_READERS = 4
_DRIVER = "sqlite+aiosqlite"

_numbers = count(1)


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


class MemoryFile:
    """A copy of a database in memory: its connections share and lock it as they do a file."""

    def __init__(self, template: sqlite3.Connection) -> None:
        # SQLite shares it by its name, within the process, while one connection is open.
        name = f"file:/smsward-{next(_numbers)}"
        self.url = URL.create(_DRIVER, database=name, query={"vfs": "memdb", "uri": "true"})
        self._connection = sqlite3.connect(f"{name}?vfs=memdb", uri=True)
        template.backup(self._connection)

    def close(self) -> None:
        """Forget it, once all its engines are disposed of."""
        self._connection.close()


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
