"""Journals with chained rows: each row has a digest over itself and the row before it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Column, Table, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.privacy import JournalState
from gateway.stores.database import Database
from gateway.stores.tables import EPOCH, MICROSECOND

# Before the first row of a journal.
NO_ROW = ""

_ROWS_AT_ONCE = 1000
_WALLS = ("insert", "update", "delete")
_TRIGGERS = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :journal")
# The highest number ever given, also if its row was deleted.
_LAST_GIVEN = text("SELECT seq FROM sqlite_sequence WHERE name = :journal")


def linked(before: str, journal: str, row: Sequence[object]) -> str:
    """Return the digest of `row` after a row with the digest `before`: 64 hexadecimal digits.

    `row` has the values of all columns except the digest, in the order of the table, as integers
    (times: microseconds since 1970) and texts.
    """
    octets = json.dumps([journal, before, *map(_plain, row)], separators=(",", ":")).encode()
    return sha256(octets).hexdigest()


async def appended(
    connection: AsyncConnection, journal: Table, values: Mapping[str, object]
) -> int:
    """Add a row to `journal`, chained to the last one; return its number.

    The transaction must have the write lock from its start.
    """
    columns = journal.c
    newest = select(columns.number, columns.chain).order_by(columns.number.desc()).limit(1)
    last = (await connection.execute(newest)).first()
    given = (await connection.execute(_LAST_GIVEN, {"journal": journal.name})).scalar() or 0
    number = max(int(given), 0 if last is None else last.number) + 1
    row = {"number": number, **values}
    chain = linked(
        NO_ROW if last is None else last.chain,
        journal.name,
        [row[column.name] for column in _chained(journal)],
    )
    await connection.execute(insert(journal), row | {"chain": chain})
    return number


async def state_of(database: Database, journal: Table) -> JournalState:
    """Return the end of `journal`'s intact chain, and the first row that breaks it."""
    rows, head, last = 0, NO_ROW, 0
    columns = _chained(journal)
    page = select(*columns, journal.c.chain).order_by(journal.c.number).limit(_ROWS_AT_ONCE)
    while found := await database.rows(page.where(journal.c.number > last)):
        for row in found:
            number = int(row["number"])
            if number != last + 1:
                return JournalState(journal.name, rows, head, last + 1, "it is missing")
            head = linked(head, journal.name, [row[column.name] for column in columns])
            if row["chain"] != head:
                return JournalState(journal.name, rows, head, number, "it was changed")
            rows, last = rows + 1, number
    given = await database.rows(_LAST_GIVEN.bindparams(journal=journal.name))
    if any(row["seq"] > last for row in given):
        return JournalState(journal.name, rows, head, last + 1, "it is missing")
    names = {row["name"] for row in await database.rows(_TRIGGERS.bindparams(journal=journal.name))}
    if not names.issuperset(f"tr_{journal.name}_{act}" for act in _WALLS):
        return JournalState(journal.name, rows, head, None, "what refuses changes was taken away")
    return JournalState(journal.name, rows, head)


def _chained(journal: Table) -> list[Column[object]]:
    return [column for column in journal.columns if column.name != "chain"]


def _plain(value: object) -> object:
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value
