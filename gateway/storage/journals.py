"""The journals of purges and of accesses, which only grow: a row is chained to the one before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from hashlib import sha256

from sqlalchemy import BigInteger, Column, Delete, String, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import Access, JournalState, NewAccess, NewPurge, Purge
from gateway.storage.database import Database, SqlStore, newest, values_of
from gateway.storage.dialect import LAST_GIVEN, NEVER_REUSED, ROW_NUMBER, TRIGGERS, columns
from gateway.storage.tables import EPOCH, MICROSECOND, UtcTime, metadata

# Before the first row of a journal.
NO_ROW = ""

_ROWS_AT_ONCE = 1000
_WALLS = ("insert", "update", "delete")


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
    given = (await connection.execute(LAST_GIVEN, {"journal": journal.name})).scalar() or 0
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
    given = await database.rows(LAST_GIVEN.bindparams(journal=journal.name))
    if any(row["seq"] > last for row in given):
        return JournalState(journal.name, rows, head, last + 1, "it is missing")
    names = {row["name"] for row in await database.rows(TRIGGERS.bindparams(journal=journal.name))}
    if not names.issuperset(f"tr_{journal.name}_{act}" for act in _WALLS):
        return JournalState(journal.name, rows, head, None, "what refuses changes was taken away")
    return JournalState(journal.name, rows, head)


def _chained(journal: Table) -> list[Column[object]]:
    return [column for column in journal.columns if column.name != "chain"]


def _plain(value: object) -> object:
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value


# Of domain.privacy.Purge. Rows are only ever added, by `appended`.
purge_log = Table(
    "purge_log",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True),
    Column("what", String(32), nullable=False),
    *columns(UtcTime, "since", "until"),
    Column("count", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("chain", String(64), nullable=False, server_default=""),
    **NEVER_REUSED,
)

# Of domain.privacy.Access. Rows are only ever added, by `appended`.
access_log = Table(
    "access_log",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True),
    Column("by", Text, nullable=False),
    Column("action", String(32), nullable=False),
    *columns(Text, "reason", "about"),
    Column("at", UtcTime, nullable=False),
    Column("chain", String(64), nullable=False, server_default=""),
    **NEVER_REUSED,
)


# All columns but the chain.
_PURGE = [purge_log.c[field.name] for field in fields(Purge)]
_ACCESS = [access_log.c[field.name] for field in fields(Access)]


class SqlJournals(SqlStore):
    """The rows of `purge_log` and `access_log`, which triggers keep from being changed.

    Append-only: rows are never changed or deleted. Every call may raise StoreUnavailable.
    """

    async def note_purge(self, purge: NewPurge) -> int:
        """Keep a row about a purge before it is carried out; return its number."""
        return await self._append(purge_log, values_of(purge))

    async def purges(self, limit: int = 50) -> list[Purge]:
        """Return at most `limit` purges, the newest first."""
        query = newest(purge_log, limit).with_only_columns(*_PURGE)
        return await self._database.records(Purge, query)

    async def note_access(self, access: NewAccess) -> int:
        """Keep a row about a person who will see whole numbers; return its number.

        No number may be shown before this has returned (R73).
        """
        return await self._append(access_log, values_of(access))

    async def accesses(self, limit: int = 50) -> list[Access]:
        """Return at most `limit` accesses, the newest first."""
        query = newest(access_log, limit).with_only_columns(*_ACCESS)
        return await self._database.records(Access, query)

    async def states(self) -> list[JournalState]:
        """Return the state of both journals: how far each chain is intact. Reads all rows."""
        return [await state_of(self._database, journal) for journal in (access_log, purge_log)]

    async def _append(self, journal: Table, values: dict[str, object]) -> int:
        async def run(connection: AsyncConnection) -> int:
            return await appended(connection, journal, values)

        return await self._database.writer.write(run)


async def purge_rows(database: Database, statement: Delete, purge: NewPurge, rows: int) -> int:
    """Delete about `rows` rows in one commit with the journal of it; return how many went."""

    async def run(connection: AsyncConnection) -> int:
        count = (await connection.execute(statement)).rowcount
        await note_purge(connection, purge, count)
        return count

    return await database.writer.write(run, rows=rows)


async def note_purge(connection: AsyncConnection, purge: NewPurge, count: int) -> None:
    """Journal that `count` went, in the commit in which they go; nothing where none does."""
    if count:
        await appended(connection, purge_log, values_of(purge) | {"count": count})
