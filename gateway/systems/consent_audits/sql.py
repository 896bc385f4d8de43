"""The store of audits of asserted consents."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewPurge
from gateway.storage.database import SqlStore, added, newest, oldest, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER
from gateway.storage.journals import note_purge
from gateway.storage.sealed_columns import SealedNumber
from gateway.storage.tables import UtcTime, metadata, word
from gateway.systems.consent_audits.model import (
    AuditItem,
    AuditTally,
    ConsentAudit,
    ItemState,
    NewConsentAudit,
)

# One column for each field of NewConsentAudit, after its number.
consent_audits = sa.Table(
    "consent_audits",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("system_id", sa.String(16), nullable=False, index=True),
    sa.Column("drawn_at", UtcTime, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("population", sa.BigInteger, nullable=False),
    **NEVER_REUSED,
)

# One column for each field of AuditItem, after the number of its audit.
consent_audit_items = sa.Table(
    "consent_audit_items",
    metadata,
    sa.Column("audit", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("item", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("msisdn", SealedNumber, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("state", word(ItemState, 8), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("answered_at", UtcTime, nullable=True),
    sa.Column("answered_by", sa.Text, nullable=False),
)


_audit, _item = consent_audits.c, consent_audit_items.c
_ITEMS = sa.select(*(_item[name] for name in AuditItem.__slots__))


class ConsentAudits(SqlStore):
    """Keeps samples and what came of them. Every call may raise StoreUnavailable."""

    async def keep(self, audit: NewConsentAudit, items: Sequence[AuditItem]) -> int:
        """Keep an audit with its items in one commit; return its number."""
        rows = [values_of(item) for item in items]

        async def run(connection: AsyncConnection) -> int:
            number = await added(connection, consent_audits, values_of(audit))
            if rows:
                await connection.execute(
                    sa.insert(consent_audit_items), [row | {"audit": number} for row in rows]
                )
            return number

        return await self._database.writer.write(run, rows=1 + len(rows))

    async def get(self, number: int) -> ConsentAudit | None:
        """Return one audit with its tally, or None."""
        found = await self._audits(sa.select(consent_audits).where(_audit.number == number))
        return next(iter(found), None)

    async def listed(
        self, *, system_id: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[ConsentAudit]:
        """Return the newest audits with their tallies, newest first.

        For the next page give the last number as `before`.
        """
        return await self._audits(newest(consent_audits, limit, before=before, system_id=system_id))

    async def items_of(self, number: int) -> list[AuditItem]:
        """Return the items of an audit in their order; none where there is no such audit."""
        query = _ITEMS.where(_item.audit == number).order_by(_item.item)
        return await self._database.records(AuditItem, query)

    async def item_of(self, number: int, item: int) -> AuditItem | None:
        """Return one item, or None."""
        query = _ITEMS.where(_item.audit == number, _item.item == item)
        return await self._database.record(AuditItem, query)

    async def answer(
        self, number: int, item: int, *, state: ItemState, note: str, by: str, at: datetime
    ) -> bool:
        """Note what was shown for an item; return whether it was OPEN until now."""
        statement = (
            sa.update(consent_audit_items)
            .where(_item.audit == number, _item.item == item, _item.state == ItemState.OPEN)
            .values(state=state, note=note, answered_at=at, answered_by=by)
        )
        return await self._database.change(statement) == 1

    async def drawn_before(
        self, before: datetime, *, after: int = 0, limit: int = 100
    ) -> list[ConsentAudit]:
        """Return audits that were drawn before `before`, by number.

        For the next page give the last number as `after`.
        """
        is_old = _audit.drawn_at < before
        return await self._audits(oldest(consent_audits, limit, is_old, after=after))

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete audits with their items; return how many audits.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        of_items = sa.delete(consent_audit_items).where(_item.audit.in_(numbers))
        of_audits = sa.delete(consent_audits).where(_audit.number.in_(numbers))

        async def run(connection: AsyncConnection) -> int:
            await connection.execute(of_items)
            count = (await connection.execute(of_audits)).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(numbers))

    async def _audits(self, query: sa.Select[tuple[object, ...]]) -> list[ConsentAudit]:
        rows = await self._database.rows(query)
        counts = (
            sa.select(_item.audit, _item.state, sa.func.count().label("items"))
            .where(_item.audit.in_([row["number"] for row in rows]))
            .group_by(_item.audit, _item.state)
        )
        tallies: dict[int, dict[str, int]] = {row["number"]: {} for row in rows}
        for row in await self._database.rows(counts) if rows else ():
            tallies[row["audit"]][row["state"]] = row["items"]
        return [ConsentAudit(**row, tally=AuditTally(**tallies[row["number"]])) for row in rows]
