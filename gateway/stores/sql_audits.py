"""Audits of asserted consents in SQL (contract: gateway.ports.audits)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    RowMapping,
    Select,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.audit import AuditItem, AuditTally, ConsentAudit, ItemState, NewConsentAudit
from gateway.domain.privacy import NewPurge
from gateway.stores.database import Database
from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.sql_privacy import note_purge
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One column for each field of domain.audit.NewConsentAudit, after its number.
consent_audits = Table(
    "consent_audits",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("system_id", String(16), nullable=False, index=True),
    Column("drawn_at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("population", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# One column for each field of domain.audit.AuditItem, after the number of its audit.
consent_audit_items = Table(
    "consent_audit_items",
    metadata,
    Column("audit", BigInteger, primary_key=True, autoincrement=False),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("msisdn", SealedNumber, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("channel", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("note", Text, nullable=False),
    Column("answered_at", UtcTime, nullable=True),
    Column("answered_by", Text, nullable=False),
)


_audit, _item = consent_audits.c, consent_audit_items.c


class SqlConsentAudits:
    """Audits as rows of `consent_audits`, their items as rows of `consent_audit_items`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, audit: NewConsentAudit, items: Sequence[AuditItem]) -> int:
        values = {name: getattr(audit, name) for name in NewConsentAudit.__slots__}
        rows = [{name: getattr(item, name) for name in AuditItem.__slots__} for item in items]

        async def run(connection: AsyncConnection) -> int:
            added = await connection.execute(
                insert(consent_audits).returning(_audit.number), values
            )
            number = int(added.scalar_one())
            if rows:
                await connection.execute(
                    insert(consent_audit_items), [row | {"audit": number} for row in rows]
                )
            return number

        return await self._database.writer.write(run, rows=1 + len(rows))

    async def get(self, number: int) -> ConsentAudit | None:
        found = await self._audits(select(consent_audits).where(_audit.number == number))
        return next(iter(found), None)

    async def listed(
        self, *, system_id: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[ConsentAudit]:
        query = select(consent_audits).order_by(_audit.number.desc()).limit(limit)
        if system_id is not None:
            query = query.where(_audit.system_id == system_id)
        if before is not None:
            query = query.where(_audit.number < before)
        return await self._audits(query)

    async def items_of(self, number: int) -> list[AuditItem]:
        query = select(consent_audit_items).where(_item.audit == number).order_by(_item.item)
        return [_item_of(row) for row in await self._database.rows(query)]

    async def item_of(self, number: int, item: int) -> AuditItem | None:
        query = select(consent_audit_items).where(_item.audit == number, _item.item == item)
        return next(map(_item_of, await self._database.rows(query)), None)

    async def answer(
        self, number: int, item: int, *, state: ItemState, note: str, by: str, at: datetime
    ) -> bool:
        statement = (
            update(consent_audit_items)
            .where(_item.audit == number, _item.item == item, _item.state == ItemState.OPEN)
            .values(state=state, note=note, answered_at=at, answered_by=by)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)

    async def drawn_before(
        self, before: datetime, *, after: int = 0, limit: int = 100
    ) -> list[ConsentAudit]:
        return await self._audits(
            select(consent_audits)
            .where(_audit.drawn_at < before, _audit.number > after)
            .order_by(_audit.number)
            .limit(limit)
        )

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        of_items = delete(consent_audit_items).where(_item.audit.in_(numbers))
        of_audits = delete(consent_audits).where(_audit.number.in_(numbers))

        async def run(connection: AsyncConnection) -> int:
            await connection.execute(of_items)
            count = (await connection.execute(of_audits)).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(numbers))

    async def _audits(self, query: Select[tuple[object, ...]]) -> list[ConsentAudit]:
        rows = await self._database.rows(query)
        counts = (
            select(_item.audit, _item.state, func.count().label("items"))
            .where(_item.audit.in_([row["number"] for row in rows]))
            .group_by(_item.audit, _item.state)
        )
        tallies: dict[int, dict[str, int]] = {row["number"]: {} for row in rows}
        for row in await self._database.rows(counts) if rows else ():
            tallies[row["audit"]][row["state"]] = row["items"]
        return [ConsentAudit(**row, tally=AuditTally(**tallies[row["number"]])) for row in rows]


def _item_of(row: RowMapping) -> AuditItem:
    given = {name: row[name] for name in AuditItem.__slots__}
    return AuditItem(**{**given, "state": ItemState(row["state"])})
