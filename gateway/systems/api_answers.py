"""Answers to requests of API clients that have a key, told again when the same one comes."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import SqlStore
from gateway.storage.sealed_columns import SealedOctets
from gateway.storage.tables import UtcTime, metadata
from gateway.web.idempotency import KeptAnswer

KEPT_FOR = timedelta(hours=24)
KEPT_OF_CLIENT = 10_000

_OCTETS_PER_ROW = 4096

api_answers = sa.Table(
    "api_answers",
    metadata,
    sa.Column("key_sha256", sa.String(64), primary_key=True),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("request_sha256", sa.String(64), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", SealedOctets("api_answers.body"), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index(None, "at"),
    sa.Index(None, "client", "at"),
)

_column = api_answers.c
_KEPT = sa.select(_column.request_sha256, _column.status, _column.body)


class ApiAnswerStore(SqlStore):
    """Keeps answers for a day, at most KEPT_OF_CLIENT of each client.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def reserve(self, client: str, key_sha256: str, request_sha256: str) -> KeptAnswer | None:
        """Return what stands for a key of a client; None if it stands for this request from now.

        Of callers at once one gets None.
        """
        now = self._utcnow()
        row = {
            "key_sha256": key_sha256,
            "client": client,
            "request_sha256": request_sha256,
            "status": 0,
            "body": b"",
            "at": now,
        }
        own = sa.select(_column.key_sha256).where(_column.client == client)
        many = own.order_by(_column.at.desc()).offset(KEPT_OF_CLIENT - 1).limit(1000)

        async def run(connection: AsyncConnection) -> KeptAnswer | None:
            # The writer has the write lock from the start: nobody reserves in between.
            await connection.execute(sa.delete(api_answers).where(_column.at <= now - KEPT_FOR))
            query = _KEPT.where(_column.key_sha256 == key_sha256)
            found = (await connection.execute(query)).mappings().first()
            if found is not None:
                return KeptAnswer(**found)
            await connection.execute(sa.delete(api_answers).where(_column.key_sha256.in_(many)))
            await connection.execute(sa.insert(api_answers), row)
            return None

        return await self._database.writer.write(run, rows=2)

    async def keep(self, key_sha256: str, status: int, body: bytes) -> None:
        """Keep the answer to the request of a key."""
        statement = sa.update(api_answers).where(_column.key_sha256 == key_sha256)
        rows = 1 + len(body) // _OCTETS_PER_ROW
        await self._database.change(statement.values(status=status, body=body), rows=rows)

    async def forget(self, key_sha256: str) -> None:
        """Forget a key: its request changed nothing."""
        await self._database.change(sa.delete(api_answers).where(_column.key_sha256 == key_sha256))
