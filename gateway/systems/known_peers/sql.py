"""Known peers in SQL (contract: gateway.ports.known_peers)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, String, Table, delete, select, tuple_
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ports.known_peers import KnownPeer
from gateway.stores.database import Database
from gateway.stores.tables import UtcTime, metadata

known_peers = Table(
    "known_peers",
    metadata,
    Column("system_id", String(16), primary_key=True),
    Column("origin", String(64), primary_key=True),
    Column("bound_at", UtcTime, nullable=False, index=True),
)


_peer = known_peers.c
_NEWEST_FIRST = (_peer.bound_at.desc(), _peer.system_id.desc(), _peer.origin.desc())


class SqlKnownPeers:
    """Rows of `known_peers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, peers: Sequence[KnownPeer]) -> None:
        if not peers:
            return
        new = insert(known_peers)
        statement = new.on_conflict_do_update(
            index_elements=[_peer.system_id, _peer.origin],
            set_={"bound_at": new.excluded.bound_at},
            where=_peer.bound_at < new.excluded.bound_at,
        )
        rows = [peer._asdict() for peer in peers]

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(statement, rows)

        await self._database.writer.write(run, rows=len(rows))

    async def listed(self, after: datetime, limit: int) -> list[KnownPeer]:
        query = select(known_peers).where(_peer.bound_at > after)
        rows = await self._database.rows(query.order_by(*_NEWEST_FIRST).limit(limit))
        return [KnownPeer(row["system_id"], row["origin"], row["bound_at"]) for row in rows][::-1]

    async def forget(self, before: datetime, keep: int) -> int:
        surplus = (
            select(_peer.system_id, _peer.origin).order_by(*_NEWEST_FIRST).limit(-1).offset(keep)
        )
        old = delete(known_peers).where(_peer.bound_at < before)
        others = delete(known_peers).where(tuple_(_peer.system_id, _peer.origin).in_(surplus))

        async def run(connection: AsyncConnection) -> int:
            gone = (await connection.execute(old)).rowcount
            return gone + (await connection.execute(others)).rowcount

        return await self._database.writer.write(run)
