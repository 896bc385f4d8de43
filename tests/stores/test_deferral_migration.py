"""Messages that were held before any could wait for its hour."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores.open import open_store
from gateway.stores.sqlite import writing_engine

Builder: TypeAlias = Callable[..., HeldMessage]

COLUMNS = (
    "message_id, system_id, source, destination, pdu, reason, rule, category, evidence, digest,"
    " receipt_asked, held_at, expires_at, state, receipt, smsc_message_id, note, joined"
)
ROW = "'sp1', '1069', '138', x'00', 'CONTENT', 'K', '', '', 'd', 1, 0, 1"


def migrated(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.stores:migrations")
    config.attributes["connection"] = connection
    is_back = connection.dialect.has_table(connection, "held_messages")
    (command.downgrade if is_back else command.upgrade)(config, version)


async def to_version(database: Path, version: str) -> None:
    engine = writing_engine(database, busy_s=1)
    async with engine.begin() as connection:
        await connection.run_sync(migrated, version)
    await engine.dispose()


async def test_a_release_that_was_asked_for_before_was_a_persons(
    database: Path, sqlite_url: str
) -> None:
    database.parent.mkdir()
    await to_version(database, "0004")
    with closing(sqlite3.connect(database)) as file, file:
        for message_id, state in enumerate(("release_requested", "releasing", "held"), 1):
            file.execute(
                f"INSERT INTO held_messages ({COLUMNS})"  # noqa: S608 - our own text
                f" VALUES ({message_id}, {ROW}, '{state}', 'none', '', '', '')"
            )

    stores = await open_store(sqlite_url)
    found = await stores.quarantine.get_many((1, 2, 3))
    await stores.close()

    assert [(one.is_reviewed, one.due_at) for one in found] == [
        (True, None),
        (True, None),
        (False, None),
    ]


async def test_what_waits_for_its_hour_waits_for_a_person_where_there_are_no_hours(
    database: Path, sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url)
    await stores.quarantine.hold([held(state=HoldState.DEFERRED)])
    await stores.close()

    await to_version(database, "0004")

    with closing(sqlite3.connect(database)) as file:
        assert file.execute("SELECT state FROM held_messages").fetchall() == [("held",)]
