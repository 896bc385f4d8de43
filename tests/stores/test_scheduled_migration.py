"""Messages that were scheduled before refusals were looked for under both readings of a number."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.stores.open import open_store
from gateway.stores.sqlite import writing_engine

ABROAD, AS_MAINLAND, MAINLAND = 14155550123, 8614155550123, 8613800138000
SEALED = b"s" * 24

INSERT = (
    "INSERT INTO scheduled_messages (system_id, smsc, message_id, source_ton, source_npi, source,"
    " dest_ton, dest_npi, destination, msisdn, scheduled_at, is_refused, free_at)"
    " VALUES ('sp1', 'main', ?, 0, 0, '10690001', 0, 0, 'd', ?, 4102444800000000, 0, 0)"
)


def to_version(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.stores:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


async def migrated(database: Path, version: str) -> None:
    engine = writing_engine(database, busy_s=1)
    async with engine.begin() as connection:
        await connection.run_sync(to_version, version)
    await engine.dispose()


async def left_by_an_earlier_version(database: Path, *msisdns: int | bytes) -> None:
    database.parent.mkdir()
    await migrated(database, "0021")
    with closing(sqlite3.connect(database)) as file, file:
        file.executemany(INSERT, [(str(at), msisdn) for at, msisdn in enumerate(msisdns)])


async def test_r21_what_was_scheduled_before_is_found_by_a_refusal_typed_bare(
    database: Path, sqlite_url: str
) -> None:
    await left_by_an_earlier_version(database, ABROAD, MAINLAND)
    now = datetime(2025, 11, 25, 4, tzinfo=UTC)

    stores = await open_store(sqlite_url)
    refusal = ConsentAnswer(AS_MAINLAND, EVERY_SENDER, Answer.REFUSED, now, "cli")
    change = await stores.consent.record([refusal])
    is_news = await stores.scheduled.note_refusals(change - 1, change)
    senders = await stores.scheduled.waiting_senders(now)
    taken = await stores.scheduled.take(now, now, senders, 9)
    await stores.close()

    assert is_news
    assert [one.msisdn for one in taken] == [ABROAD]


async def test_of_a_sealed_number_nothing_can_be_said(database: Path) -> None:
    await left_by_an_earlier_version(database, SEALED, MAINLAND, ABROAD, ABROAD, 447700900123)

    await migrated(database, "head")

    with closing(sqlite3.connect(database)) as file:
        found = file.execute("SELECT msisdn, misread_as FROM scheduled_messages ORDER BY number")
        assert found.fetchall() == [
            (SEALED, None),
            (MAINLAND, None),
            (ABROAD, AS_MAINLAND),
            (ABROAD, AS_MAINLAND),
            (447700900123, None),
        ]
