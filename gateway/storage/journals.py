"""The audit and the journal of purges, which only grow: a row is chained to the one before."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from hashlib import sha256

from sqlalchemy import (
    BigInteger,
    Column,
    Delete,
    RowMapping,
    String,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.audit import EVERY_ENTRY, UNMASKING, ActFilter, numbers_shown
from gateway.domain.records import Access, JournalRow, JournalState, NewAccess, NewPurge, Purge
from gateway.runtime.masking import masked_text
from gateway.storage.audit_pages import (
    LOOKED_AT,
    AuditPage,
    access_log,
    audit_page,
    fitting,
)
from gateway.storage.database import Database, SqlStore, newest, oldest, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, dialect_of
from gateway.storage.tables import EPOCH, MICROSECOND, UtcTime, metadata

# Before the first row of a journal.
NO_ROW = ""

_ROWS_AT_ONCE = 1000

CHANGED, MISSING = "it was changed", "it is missing"
NOT_AS_NOTED = "it is not the row that was noted"
WALLS_GONE = "what refuses changes was taken away"

Told = Callable[[str, int, int], object]
"""Is told the journal, how many of its rows are verified, and how many there are."""


def quiet(_journal: str, _done: int, _total: int) -> None:
    """Tell no one."""


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
    last_given = dialect_of(connection).last_given
    given = (await connection.execute(last_given, {"journal": journal.name})).scalar() or 0
    number = max(int(given), 0 if last is None else last.number) + 1
    row = {"number": number, **values}
    chain = linked(
        NO_ROW if last is None else last.chain,
        journal.name,
        [row[column.name] for column in _chained(journal)],
    )
    await connection.execute(insert(journal), row | {"chain": chain})
    return number


async def state_of(
    database: Database, journal: Table, told: Told = quiet, noted: JournalRow | None = None
) -> JournalState:
    """Return the end of `journal`'s intact chain, and the first row that breaks it.

    `noted` is a row as somebody has kept it elsewhere: another one in its place is told, which a
    chain that was computed anew from its first row on cannot hide.
    """
    rows, head, last = 0, NO_ROW, 0
    columns = _chained(journal)
    dialect = database.dialect
    given = await database.rows(dialect.last_given.bindparams(journal=journal.name))
    total = max((int(row["seq"]) for row in given), default=0)
    page = select(*columns, journal.c.chain).order_by(journal.c.number).limit(_ROWS_AT_ONCE)
    while found := await database.rows(page.where(journal.c.number > last)):
        for row in found:
            number = int(row["number"])
            if number != last + 1:
                return JournalState(journal.name, rows, head, last + 1, MISSING)
            head = linked(head, journal.name, [row[column.name] for column in columns])
            if row["chain"] != head:
                return JournalState(journal.name, rows, head, number, CHANGED)
            if noted is not None and noted.number == number and noted.digest != head:
                return JournalState(journal.name, rows, head, number, NOT_AS_NOTED)
            rows, last = rows + 1, number
        told(journal.name, rows, max(total, rows))
    if total > last or (noted is not None and noted.number > last):
        return JournalState(journal.name, rows, head, last + 1, MISSING)
    triggers = await database.rows(dialect.triggers.bindparams(journal=journal.name))
    names = {row["name"] for row in triggers}
    if not names.issuperset(wall.format(journal.name) for wall in dialect.walls):
        return JournalState(journal.name, rows, head, None, WALLS_GONE)
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

# All columns but the chain.
_PURGE = [purge_log.c[field.name] for field in fields(Purge)]
_FIELDS = [field.name for field in fields(Access)]


class SqlJournals(SqlStore):
    """The audit (`access_log`) and the journal of purges, which triggers keep from being changed.

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
        """Keep an entry of the audit; return its number.

        No whole number may be shown before this has returned (R73).
        """
        return await self._append(access_log, _entry(access))

    async def note_unmasking(
        self, access: NewAccess, numbers: int, most: int, since: datetime
    ) -> bool:
        """Keep the entry of an act that shows whole numbers; False, and nothing is kept, if many.

        That is where `access.by` would have seen more than `most` of them after `since`.
        """

        async def run(connection: AsyncConnection) -> bool:
            # The writer has the write lock from the start: nothing is shown in between.
            entry = access_log.c
            own = entry.by == access.by, entry.at > since, entry.action.in_(sorted(UNMASKING))
            query = select(entry.action, entry.about).where(*own).limit(most)
            rows = (await connection.execute(query)).all()
            if numbers + sum(numbers_shown(*row) for row in rows) > most:
                return False
            await note_access(connection, access)
            return True

        return await self._database.writer.write(run)

    async def page(
        self,
        limit: int = 50,
        wanted: ActFilter = EVERY_ENTRY,
        before: int | None = None,
        looked_at: int = LOOKED_AT,
    ) -> AuditPage:
        """Return at most `limit` entries of the audit, the newest first, and where to go on.

        At most `looked_at` entries are looked at for what no index finds: a page may have few
        entries or none, and more behind it.
        """
        return await audit_page(self._database, limit, wanted, before, looked_at)

    async def accesses(
        self, limit: int = 50, wanted: ActFilter = EVERY_ENTRY, before: int | None = None
    ) -> list[Access]:
        """Return at most `limit` entries of the audit, the newest first.

        For the next ones give the last number as `before`.
        """
        found: list[Access] = []
        while len(found) < limit:
            entries, before = await self.page(limit - len(found), wanted, before)
            found += entries
            if before is None:
                break
        return found

    async def accesses_after(
        self, number: int, limit: int, wanted: ActFilter = EVERY_ENTRY
    ) -> list[tuple[Access, str]]:
        """Return entries with higher numbers, the oldest first, each with its digest.

        They may be fewer than `limit`; there are no more where it returns none.
        """
        last = (await self.head()).number
        while number < last:
            until = number + LOOKED_AT
            near = access_log.c.number <= until
            query = oldest(access_log, limit, near, *fitting(wanted), after=number)
            if rows := await self._database.rows(query):
                return [(_access_of(row), str(row["chain"])) for row in rows]
            number = until
        return []

    async def head(self) -> JournalRow:
        """Return the last row of the audit; number 0 and no digest for an empty one."""
        last = await self._database.first(newest(access_log, 1))
        return JournalRow(0, NO_ROW) if last is None else JournalRow(last["number"], last["chain"])

    async def states(
        self, told: Told = quiet, noted: JournalRow | None = None
    ) -> list[JournalState]:
        """Return how far the chains of the audit and of the purges are intact. Reads all rows.

        `noted` is a row of the audit as somebody has kept it elsewhere.
        """
        return [
            await state_of(self._database, access_log, told, noted),
            await state_of(self._database, purge_log, told),
        ]

    async def _append(self, journal: Table, values: dict[str, object]) -> int:
        async def run(connection: AsyncConnection) -> int:
            return await appended(connection, journal, values)

        return await self._database.writer.write(run)


async def note_access(connection: AsyncConnection, access: NewAccess) -> None:
    """Keep an entry of the audit in the commit of the act that it is about."""
    await appended(connection, access_log, _entry(access))


def _access_of(row: RowMapping) -> Access:
    return Access(**{name: row[name] for name in _FIELDS})


def _entry(access: NewAccess) -> dict[str, object]:
    """Return the row of an entry; a number that a person put into the reason is masked (R73)."""
    return values_of(access) | {"reason": masked_text(access.reason)}


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
