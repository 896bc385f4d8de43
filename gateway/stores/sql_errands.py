"""Errands in SQL (contract: gateway.ports.errands)."""

from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import datetime

from sqlalchemy import RowMapping, and_, case, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.errand import (
    MAX_ATTEMPTS,
    SECRET_KINDS,
    Errand,
    ErrandKind,
    ErrandState,
    NewErrand,
)
from gateway.ports.changes import ChangeKind
from gateway.stores.database import Database
from gateway.stores.errands_tables import IS_WAITING, errands
from gateway.stores.tables import changes

_column = errands.c
_SHOWN = [_column[field.name] for field in fields(Errand)]
_SECRET = sorted(SECRET_KINDS)
_LEFT_OF_TEXT = case((_column.kind.in_(_SECRET), ""), else_=_column.text)


class SqlErrands:
    """Errands as rows of `errands`."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def add(self, errand: NewErrand) -> int:
        async def run(connection: AsyncConnection) -> int:
            return await add_errand(connection, errand, self._utcnow())

        return await self._database.writer.write(run, rows=2)

    async def get(self, number: int) -> Errand | None:
        rows = await self._database.rows(select(*_SHOWN).where(_column.number == number))
        return _errand_of(rows[0]) if rows else None

    async def waiting_ports(self) -> set[str]:
        query = select(_column.port).where(IS_WAITING).distinct()
        return {row["port"] for row in await self._database.rows(query)}

    async def take_waiting(
        self, now: datetime, until: datetime, ports: Collection[str], limit: int
    ) -> list[Errand]:
        free = (
            select(_column.number)
            .where(
                IS_WAITING,
                _column.port.in_(ports),
                _column.free_at <= now,
                _column.not_after > now,
                _column.attempts < MAX_ATTEMPTS,
            )
            .order_by(_column.number)
            .limit(limit)
        )
        taking = (
            update(errands)
            .where(_column.number.in_(free.scalar_subquery()))
            .values(free_at=until, attempts=_column.attempts + 1)
            .returning(*_SHOWN)
        )

        # What waits for a bind, or for later, must not cost a commit each time.
        if not await self._database.rows(free.limit(1)):
            return []

        async def run(connection: AsyncConnection) -> list[Errand]:
            taken = (await connection.execute(taking)).mappings()
            return sorted(map(_errand_of, taken), key=lambda errand: errand.number)

        return await self._database.writer.write(run, rows=limit)

    async def put_back(self, number: int, at: datetime, *, was_written: bool) -> None:
        counted = _column.attempts if was_written else _column.attempts - 1
        statement = (
            update(errands)
            .where(IS_WAITING, _column.number == number)
            .values(free_at=at, attempts=counted)
        )

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.writer.write(run)

    async def finish(self, number: int, state: ErrandState, message_id: str = "") -> bool:
        statement = (
            update(errands)
            .where(IS_WAITING, _column.number == number)
            .values(state=state.value, message_id=message_id, text=_LEFT_OF_TEXT)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)

    async def expire(self, now: datetime, limit: int) -> list[Errand]:
        over = (
            select(_column.number)
            .where(
                IS_WAITING,
                _column.free_at <= now,
                or_(_column.not_after <= now, _column.attempts >= MAX_ATTEMPTS),
            )
            .limit(limit)
        )
        # Most looks find nothing, and nothing must not cost a commit.
        if not await self._database.rows(over.limit(1)):
            return []
        ending = (
            update(errands)
            .where(_column.number.in_(over.scalar_subquery()))
            .values(state=ErrandState.EXPIRED.value, text=_LEFT_OF_TEXT)
            .returning(*_SHOWN)
        )

        async def run(connection: AsyncConnection) -> list[Errand]:
            ended = (await connection.execute(ending)).mappings()
            return sorted(map(_errand_of, ended), key=lambda errand: errand.number)

        return await self._database.writer.write(run, rows=limit)

    async def forget(self, before: datetime) -> int:
        done = and_(_column.created_at < before, _column.state != ErrandState.WAITING.value)

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(errands).where(done))).rowcount

        return await self._database.writer.write(run)


async def add_errand(connection: AsyncConnection, errand: NewErrand, at: datetime) -> int:
    """Insert an errand and its change within the transaction of what asks for it."""
    given = [field.name for field in fields(NewErrand) if field.name != "not_before"]
    values = {name: getattr(errand, name) for name in given}
    standing = {"state": ErrandState.WAITING.value, "attempts": 0, "message_id": ""}
    made = await connection.execute(
        insert(errands).returning(_column.number),
        {**values, **standing, "kind": errand.kind.value, "free_at": errand.due_at},
    )
    number = int(made.scalar_one())
    change = {"kind": ChangeKind.ERRAND, "key": str(number), "at": at}
    await connection.execute(insert(changes), change)
    return number


def _errand_of(row: RowMapping) -> Errand:
    return Errand(
        **{**row, "kind": ErrandKind(row["kind"]), "state": ErrandState(row["state"])},
    )
