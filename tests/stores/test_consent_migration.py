"""Answers that were recorded before evidence was, and before ends were."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gateway.domain.consent import Answer, ConsentAnswer, end_of
from gateway.stores.open import open_store
from gateway.stores.sqlite import writing_engine

MSISDN = 8613800138000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AGREED, BY_API = Answer.AGREED, "api: shop"

Row = tuple[int | str, ...]


def to_version(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.stores:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


async def migrated(database: Path, version: str, insert: str, rows: list[Row]) -> None:
    """Put rows into the tables as an earlier version left them."""
    database.parent.mkdir()
    engine = writing_engine(database, busy_s=1)
    async with engine.begin() as connection:
        await connection.run_sync(to_version, version)
    await engine.dispose()
    with closing(sqlite3.connect(database)) as file, file:
        file.executemany(insert, rows)


async def test_r26_what_an_sp_imported_before_is_asserted_and_what_subscribers_said_stays(
    database: Path, sqlite_url: str
) -> None:
    rows: list[Row] = [
        (MSISDN, "sp1", "agreed", "import"),
        (MSISDN, "sp2", "agreed", "mo"),
        (MSISDN, "sp3", "refused", "import"),
    ]
    insert = (
        "INSERT INTO consent_answers (msisdn, scope, answer, channel, since, change)"
        " VALUES (?, ?, ?, ?, 0, 0)"
    )
    await migrated(database, "0003", insert, rows)

    stores = await open_store(sqlite_url)
    answers = [await stores.consent.answer_of(MSISDN, f"sp{n}") for n in (1, 2, 3)]
    await stores.close()

    assert answers == [
        ConsentAnswer(MSISDN, "sp1", Answer.ASSERTED, EPOCH, "import"),
        ConsentAnswer(MSISDN, "sp2", Answer.AGREED, EPOCH, "mo"),
        ConsentAnswer(MSISDN, "sp3", Answer.REFUSED, EPOCH, "import"),
    ]


@pytest.mark.parametrize(
    ("answer", "channel", "words", "end"),
    [
        (AGREED, BY_API, "who lin; scope 促销; until 2030-06-30; messages 7", date(2030, 6, 30)),
        (AGREED, BY_API, "until 9999-12-31; document sha256:5c", date(9999, 12, 31)),
        (Answer.ASSERTED, BY_API, "who lin; until 2020-01-01", date(2020, 1, 1)),
        (AGREED, BY_API, "scope a; until 2031-01-01; until 2030-01-01", date(2030, 1, 1)),
        (AGREED, BY_API, "scope all until 2030-01-01; messages 7", None),
        (AGREED, BY_API, "until 2030-13-01", None),
        (AGREED, BY_API, "who lin; when 2025-01-01T00:00:00+08:00", None),
        (AGREED, "import", "until 2030-06-30", None),
        (Answer.REFUSED, BY_API, "until 2030-06-30", None),
    ],
)
async def test_r20_what_the_api_took_with_an_end_in_words_ends(
    database: Path, sqlite_url: str, answer: Answer, channel: str, words: str, end: date | None
) -> None:
    insert = (
        "INSERT INTO consent_answers (msisdn, scope, answer, channel, evidence, since, change)"
        " VALUES (?, ?, ?, ?, ?, 0, 0)"
    )
    await migrated(database, "0019", insert, [(MSISDN, "sp1", answer.value, channel, words)])

    stores = await open_store(sqlite_url)
    kept = await stores.consent.answer_of(MSISDN, "sp1")
    await stores.close()

    until = None if end is None else end_of(end)
    assert kept == ConsentAnswer(MSISDN, "sp1", answer, EPOCH, channel, words, until)
