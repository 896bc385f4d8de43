"""What subscribers want to receive, in SQL (contract: gateway.ports.preferences)."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Executable,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    insert,
    select,
)
from sqlalchemy.dialects.sqlite import insert as insert_or_update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Edit,
    JournalEntry,
    PreferenceList,
    packed,
    unpacked,
)
from gateway.domain.privacy import NewPurge
from gateway.ports.changes import ChangeKind
from gateway.ports.preferences import OldEntry, PreferenceEdit, PreferenceRow
from gateway.stores.database import Database
from gateway.stores.sealed_columns import BEFORE_ALL, SealedNumber, SealedText
from gateway.stores.sql_privacy import note_purge
from gateway.stores.tables import UtcTime, changes, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# `rules` is what gateway.domain.preferences.packed makes: a line for each preference, its kind
# and action a letter each. It is read, changed and written as a whole.
preferences = Table(
    "preferences",
    metadata,
    Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    Column("rules", SealedText("preferences.rules"), nullable=False),
    # As many short rows as subscribers, read in the order of their key.
    sqlite_with_rowid=False,
)

# Append-only: rows are added, and deleted by retention or at the subscriber's request.
preference_journal = Table(
    "preference_journal",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("msisdn", SealedNumber, nullable=False),
    Column("at", UtcTime, nullable=False, index=True),
    Column("channel", String(8), nullable=False),
    Column("by", Text, nullable=False),
    Column("before", SealedText("preference_journal.before"), nullable=False),
    Column("after", SealedText("preference_journal.after"), nullable=False),
    Column("is_erasure", Boolean, nullable=False),
    Index(None, "msisdn", "number"),
    sqlite_autoincrement=True,
)


_ROWS_PER_CHANGE = 3  # the preferences, the journal, the feed

_column = preferences.c
_entry = preference_journal.c
_upsert = insert_or_update(preferences)
_UPSERT = _upsert.on_conflict_do_update(
    index_elements=[_column.msisdn], set_={"rules": _upsert.excluded.rules}
)


class SqlPreferences:
    """A row of `preferences` for each subscriber who has any, and `preference_journal`."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def of(self, msisdn: int) -> PreferenceList:
        found = await self.packed_of((msisdn,))
        return unpacked(found.get(msisdn, ""))

    async def change(self, msisdn: int, edit: Edit, origin: ChangeOrigin) -> PreferenceEdit:
        query = select(_column.rules).where(_column.msisdn == msisdn)

        async def run(connection: AsyncConnection) -> PreferenceEdit:
            # The writer has the write lock from the start: nobody changes it in between.
            before = unpacked((await connection.execute(query)).scalar() or "")
            after = edit(before)
            if after != before:
                await _put(connection, msisdn, packed(after))
                entry = JournalEntry(origin, before, after)
                await connection.execute(insert(preference_journal), _values(msisdn, entry))
                await self._announce(connection, msisdn)
            return PreferenceEdit(before, after)

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def erase(self, msisdn: int, origin: ChangeOrigin) -> bool:
        something = select(
            exists().where(_column.msisdn == msisdn) | exists().where(_entry.msisdn == msisdn)
        )
        announced = (
            changes.c.kind == ChangeKind.PREFERENCES,
            changes.c.key == bindparam("key", type_=changes.c.key.type),
        )

        async def run(connection: AsyncConnection) -> bool:
            if not (await connection.execute(something)).scalar():
                return False
            await connection.execute(delete(preferences).where(_column.msisdn == msisdn))
            await connection.execute(delete(preference_journal).where(_entry.msisdn == msisdn))
            await connection.execute(delete(changes).where(*announced), {"key": msisdn})
            entry = JournalEntry(origin, (), (), is_erasure=True)
            await connection.execute(insert(preference_journal), _values(BEFORE_ALL, entry))
            await self._announce(connection, msisdn)
            return True

        is_erased = await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)
        if is_erased:
            await self._database.empty_wal()
        return is_erased

    async def journal_of(self, msisdn: int, limit: int = 1000) -> list[JournalEntry]:
        query = (
            select(preference_journal)
            .where(_entry.msisdn == msisdn)
            .order_by(_entry.number.desc())
            .limit(limit)
        )
        newest_first = await self._database.rows(query)
        return [_entry_of(row) for row in reversed(newest_first)]

    async def journaled_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[OldEntry]:
        query = (
            select(_entry.number, _entry.msisdn, _entry.at, _entry.is_erasure)
            .where(_entry.at < before, _entry.number > after)
            .order_by(_entry.number)
            .limit(limit)
        )
        return [
            OldEntry(row["number"], None if row["is_erasure"] else row["msisdn"], row["at"])
            for row in await self._database.rows(query)
        ]

    async def forget_entries(self, numbers: Sequence[int], purge: NewPurge) -> int:
        statement = delete(preference_journal).where(_entry.number.in_(numbers))

        async def run(connection: AsyncConnection) -> int:
            count = (await connection.execute(statement)).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(numbers))

    async def all_preferences(self, batch: int = 10_000) -> AsyncIterator[list[PreferenceRow]]:
        # Page by page, so that no long read keeps SQLite from emptying its -wal file.
        query = select(_column.msisdn, _column.rules).order_by(_column.msisdn).limit(batch)
        last = -1
        while page := await self._rows(query.where(_column.msisdn > last)):
            yield page
            last = page[-1][0]

    async def packed_of(self, msisdns: Sequence[int]) -> dict[int, str]:
        query = select(_column.msisdn, _column.rules).where(_column.msisdn.in_(msisdns))
        return dict(await self._rows(query))

    async def _rows(self, query: Executable) -> list[PreferenceRow]:
        async def run(connection: AsyncConnection) -> list[PreferenceRow]:
            return [(msisdn, rules) for msisdn, rules in await connection.execute(query)]

        return await self._database.read(run)

    async def _announce(self, connection: AsyncConnection, msisdn: int) -> None:
        change = {"kind": ChangeKind.PREFERENCES, "key": msisdn, "at": self._utcnow()}
        await connection.execute(insert(changes), change)


async def _put(connection: AsyncConnection, msisdn: int, rules: str) -> None:
    if rules:
        await connection.execute(_UPSERT, {"msisdn": msisdn, "rules": rules})
    else:
        await connection.execute(delete(preferences).where(_column.msisdn == msisdn))


def _values(msisdn: int, entry: JournalEntry) -> dict[str, object]:
    return {
        "msisdn": msisdn,
        "at": entry.origin.at,
        "channel": entry.origin.channel,
        "by": entry.origin.by,
        "before": packed(entry.before),
        "after": packed(entry.after),
        "is_erasure": entry.is_erasure,
    }


def _entry_of(row: RowMapping) -> JournalEntry:
    origin = ChangeOrigin(Channel(row["channel"]), row["at"], row["by"])
    return JournalEntry(
        origin, unpacked(row["before"]), unpacked(row["after"]), is_erasure=row["is_erasure"]
    )
