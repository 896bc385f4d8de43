"""The feed of changes in SQL (contract: gateway.ports.changes)."""

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ports.changes import UNNAMED, Change, ChangeKind
from gateway.stores.database import Database
from gateway.stores.tables import changes

_column = changes.c


class SqlChanges:
    """Changes as rows of `changes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        query = select(changes).where(_column.number > after).order_by(_column.number).limit(limit)
        rows = await self._database.rows(query)
        return [Change(**{**row, "kind": ChangeKind(row["kind"])}) for row in rows]

    async def latest(self) -> int:
        query = select(func.coalesce(func.max(_column.number), 0).label("latest"))
        rows = await self._database.rows(query)
        return int(rows[0]["latest"])

    async def prune(self, before: datetime) -> int:
        latest = select(func.max(_column.number)).scalar_subquery()
        statement = delete(changes).where(_column.at < before, _column.number < latest)

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._database.writer.write(run)

    async def forget_subscribers(self, before: datetime) -> int:
        statement = (
            update(changes)
            .where(
                _column.kind == ChangeKind.PREFERENCES,
                _column.at < before,
                _column.key != UNNAMED,
            )
            .values(key=UNNAMED)
        )

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._database.writer.write(run)
