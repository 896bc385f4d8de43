"""Which numbers may send nothing, in SQL (contract: gateway.ports.suspensions)."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
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
    case,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.privacy import NewPurge
from gateway.domain.suspension import (
    SUBSCRIBER,
    Allowance,
    Lift,
    NewSuspension,
    Suspension,
    SuspensionState,
)
from gateway.ports.changes import ChangeKind
from gateway.ports.suspensions import SuspensionRow
from gateway.stores.database import Database
from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.sql_privacy import note_purge
from gateway.stores.tables import UtcTime, changes, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# A partial index serves only a query that repeats its condition, literals and all.
IS_ACTIVE = text("state = 'active'")
IS_UNTOLD = text("state = 'active' AND NOT is_told")

# One column for each field of domain.suspension.Suspension.
suspensions = Table(
    "suspensions",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("msisdn", SealedNumber, nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("rule", String(32), nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("state", String(8), nullable=False),
    Column("is_told", Boolean, nullable=False),
    Column("lifted_at", UtcTime),
    Column("lifted_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    # By the store, not only by its code: two would be told twice and lifted once.
    Index(
        "uq_suspensions_active",
        "msisdn",
        unique=True,
        sqlite_where=IS_ACTIVE,
        postgresql_where=IS_ACTIVE,
    ),
    Index(None, "msisdn", "number"),
    Index(
        "ix_suspensions_active_until",
        "until",
        sqlite_where=IS_ACTIVE,
        postgresql_where=IS_ACTIVE,
    ),
    Index(
        "ix_suspensions_untold",
        "system_id",
        "number",
        sqlite_where=IS_UNTOLD,
        postgresql_where=IS_UNTOLD,
    ),
    sqlite_autoincrement=True,
)


_ROWS_PER_CHANGE = 3  # the one that ended, the new one, the feed

_column = suspensions.c
_IS_OVER = _column.state != SuspensionState.ACTIVE
_ENDED = update(suspensions).values(state=SuspensionState.ENDED)
# The active one's end, and the latest lift, of each number.
_IN_FORCE = select(
    _column.msisdn,
    func.max(case((_column.state == SuspensionState.ACTIVE, _column.until))).label("until"),
    func.max(_column.lifted_at).label("lifted_at"),
).group_by(_column.msisdn)


class SqlSuspensions:
    """Rows of `suspensions`; the database sees to it that one of a number is active at most."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def suspend(self, new: NewSuspension) -> bool:
        of_number = _column.msisdn == new.msisdn
        over = _ENDED.where(of_number, IS_ACTIVE, _column.until <= new.since)
        is_known = select(
            exists().where(of_number, IS_ACTIVE)
            | exists().where(of_number, _column.lifted_at >= new.since)
        )

        async def run(connection: AsyncConnection) -> bool:
            # The writer has the write lock from the start: nobody suspends it in between.
            await connection.execute(over)
            if (await connection.execute(is_known)).scalar():
                return False
            await connection.execute(insert(suspensions), _values(new))
            await self._announce(connection, (new.msisdn,))
            return True

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def lift(self, number: int, lift: Lift, allowance: Allowance | None = None) -> bool:
        values: dict[str, object] = {
            "state": SuspensionState.LIFTED,
            "lifted_at": lift.at,
            "lifted_by": lift.by,
        }
        if lift.note:
            values["note"] = lift.note
        lifted = (
            update(suspensions)
            .where(_column.number == number, IS_ACTIVE)
            .values(values)
            .returning(_column.msisdn)
        )

        async def run(connection: AsyncConnection) -> bool:
            if allowance is not None and await _is_used_up(connection, number, allowance):
                return False
            msisdn = (await connection.execute(lifted)).scalar()
            if msisdn is None:
                return False
            await self._announce(connection, (msisdn,))
            return True

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def active_of(self, msisdn: int) -> Suspension | None:
        query = select(suspensions).where(_column.msisdn == msisdn, IS_ACTIVE)
        return next(map(_suspension_of, await self._database.rows(query)), None)

    async def listed(
        self,
        state: SuspensionState | None = None,
        *,
        msisdn: int | None = None,
        limit: int = 100,
    ) -> list[Suspension]:
        query = select(suspensions).order_by(_column.number.desc()).limit(limit)
        if state is not None:
            query = query.where(_column.state == state)
        if msisdn is not None:
            query = query.where(_column.msisdn == msisdn)
        return [_suspension_of(row) for row in await self._database.rows(query)]

    async def untold(self, system_ids: Collection[str], limit: int = 100) -> list[Suspension]:
        query = (
            select(suspensions)
            .where(IS_UNTOLD, _column.system_id.in_(system_ids))
            .order_by(_column.number)
            .limit(limit)
        )
        return [_suspension_of(row) for row in await self._database.rows(query)]

    async def claim_telling(self, number: int) -> bool:
        statement = (
            update(suspensions)
            .where(_column.number == number, _column.is_told.is_(False))
            .values(is_told=True)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount > 0

        return await self._database.writer.write(run)

    async def end_due(self, at: datetime, limit: int = 1000) -> int:
        due = (
            select(_column.number)
            .where(IS_ACTIVE, _column.until <= at)
            .order_by(_column.until)
            .limit(limit)
        )
        if not await self._database.rows(due.limit(1)):
            return 0  # as nearly always: no turn of the writer for it
        ended = _ENDED.where(_column.number.in_(due.scalar_subquery())).returning(_column.msisdn)

        async def run(connection: AsyncConnection) -> int:
            msisdns = (await connection.execute(ended)).scalars().all()
            await self._announce(connection, msisdns)
            return len(msisdns)

        return await self._database.writer.write(run, rows=limit)

    async def in_force(
        self, lifted_after: datetime, batch: int = 10_000
    ) -> AsyncIterator[list[SuspensionRow]]:
        # Page by page, so that no long read keeps SQLite from emptying its -wal file.
        is_of_use = (_column.state == SuspensionState.ACTIVE) | (_column.lifted_at > lifted_after)
        query = _IN_FORCE.where(is_of_use).order_by(_column.msisdn).limit(batch)
        last = -1
        while page := await self._rows(query.where(_column.msisdn > last)):
            yield page
            last = page[-1].msisdn

    async def rows_of(self, msisdns: Sequence[int]) -> dict[int, SuspensionRow]:
        found = await self._rows(_IN_FORCE.where(_column.msisdn.in_(msisdns)))
        return {row.msisdn: row for row in found if row.until or row.lifted_at}

    async def over_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[Suspension]:
        over = func.coalesce(_column.lifted_at, _column.until) < before
        query = (
            select(suspensions)
            .where(_IS_OVER, over, _column.number > after)
            .order_by(_column.number)
            .limit(limit)
        )
        return [_suspension_of(row) for row in await self._database.rows(query)]

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        statement = delete(suspensions).where(_IS_OVER, _column.number.in_(numbers))

        async def run(connection: AsyncConnection) -> int:
            count = (await connection.execute(statement)).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(numbers))

    async def _rows(self, query: Executable) -> list[SuspensionRow]:
        return [
            SuspensionRow(row["msisdn"], _epoch(row["until"]), _epoch(row["lifted_at"]))
            for row in await self._database.rows(query)
        ]

    async def _announce(self, connection: AsyncConnection, msisdns: Iterable[int]) -> None:
        kind, at = ChangeKind.SUSPENSION, self._utcnow()
        noted = [{"kind": kind, "key": msisdn, "at": at} for msisdn in msisdns]
        if noted:
            await connection.execute(insert(changes), noted)


async def _is_used_up(connection: AsyncConnection, number: int, allowance: Allowance) -> bool:
    whose = select(_column.msisdn).where(_column.number == number).scalar_subquery()
    own = select(func.count()).where(
        _column.msisdn == whose,
        _column.lifted_by == SUBSCRIBER,
        _column.lifted_at >= allowance.since,
    )
    return ((await connection.execute(own)).scalar() or 0) >= allowance.at_most


def _epoch(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()


def _values(new: NewSuspension) -> Mapping[str, object]:
    given = {field.name: getattr(new, field.name) for field in fields(new)}
    return given | {"state": SuspensionState.ACTIVE, "lifted_by": ""}


def _suspension_of(row: RowMapping) -> Suspension:
    values = dict(row) | {"state": SuspensionState(row["state"])}
    return Suspension(**values)
