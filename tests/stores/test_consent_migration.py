"""Answers that were recorded before evidence was."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.stores.open import open_store
from gateway.stores.sqlite import writing_engine

MSISDN = 8613800138000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_version(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.stores:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


async def test_r26_what_an_sp_imported_before_is_asserted_and_what_subscribers_said_stays(
    database: Path, sqlite_url: str
) -> None:
    database.parent.mkdir()
    engine = writing_engine(database, busy_s=1)
    async with engine.begin() as connection:
        await connection.run_sync(to_version, "0003")
    await engine.dispose()
    rows = [
        (MSISDN, "sp1", "agreed", "import"),
        (MSISDN, "sp2", "agreed", "mo"),
        (MSISDN, "sp3", "refused", "import"),
    ]
    with closing(sqlite3.connect(database)) as file, file:
        file.executemany(
            "INSERT INTO consent_answers (msisdn, scope, answer, channel, since, change)"
            " VALUES (?, ?, ?, ?, 0, 0)",
            rows,
        )

    stores = await open_store(sqlite_url)
    answers = [await stores.consent.answer_of(MSISDN, f"sp{n}") for n in (1, 2, 3)]
    await stores.close()

    assert answers == [
        ConsentAnswer(MSISDN, "sp1", Answer.ASSERTED, EPOCH, "import"),
        ConsentAnswer(MSISDN, "sp2", Answer.AGREED, EPOCH, "mo"),
        ConsentAnswer(MSISDN, "sp3", Answer.REFUSED, EPOCH, "import"),
    ]
