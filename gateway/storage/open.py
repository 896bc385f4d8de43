"""Open the database that a URL names, with the tables this version knows (alembic, from inside)."""

import asyncio
import sqlite3
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import URL, Connection, StaticPool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.runtime.file_lock import FileLock
from gateway.runtime.sealing import Keys
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.storage.sealed_columns import Seal
from gateway.storage.seals import settled_seal
from gateway.storage.sqlite import (
    MemoryFile,
    prepare_file,
    reading_engine,
    translated,
    writing_engine,
)


class TablesMismatch(StoreUnavailable):
    """The tables are those of another version of the program. The text says what to do."""


async def upgrade(engine: AsyncEngine) -> None:
    """Run the migrations that are missing, all of them or none; safe to repeat.

    Processes that do this at once wait for each other. Raises StoreUnavailable when the
    database cannot be written, and TablesMismatch, which is one, when this version does not
    know its tables.
    """
    with translated():
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)


@cache
def empty_database() -> sqlite3.Connection:
    """Return an empty database in memory with all tables, to be copied.

    The migrations run once in a process: that takes 100 ms, a copy 1 ms.
    """
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.begin() as migrating:
        _upgrade(migrating)
    return connection


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.storage:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        found = MigrationContext.configure(connection).get_current_revision()
        raise TablesMismatch(
            f"another version of smsward made its tables (revision {found}): use that version, or"
            " name a new file in gateway.yaml, store.url"
        ) from error


_MEMORY = "memory://"
_START_PATIENCE_S = 30.0  # for others that make or migrate the same tables


async def open_database(
    url: str,
    *,
    keys: Keys | None = None,
    deadline_s: float = 2.0,
    max_octets: int | None = None,
) -> Database:
    """Open the database at `url`, making or migrating the tables where needed.

    ``sqlite:///var/smsward.db`` is a path relative to the working directory, four slashes
    make it absolute; ``memory://`` is a new database in memory, which is gone when it is closed.
    Processes that open a file at once wait for each other; every later read and write ends within
    `deadline_s`. `max_octets` bounds the file. What is a subscriber's is sealed with the current
    one of `keys`. Raises ValueError for any other URL, StoreUnavailable when the database cannot
    be had, and SealMismatch, which is one, when it is sealed otherwise.
    """
    place: Path | URL
    if url == _MEMORY:
        memory = MemoryFile(await asyncio.to_thread(empty_database))
        place, let_go = memory.url, memory.close
        seal = await _sealed(place, keys) if keys is not None else None
    else:
        place = _path_of(url)
        share, seal = await _prepared(place, keys)
        let_go = share.release
    # A lock is given up before the caller gives up, so that the caller hears the reason.
    busy_s = deadline_s / 2
    return Database(
        reading=reading_engine(place, busy_s=busy_s),
        writing=writing_engine(place, busy_s=busy_s, max_octets=max_octets),
        deadline_s=deadline_s,
        seal=seal,
        let_go=let_go,
    )


async def _prepared(path: Path, keys: Keys | None) -> tuple[FileLock, Seal | None]:
    """Make or migrate the tables; return the hold on the file, and what it is sealed with."""
    patience_s = _START_PATIENCE_S
    try:
        await asyncio.to_thread(prepare_file, path, busy_s=patience_s)
    except OSError as error:
        raise StoreUnavailable(f"no database file at {path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreUnavailable(f"no database at {path}: {error}") from error
    share = _share_of(path)
    try:
        return share, await _sealed(path, keys)
    except BaseException:
        share.release()
        raise


async def _sealed(place: Path | URL, keys: Keys | None) -> Seal | None:
    engine = writing_engine(place, busy_s=_START_PATIENCE_S)
    try:
        await upgrade(engine)
        with translated():
            async with engine.begin() as connection:
                return await connection.run_sync(settled_seal, keys)
    finally:
        await engine.dispose()


def _share_of(path: Path) -> FileLock:
    try:
        return FileLock.of(path)
    except BlockingIOError as error:
        raise StoreUnavailable(
            "its numbers are being resealed: try again when it is done"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"no lock beside {path}: {error.strerror}") from error


def file_of(url: str) -> Path | None:
    """Return the database file behind `url`, None when nothing outlives the process."""
    return None if url == _MEMORY else _path_of(url)


def _path_of(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("the store's URL cannot be read") from None
    if parsed.drivername != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise ValueError("the store's URL must read sqlite:///path or memory://")
    return Path(str(parsed.database))
