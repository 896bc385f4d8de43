"""The migrations make the tables that the code expects."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.domain.quarantine import HeldMessage
from gateway.domain.records import Access, JournalState, NewAccess
from gateway.storage.backup import open_copy
from gateway.storage.dialect import DIALECTS, place_at
from gateway.storage.dialects.sqlite import writing_engine
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import MIGRATIONS, TablesMismatch, revisions_in, upgrade
from gateway.storage.tables import held_messages, metadata
from gateway.stores import open_store
from gateway.systems.policy_history import (
    NewPolicyVersion,
    PolicyRequest,
    policy_requests,
    policy_versions,
)
from tests.postgresql_server import IS_THERE, LACKS, open_postgresql

SCRIPTS = ScriptDirectory(str(MIGRATIONS))
NextVersion = Callable[..., str]
Builder = Callable[..., HeldMessage]


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NextVersion:
    """Return a function that puts statements behind all migrations; it returns their revision."""
    folder = tmp_path / "migrations of 100%"
    newest = revisions_in(MIGRATIONS)[-1]
    revision = f"{int(newest) + 1:04}"

    def put(*statements: str) -> str:
        shutil.copytree(MIGRATIONS, folder)
        lines = [
            "from alembic import op",
            f"revision, down_revision = {revision!r}, {newest!r}",
            "def upgrade():",
            *(f"    op.execute({one!r})" for one in statements),
        ]
        (folder / "versions" / f"v{revision}_next.py").write_text("\n".join(lines))
        monkeypatch.setattr("gateway.storage.open.MIGRATIONS", folder)
        return revision

    return put


async def rows_of(
    url: str, *added: HeldMessage
) -> tuple[list[HeldMessage], list[Access], list[JournalState]]:
    """Return what the store at `url` holds once `added` is held in it, and journaled."""
    stores = await open_store(url)
    for one in added:
        await stores.quarantine.hold([one])
        await stores.journals.note_access(NewAccess("lin", "hold", "", "what", one.held_at))
    found = await stores.quarantine.find()
    journaled, states = await stores.journals.accesses(), await stores.journals.states()
    await stores.close()
    return found, journaled, states


def dumped(file: Path) -> list[str]:
    """Return all that a database holds, as SQL."""
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def made_by(sql: str | None) -> list[str]:
    """Return the words of a statement, which two ways of making a table may space differently."""
    return (
        (sql or "")
        .replace('"', "")
        .replace("(", " ( ")
        .replace(")", " ) ")
        .replace(",", " , ")
        .split()
    )


def schema_of(connection: Connection) -> dict[str, list[str]]:
    """Return how each table and index was made; triggers stand in the migrations alone."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type <> 'trigger' AND name <> 'alembic_version'"
        " AND tbl_name <> 'alembic_version'"
    )
    return {str(name): made_by(sql) for name, sql in rows}


async def test_the_migrations_make_exactly_the_tables_the_code_uses(tmp_path: Path) -> None:
    migrated = writing_engine(tmp_path / "migrated.db", busy_s=1)
    created = writing_engine(tmp_path / "created.db", busy_s=1)
    await upgrade(migrated)

    async with created.begin() as connection:
        await connection.run_sync(metadata.create_all)
        expected = await connection.run_sync(schema_of)
    async with migrated.begin() as connection:
        found = await connection.run_sync(schema_of)
    await created.dispose()
    await migrated.dispose()

    assert "held_messages" in found
    assert found == expected


@pytest.mark.skipif(not IS_THERE, reason=LACKS)
async def test_on_postgresql_they_make_the_same_as_well(postgresql: str) -> None:
    await (await open_postgresql(postgresql, 30.0)).close()
    engine = place_at(postgresql).writing_engine(busy_s=30.0)
    columns = (
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable,"
        " replace(column_default, :schema, '') FROM information_schema.columns"
        " WHERE table_schema || '.' = :schema"
    )
    indexes = (
        "SELECT tablename, replace(indexdef, :schema, '') FROM pg_indexes"
        " WHERE schemaname || '.' = :schema"
    )

    async def made_in(schema: str) -> set[tuple[object, ...]]:
        rows = [
            await connection.execute(sa.text(one), {"schema": schema}) for one in (columns, indexes)
        ]
        return {tuple(row) for part in rows for row in part if row[0] != "alembic_version"}

    async with engine.connect() as connection:
        await connection.execute(sa.schema.CreateSchema("created"))
        translated = await connection.execution_options(schema_translate_map={None: "created"})
        await translated.run_sync(metadata.create_all)
        found, expected = await made_in("public."), await made_in("created.")
        await connection.rollback()
    await engine.dispose()

    of_sqlite = {row for row in expected if "ix_held_messages_unsettled" in str(row)}
    assert len(of_sqlite) == 1
    assert found == expected - of_sqlite


def test_the_newest_revision_is_the_last_one_that_alembic_finds() -> None:
    assert SCRIPTS.get_current_head() == revisions_in(MIGRATIONS)[-1]


def test_each_kind_of_database_has_its_guards_of_journals() -> None:
    first = SCRIPTS.get_revision(revisions_in(MIGRATIONS)[0])

    assert first.module.GUARDS.keys() == DIALECTS.keys()


async def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "test.db", busy_s=1)

    await upgrade(engine)
    await upgrade(engine)
    await engine.dispose()

    with closing(sqlite3.connect(tmp_path / "test.db")) as connection:
        (version,) = connection.execute("SELECT * FROM alembic_version").fetchall()
    assert version == revisions_in(MIGRATIONS)[-1:]


async def test_processes_that_start_at_once_wait_for_each_other(sqlite_url: str) -> None:
    opened = await asyncio.gather(*(open_store(sqlite_url) for _ in range(8)))

    for stores in opened:
        assert await stores.changes.latest() == 0
        await stores.close()


async def test_a_database_of_another_version_is_left_alone(
    database_file: Path, sqlite_url: str
) -> None:
    await (await open_store(sqlite_url)).close()
    with closing(sqlite3.connect(database_file, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(TablesMismatch, match=r"revision 9999\): use that version"):
        await open_store(sqlite_url)

    with closing(sqlite3.connect(database_file)) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("9999",)]


@pytest.mark.parametrize("revision", ["0001", "0014"])
async def test_a_store_of_before_the_first_version_is_left_alone_with_advice(
    database_file: Path, sqlite_url: str, revision: str
) -> None:
    await (await open_store(sqlite_url)).close()
    with closing(sqlite3.connect(database_file)) as connection, connection:
        connection.execute("DROP TABLE review_job_messages")
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    before = dumped(database_file)

    advice = (
        rf"revision {revision}, from before the first version \(0015\): .* commit [0-9a-f]{{8}}"
    )
    with pytest.raises(TablesMismatch, match=advice):
        await open_store(sqlite_url)
    with pytest.raises(TablesMismatch, match=advice):  # a restore opens it so
        await open_copy(database_file, keys=None, max_octets=2**30)

    assert dumped(database_file) == before


async def test_a_later_version_changes_a_store_with_rows_and_loses_none(
    database_file: Path, sqlite_url: str, held: Builder, next_version: NextVersion
) -> None:
    before = await rows_of(sqlite_url, held())
    revision = next_version(
        "ALTER TABLE access_log ADD COLUMN place TEXT NOT NULL DEFAULT 'here'",
        "CREATE TABLE places AS SELECT DISTINCT place, system_id FROM access_log, held_messages",
    )

    assert await rows_of(sqlite_url) == before
    assert before[0] == [held()]
    with closing(sqlite3.connect(database_file)) as connection:
        assert connection.execute("SELECT * FROM places").fetchall() == [("here", "sp1")]
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [(revision,)]


async def test_a_later_version_that_fails_halfway_changes_nothing(
    database_file: Path, sqlite_url: str, held: Builder, next_version: NextVersion
) -> None:
    await rows_of(sqlite_url, held())
    before = dumped(database_file)
    next_version("ALTER TABLE access_log ADD COLUMN place TEXT", "DELETE FROM nosuch")

    with pytest.raises(StoreUnavailable, match="no such table"):
        await open_store(sqlite_url)

    assert dumped(database_file) == before


def test_there_is_a_column_for_each_field_of_a_held_message() -> None:
    assert [column.name for column in held_messages.columns] == [
        field.name for field in fields(HeldMessage)
    ]


def test_there_is_a_column_for_each_field_of_a_policy_version_and_of_a_request() -> None:
    version = [field.name for field in fields(NewPolicyVersion)]
    request = [field.name for field in fields(PolicyRequest)]

    assert [column.name for column in policy_versions.columns] == ["number", *version]
    assert sorted(column.name for column in policy_requests.columns) == sorted(request)


async def test_a_naive_time_is_the_callers_fault(sqlite_url: str) -> None:
    stores = await open_store(sqlite_url)

    with pytest.raises(Exception, match="offset-naive"):
        await stores.quarantine.expired(datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None), 1)

    await stores.close()
