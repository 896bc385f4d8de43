"""Legal holds, journals and final messages in SQL (contract: gateway.ports.privacy)."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.privacy import (
    Access,
    JournalState,
    LegalHold,
    NewAccess,
    NewLegalHold,
    NewPurge,
    Purge,
)
from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState, ReceiptState
from gateway.stores.database import Database
from gateway.stores.journal_chain import appended, state_of
from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.tables import UtcTime, held_messages, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One column for each field of domain.privacy.LegalHold.
legal_holds = Table(
    "legal_holds",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("system_id", String(16), nullable=True),
    Column("msisdn", SealedNumber, nullable=True),
    Column("reason", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("lifted_at", UtcTime, nullable=True),
    Column("lifted_by", Text, nullable=False),
    sqlite_autoincrement=True,
)

# Of domain.privacy.Purge. Rows are only ever added, by journal_chain.appended.
purge_log = Table(
    "purge_log",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("what", String(32), nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("chain", String(64), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

# Of domain.privacy.Access. Rows are only ever added, by journal_chain.appended.
access_log = Table(
    "access_log",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("by", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("chain", String(64), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)


_hold = legal_holds.c
_held = held_messages.c
# All columns but the chain.
_PURGE = [purge_log.c[field.name] for field in fields(Purge)]
_ACCESS = [access_log.c[field.name] for field in fields(Access)]
_IS_FINAL = and_(_held.state.in_(sorted(FINAL_STATES)), _held.receipt != ReceiptState.DUE)


class SqlLegalHolds:
    """Holds as rows of `legal_holds`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, hold: NewLegalHold) -> int:
        values = {name: getattr(hold, name) for name in NewLegalHold.__slots__}
        statement = insert(legal_holds).returning(_hold.number)

        async def run(connection: AsyncConnection) -> int:
            added = await connection.execute(statement, values | {"lifted_by": ""})
            return int(added.scalar_one())

        return await self._database.writer.write(run)

    async def lift(self, number: int, by: str, at: datetime) -> bool:
        statement = (
            update(legal_holds)
            .where(_hold.number == number, _hold.lifted_at.is_(None))
            .values(lifted_at=at, lifted_by=by)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)

    async def listed(self) -> list[LegalHold]:
        rows = await self._database.rows(select(legal_holds).order_by(_hold.number.desc()))
        return [LegalHold(**row) for row in rows]


class SqlJournals:
    """The rows of `purge_log` and `access_log`, which triggers keep from being changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note_purge(self, purge: NewPurge) -> int:
        return await self._append(purge_log, _values(purge))

    async def purges(self, limit: int = 50) -> list[Purge]:
        query = select(*_PURGE).order_by(purge_log.c.number.desc()).limit(limit)
        return [Purge(**row) for row in await self._database.rows(query)]

    async def note_access(self, access: NewAccess) -> int:
        values = {name: getattr(access, name) for name in NewAccess.__slots__}
        return await self._append(access_log, values)

    async def accesses(self, limit: int = 50) -> list[Access]:
        query = select(*_ACCESS).order_by(access_log.c.number.desc()).limit(limit)
        return [Access(**row) for row in await self._database.rows(query)]

    async def states(self) -> list[JournalState]:
        return [await state_of(self._database, journal) for journal in (access_log, purge_log)]

    async def _append(self, journal: Table, values: dict[str, object]) -> int:
        async def run(connection: AsyncConnection) -> int:
            return await appended(connection, journal, values)

        return await self._database.writer.write(run)


class SqlFinalMessages:
    """Rows of `held_messages` that nothing can move any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def held_before(
        self, before: datetime, *, after_id: int = 0, limit: int = 500
    ) -> list[HeldMessage]:
        query = (
            select(held_messages)
            .where(_IS_FINAL, _held.held_at < before, _held.message_id > after_id)
            .order_by(_held.message_id)
            .limit(limit)
        )
        return [
            HeldMessage(
                **{
                    **row,
                    "state": HoldState(row["state"]),
                    "receipt": ReceiptState(row["receipt"]),
                }
            )
            for row in await self._database.rows(query)
        ]

    async def forget(self, message_ids: Sequence[int], purge: NewPurge) -> int:
        these = and_(_IS_FINAL, _held.message_id.in_(message_ids))

        async def run(connection: AsyncConnection) -> int:
            found = select(func.count()).select_from(held_messages).where(these)
            count = int((await connection.execute(found)).scalar_one())
            if count:
                await connection.execute(delete(held_messages).where(these))
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(message_ids))


async def note_purge(connection: AsyncConnection, purge: NewPurge, count: int) -> None:
    """Journal that `count` went, in the commit in which they go; nothing where none does."""
    if count:
        await appended(connection, purge_log, _values(purge) | {"count": count})


def _values(purge: NewPurge) -> dict[str, object]:
    return {name: getattr(purge, name) for name in NewPurge.__slots__}
