"""Each kind of database says what it cannot do, and no fault of it says what it was about."""

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Integer, Select, column, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.runtime.sealing import Keys
from gateway.storage.backup import backed_up_file
from gateway.storage.change_feed import KEEP_ANSWER
from gateway.storage.database import Database
from gateway.storage.dialect import (
    DIALECTS,
    FILE_SUFFIXES,
    dialect_at,
    insert_plain,
    place_at,
    upsert,
)
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import (
    SealMismatch,
    file_of,
    open_database,
    owned,
    place_of,
    taken_alone,
    upgrade,
)
from gateway.storage.tables import consent_answers
from gateway.stores import reseal_store
from tests.postgresql_server import IS_THERE, LACKS, open_postgresql

SERVER = "postgresql://gateway:secret@db.example/smsward"


@pytest.fixture
def schemes() -> Iterator[str]:
    return (scheme for one in DIALECTS.values() for scheme in one.schemes)


def test_a_scheme_is_of_one_dialect_alone(schemes: Iterator[str]) -> None:
    listed = list(schemes)

    assert len(listed) == len(set(listed)) > 2
    assert dialect_at("memory://") is dialect_at("sqlite:///x.db") is DIALECTS["sqlite"]
    assert ".db-wal" in FILE_SUFFIXES


async def test_a_url_of_no_dialect_names_the_forms_that_there_are() -> None:
    with pytest.raises(ValueError, match="sqlite:///path or memory:// or postgresql://user@host"):
        await open_database("nosuch://db.example/smsward")


async def test_a_server_has_no_file_no_seal_and_a_copy_of_its_own(keys: Keys) -> None:
    assert (file_of(SERVER), owned(SERVER), taken_alone(SERVER, "warnings run")) == (None,) * 3
    assert place_of(SERVER) == "postgresql://gateway:***@db.example/smsward"
    with pytest.raises(StoreUnavailable, match="pg_dump"):
        backed_up_file(SERVER)
    with pytest.raises(StoreUnavailable, match="cannot be sealed"):
        reseal_store(SERVER, keys, lambda _done, _total: None)
    with pytest.raises(SealMismatch, match="cannot be sealed"):
        await open_database(SERVER, keys=keys)


def test_a_password_among_the_options_of_a_server_is_not_told() -> None:
    url = "postgresql://gateway@/smsward?host=/run/pg&Password=secret&sslpassword=secret"

    assert place_of(url) == "postgresql://gateway@/smsward?host=%2Frun%2Fpg"


def test_nothing_of_a_store_in_memory_is_backed_up() -> None:
    with pytest.raises(StoreUnavailable, match="nothing of it is kept"):
        backed_up_file("memory://")


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="FileNotFoundError"):
        await open_database(f"postgresql://gateway@/smsward?host={tmp_path}")


async def test_a_server_that_refuses_or_does_not_answer_a_connection_is_unavailable() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        place = place_at(
            f"postgresql://gateway@127.0.0.1:{silent.getsockname()[1]}/smsward?ssl=disable"
        )
        engine = place.writing_engine(busy_s=0.05)

        with pytest.raises(StoreUnavailable, match="ConnectionRefusedError"):
            await upgrade(engine)
        silent.listen()
        with pytest.raises(StoreUnavailable, match="no answer in time"):
            await upgrade(engine)

        await engine.dispose()


@pytest.mark.skipif(not IS_THERE, reason=LACKS)
async def test_what_a_server_refuses_is_told_by_its_kind_alone(postgresql: str) -> None:
    await (await open_postgresql(postgresql, deadline_s=30)).close()
    engine = place_at(postgresql.replace("/postgres?", "/missing?")).writing_engine(busy_s=30)

    with pytest.raises(StoreUnavailable, match="SQLSTATE 3D000"):
        await upgrade(engine)

    await engine.dispose()


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_a_fault_of_the_work_beside_a_store_is_no_fault_of_the_store(
    database: Database,
) -> None:
    async def work(_connection: AsyncConnection) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        await database.read(work)
    with pytest.raises(PermissionError):
        await database.writer.write(work)


async def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(StoreUnavailable, match="its driver is missing: pip install asyncpg"):
        await open_database(SERVER)


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_a_fault_says_nothing_of_the_values(database: Database) -> None:
    wrong: Select[int] = select(column("missing", Integer)).where(
        consent_answers.c.scope == "13800138000"
    )

    with pytest.raises(StoreUnavailable) as caught:
        await database.rows(wrong)

    assert "13800138000" not in str(caught.value)
    assert re.search("SQLITE_ERROR|SQLSTATE 42", str(caught.value))
    assert isinstance(caught.value.__cause__, DBAPIError)


async def test_an_insert_of_plain_rows_takes_no_other_parameters(database: Database) -> None:
    row = (8613800138000, "sp1", "refused", 0, "import", 1, "", None)
    other = upsert(consent_answers, where=consent_answers.c.answer == "asserted")

    await database.writer.write(lambda connection: insert_plain(connection, KEEP_ANSWER, [row]))
    with pytest.raises(ValueError, match="other parameters"):
        await database.writer.write(lambda connection: insert_plain(connection, other, [row]))

    assert len(await database.rows(select(consent_answers))) == 1
