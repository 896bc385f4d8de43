"""Addresses from which SPs have bound: a lock-out of others spares them, also after a restart."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import SqlStore
from gateway.storage.dialect import insert_or_update
from gateway.storage.tables import UtcTime, metadata


class KnownPeer(NamedTuple):
    """When an SP last bound from `origin`: an IPv4 address, or the /64 of an IPv6 address."""

    system_id: str
    origin: str
    bound_at: datetime


known_peers = sa.Table(
    "known_peers",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("origin", sa.String(64), primary_key=True),
    sa.Column("bound_at", UtcTime, nullable=False, index=True),
)


_peer = known_peers.c
_NEWEST_FIRST = (_peer.bound_at.desc(), _peer.system_id.desc(), _peer.origin.desc())


class KnownPeerStore(SqlStore):
    """Every call may be repeated, and raises StoreUnavailable when the store does not answer."""

    async def note(self, peers: Sequence[KnownPeer]) -> None:
        """Keep peers; one of the same system_id and origin is kept once, with the later time."""
        if not peers:
            return
        new = insert_or_update(known_peers)
        statement = new.on_conflict_do_update(
            index_elements=[_peer.system_id, _peer.origin],
            set_={"bound_at": new.excluded.bound_at},
            where=_peer.bound_at < new.excluded.bound_at,
        )
        rows = [peer._asdict() for peer in peers]
        await self._database.change(statement, rows, rows=len(rows))

    async def listed(self, after: datetime, limit: int) -> list[KnownPeer]:
        """Return the `limit` that bound last, of those after a moment, the oldest first."""
        query = sa.select(known_peers).where(_peer.bound_at > after)
        rows = await self._database.rows(query.order_by(*_NEWEST_FIRST).limit(limit))
        return [KnownPeer(row["system_id"], row["origin"], row["bound_at"]) for row in rows][::-1]

    async def forget(self, before: datetime, keep: int) -> int:
        """Delete what is older, and all but the newest `keep`; return how many."""
        surplus = sa.select(_peer.system_id, _peer.origin).order_by(*_NEWEST_FIRST).offset(keep)
        old = sa.delete(known_peers).where(_peer.bound_at < before)
        others = sa.delete(known_peers).where(sa.tuple_(_peer.system_id, _peer.origin).in_(surplus))

        async def run(connection: AsyncConnection) -> int:
            gone = (await connection.execute(old)).rowcount
            return gone + (await connection.execute(others)).rowcount

        return await self._database.writer.write(run)
