"""What SPs have filed, in SQL (contract: gateway.ports.filings)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import RowMapping, Select, Table, bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as insert_or_update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.filings import (
    KEYS,
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
)
from gateway.ports.changes import ChangeKind
from gateway.stores.database import Database
from gateway.stores.filings_tables import TABLES
from gateway.stores.tables import changes

_OF: Mapping[type[Filing], Callable[[RowMapping], Filing]] = {
    Licence: lambda row: Licence(**row),
    Signature: lambda row: Signature(**row),
    Template: lambda row: Template(**{**row, "kind": TemplateKind(row["kind"])}),
    PortScope: lambda row: PortScope(**row),
    Approval: lambda row: Approval(**row),
}

_KEY = "key_"  # a parameter may not bear the name of the column it is compared with


class SqlFilings:
    """Each kind of filing in a table of its own."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def put(self, filings: Sequence[Filing]) -> None:
        if not filings:
            return
        rows = _rows_by_kind(filings)
        noted = _changes_of(filings, self._utcnow())

        async def run(connection: AsyncConnection) -> None:
            for kind, values in rows.items():
                await connection.execute(_upsert(TABLES[kind], KEYS[kind]), values)
            await connection.execute(insert(changes), noted)

        await self._database.writer.write(run, rows=len(filings) + len(noted))

    async def remove(self, filings: Sequence[Filing]) -> int:
        if not filings:
            return 0
        rows = _rows_by_kind(filings)
        noted = _changes_of(filings, self._utcnow())

        async def run(connection: AsyncConnection) -> int:
            removed = 0
            for kind, values in rows.items():
                table = TABLES[kind]
                same = [table.c[name] == bindparam(f"{_KEY}{name}") for name in KEYS[kind]]
                keys = [{f"{_KEY}{name}": row[name] for name in KEYS[kind]} for row in values]
                removed += (await connection.execute(delete(table).where(*same), keys)).rowcount
            await connection.execute(insert(changes), noted)
            return removed

        return await self._database.writer.write(run, rows=len(filings) + len(noted))

    async def of(self, system_id: str) -> tuple[Filing, ...]:
        return await self._read(
            {
                kind: select(table).where(table.c.system_id == system_id)
                for kind, table in TABLES.items()
            }
        )

    async def all_filings(self) -> tuple[Filing, ...]:
        return await self._read({kind: select(table) for kind, table in TABLES.items()})

    async def _read(
        self, queries: Mapping[type[Filing], Select[tuple[object, ...]]]
    ) -> tuple[Filing, ...]:
        async def run(connection: AsyncConnection) -> tuple[Filing, ...]:
            found: list[Filing] = []
            for kind, query in queries.items():
                ordered = query.order_by(*TABLES[kind].primary_key)
                rows = (await connection.execute(ordered)).mappings()
                found += map(_OF[kind], rows)
            return tuple(found)

        # One connection for all of them, so that they are of one moment.
        return await self._database.read(run)


def _upsert(table: Table, keys: Sequence[str]) -> Insert:
    upsert = insert_or_update(table)
    rest = {
        column.name: upsert.excluded[column.name] for column in table.c if column.name not in keys
    }
    return upsert.on_conflict_do_update(index_elements=list(keys), set_=rest)


def _rows_by_kind(filings: Sequence[Filing]) -> Mapping[type[Filing], list[dict[str, object]]]:
    rows: defaultdict[type[Filing], list[dict[str, object]]] = defaultdict(list)
    for filing in filings:
        kind = type(filing)
        names = TABLES[kind].c.keys()
        rows[kind].append({name: getattr(filing, name) for name in names})
    return rows


def _changes_of(filings: Sequence[Filing], at: datetime) -> list[dict[str, object]]:
    senders = dict.fromkeys(filing.system_id for filing in filings)
    return [{"kind": ChangeKind.FILINGS, "key": sender, "at": at} for sender in senders]
