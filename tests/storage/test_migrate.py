"""The migrations make the tables that the code expects."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.domain.held_findings import HOLD_LINE
from gateway.domain.quarantine import HeldMessage
from gateway.storage.dialects.sqlite import writing_engine
from gateway.storage.open import TablesMismatch, newest_revision, upgrade
from gateway.storage.tables import held_messages, metadata
from gateway.stores import open_store
from gateway.systems.policy_history import (
    NewPolicyVersion,
    PolicyRequest,
    policy_requests,
    policy_versions,
)

VERSIONS = Path(__file__).resolve().parents[2] / "gateway/storage/migrations/versions"


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


@pytest.mark.parametrize(
    ("state", "is_reviewed", "overruled"),
    [
        ("release_requested", True, "R\tK-LOAN\n"),
        ("deferred", True, HOLD_LINE),
        ("deferred", False, ""),
        ("held", False, ""),
    ],
)
def test_what_was_released_before_findings_were_kept_is_not_held_for_the_same_again(
    state: str, overruled: str, *, is_reviewed: bool
) -> None:
    engine = sa.create_engine("sqlite://")
    config = Config()
    config.set_main_option("script_location", "gateway.storage:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        columns = sa.inspect(connection).get_columns("held_messages")
        row: dict[str, object] = {
            one["name"]: "" for one in columns if one["default"] is None and not one["nullable"]
        }
        row |= {"message_id": 1, "state": state, "is_reviewed": is_reviewed, "rule": "K-LOAN"}
        connection.execute(sa.insert(sa.table("held_messages", *map(sa.column, row))).values(row))

        command.upgrade(config, "0009")

        found = connection.exec_driver_sql("SELECT overruled FROM held_messages").scalar_one()
    engine.dispose()
    assert found == overruled


def test_the_newest_revision_is_the_last_one_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.storage:migrations")

    assert ScriptDirectory.from_config(config).get_current_head() == newest_revision()


async def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "test.db", busy_s=1)

    await upgrade(engine)
    await upgrade(engine)
    await engine.dispose()

    with closing(sqlite3.connect(tmp_path / "test.db")) as connection:
        (version,) = connection.execute("SELECT * FROM alembic_version").fetchall()
    assert version == (max(path.name[1:5] for path in VERSIONS.glob("v*.py")),)


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
