"""What SPs are told of themselves, each once: what ends, warnings, throttling, suspended ports."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import SqlStore, values_of
from gateway.storage.dialect import upsert
from gateway.storage.tables import UtcTime, metadata, word


class AlertKind(StrEnum):
    """What an SP can be told of."""

    ENDING = "ending"
    WARNING = "warning"
    THROTTLED = "throttled"
    PORT_SUSPENDED = "port_suspended"
    PORT_RESUMED = "port_resumed"
    SANCTION = "sanction"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class SenderAlert:
    """One alert: `about` tells it from others of its kind, `fields` is what is said, as JSON."""

    system_id: str
    kind: AlertKind
    about: str
    fields: str
    at: datetime


sender_alerts = sa.Table(
    "sender_alerts",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("kind", word(AlertKind, 16), primary_key=True),
    sa.Column("about", sa.String(128), primary_key=True),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Column("told_at", UtcTime, nullable=True),  # by the webhook
    sa.Column("mailed_at", UtcTime, nullable=True),
)

_column = sender_alerts.c
_SHOWN = [_column[field.name] for field in fields(SenderAlert)]
_AT_ONCE = 500


class SenderAlertStore(SqlStore):
    """Keeps alerts. Every call raises StoreUnavailable, and may be repeated."""

    async def add(self, alerts: Sequence[SenderAlert]) -> None:
        """Keep alerts; those that are on record stay as they are, and are not told again."""
        statement = upsert(sender_alerts, where=sa.false())

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(statement, [values_of(one) for one in alerts])

        if alerts:
            await self._database.writer.write(run, rows=len(alerts))

    async def untold(
        self, system_ids: Collection[str], since: datetime, *, by_mail: bool = False
    ) -> list[SenderAlert]:
        """Return alerts of these SPs, at most 500 and raised after `since`, the oldest first.

        They were not posted yet, or with `by_mail` not mailed.
        """
        told_at = _column.mailed_at if by_mail else _column.told_at
        query = (
            sa.select(*_SHOWN)
            .where(told_at.is_(None), _column.at > since)
            .where(_column.system_id.in_(sorted(system_ids)))
            .order_by(_column.at, *sender_alerts.primary_key)
            .limit(_AT_ONCE)
        )
        return await self._database.records(SenderAlert, query)

    async def told(
        self, alerts: Collection[SenderAlert], at: datetime, *, by_mail: bool = False
    ) -> None:
        """Note that their SP has taken them, or with `by_mail` a server of mail."""
        keys = [(one.system_id, one.kind.value, one.about) for one in alerts]
        named = sa.tuple_(*sender_alerts.primary_key).in_(keys)
        await self._database.change(
            sa.update(sender_alerts)
            .where(named)
            .values({"mailed_at" if by_mail else "told_at": at}),
            rows=len(keys),
        )

    async def listed(
        self, system_id: str | None, limit: int
    ) -> list[tuple[SenderAlert, datetime | None]]:
        """Return the newest alerts of an SP, or of all, and when their SP took each of them."""
        query = sa.select(sender_alerts).order_by(_column.at.desc(), *sender_alerts.primary_key)
        if system_id is not None:
            query = query.where(_column.system_id == system_id)
        rows = await self._database.rows(query.limit(limit))
        return [
            (
                SenderAlert(**{name: row[name] for name in SenderAlert.__slots__}),
                row["told_at"] or row["mailed_at"],
            )
            for row in rows
        ]

    async def forget(self, before: datetime) -> int:
        """Delete alerts that were raised before a moment; return how many."""
        return await self._database.change(sa.delete(sender_alerts).where(_column.at < before))
