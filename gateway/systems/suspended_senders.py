"""SPs suspended and SMSCs drained by order: until a person lifts it, over restarts too."""

from dataclasses import fields

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.live import SuspendedSender
from gateway.storage.database import SqlStore, values_of
from gateway.storage.dialect import columns, upsert
from gateway.storage.tables import UtcTime, metadata

# One column for each field of domain.live.SuspendedSender; one row for each SP.
suspended_senders = sa.Table(
    "suspended_senders",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("since", UtcTime, nullable=False),
    *columns(sa.Text, "by", "note"),
)

_column = suspended_senders.c
_SHOWN = [_column[field.name] for field in fields(SuspendedSender)]

drained_smscs = sa.Table(
    "drained_smscs",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("since", UtcTime, nullable=False),
)


class SuspendedSenderStore(SqlStore):
    """Keeps which SPs are suspended. Every call raises StoreUnavailable, and may be repeated."""

    async def suspend(self, one: SuspendedSender) -> None:
        """Keep that an SP is suspended, in place of what was known of it before."""

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(_deletion(one.system_id))
            await connection.execute(sa.insert(suspended_senders), values_of(one))

        await self._database.writer.write(run)

    async def resume(self, system_id: str) -> None:
        """Forget that an SP is suspended."""
        await self._database.change(_deletion(system_id))

    async def listed(self) -> list[SuspendedSender]:
        """Return all that are suspended, by system_id."""
        query = sa.select(*_SHOWN).order_by(_column.system_id)
        return [SuspendedSender(**row) for row in await self._database.rows(query)]


class DrainedSmscStore(SqlStore):
    """Keeps which SMSCs are drained. Every call raises StoreUnavailable, and may be repeated."""

    async def drain(self, name: str) -> None:
        """Keep that an SMSC is drained."""
        row = {"name": name, "since": self._utcnow()}
        await self._database.change(upsert(drained_smscs, where=sa.false()), row)

    async def resume(self, name: str) -> None:
        """Forget that an SMSC is drained."""
        await self._database.change(sa.delete(drained_smscs).where(drained_smscs.c.name == name))

    async def listed(self) -> list[str]:
        """Return the names of all that are drained, in order."""
        query = sa.select(drained_smscs.c.name).order_by(drained_smscs.c.name)
        return [row["name"] for row in await self._database.rows(query)]


def _deletion(system_id: str) -> sa.Delete:
    return sa.delete(suspended_senders).where(_column.system_id == system_id)
