"""The migrations make the tables that the code expects."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from gateway.domain.policy_history import NewPolicyVersion, PolicyRequest
from gateway.domain.quarantine import HeldMessage
from gateway.ports.errors import StoreUnavailable
from gateway.stores.migrate import upgrade
from gateway.stores.open import open_store
from gateway.stores.sqlite import writing_engine
from gateway.stores.tables import held_messages, metadata, policy_requests, policy_versions


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_exactly_the_tables_the_code_uses(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "test.db", busy_s=1)
    await upgrade(engine)

    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []


async def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "test.db", busy_s=1)

    await upgrade(engine)
    await upgrade(engine)
    await engine.dispose()

    with closing(sqlite3.connect(tmp_path / "test.db")) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("0025",)]


async def test_processes_that_start_at_once_wait_for_each_other(sqlite_url: str) -> None:
    opened = await asyncio.gather(*(open_store(sqlite_url) for _ in range(8)))

    for stores in opened:
        assert await stores.changes.latest() == 0
        await stores.close()


async def test_a_database_of_a_newer_version_is_left_alone(database: Path, sqlite_url: str) -> None:
    await (await open_store(sqlite_url)).close()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreUnavailable, match="9999"):
        await open_store(sqlite_url)


def test_there_is_a_column_for_each_field_of_a_held_message() -> None:
    assert [column.name for column in held_messages.columns] == [
        field.name for field in fields(HeldMessage)
    ]


def test_there_is_a_column_for_each_field_of_a_policy_version_and_of_a_request() -> None:
    version = [field.name for field in fields(NewPolicyVersion)]
    request = [field.name for field in fields(PolicyRequest)]

    assert [column.name for column in policy_versions.columns] == ["number", *version]
    assert [column.name for column in policy_requests.columns] == request


async def test_a_naive_time_is_the_callers_fault(sqlite_url: str) -> None:
    stores = await open_store(sqlite_url)

    with pytest.raises(Exception, match="offset-naive"):
        await stores.quarantine.expired(datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None), 1)

    await stores.close()
