"""Policy versions in SQL (contract: gateway.systems.policy_history.model)."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import SqlStore, added, oldest, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.tables import UtcTime, metadata
from gateway.systems.policy_history.model import (
    REQUESTS_KEPT,
    VERSIONS_KEPT,
    NewPolicyRequest,
    NewPolicyVersion,
    PolicyRequest,
    PolicyVersion,
    ReloadRequestState,
)

# One column for each field of NewPolicyVersion, and of PolicyRequest.
policy_versions = sa.Table(
    "policy_versions",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    *columns(sa.Text, "by", "note"),
    sa.Column("archive", sa.LargeBinary, nullable=False),
    **NEVER_REUSED,
)

policy_requests = sa.Table(
    "policy_requests",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    *columns(sa.Text, "by", "note"),
    sa.Column("force", sa.Boolean, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    # What the gateway asks every few moments.
    sa.Index(None, "state", "number"),
    **NEVER_REUSED,
)

_OCTETS_PER_ROW = 4096

_version = policy_versions.c
_request = policy_requests.c
_NEWEST_DIGEST = sa.select(_version.digest).order_by(_version.number.desc()).limit(1)
# Without the archives, which may be large.
_VERSIONS = sa.select(
    *(column for column in _version if column is not _version.archive),
    sa.func.length(_version.archive).label("archive_octets"),
)


class SqlPolicies(SqlStore):
    """Versions as rows of `policy_versions`, wishes as rows of `policy_requests`."""

    async def record(self, version: NewPolicyVersion) -> int | None:
        async def run(connection: AsyncConnection) -> int | None:
            # The writer has the write lock from the start: nobody records in between.
            if (await connection.execute(_NEWEST_DIGEST)).scalar() == version.digest:
                return None
            number = await added(connection, policy_versions, values_of(version))
            too_old = _version.number <= number - VERSIONS_KEPT
            await connection.execute(sa.delete(policy_versions).where(too_old))
            return number

        rows = 1 + len(version.archive) // _OCTETS_PER_ROW
        return await self._database.writer.write(run, rows=rows)

    async def versions(self, limit: int = 50) -> list[PolicyVersion]:
        rows = await self._database.rows(_VERSIONS.order_by(_version.number.desc()).limit(limit))
        return [PolicyVersion(**row) for row in rows]

    async def version(self, number: int) -> PolicyVersion | None:
        rows = await self._database.rows(_VERSIONS.where(_version.number == number))
        return next((PolicyVersion(**row) for row in rows), None)

    async def archive_of(self, number: int) -> bytes:
        query = sa.select(_version.archive).where(_version.number == number)
        return next((bytes(row["archive"]) for row in await self._database.rows(query)), b"")

    async def ask(self, request: NewPolicyRequest) -> int:
        values = values_of(request) | {"state": ReloadRequestState.OPEN, "said": ""}

        async def run(connection: AsyncConnection) -> int:
            number = await added(connection, policy_requests, values)
            too_old = _request.number <= number - REQUESTS_KEPT
            await connection.execute(sa.delete(policy_requests).where(too_old))
            return number

        return await self._database.writer.write(run)

    async def open_request(self) -> PolicyRequest | None:
        query = oldest(policy_requests, 1, _request.state == ReloadRequestState.OPEN)
        return _first_of(await self._database.rows(query))

    async def answer(self, number: int, state: ReloadRequestState, said: str) -> bool:
        statement = (
            sa.update(policy_requests)
            .where(_request.number == number, _request.state == ReloadRequestState.OPEN)
            .values(state=state, said=said)
        )
        return await self._database.change(statement) == 1

    async def request(self, number: int) -> PolicyRequest | None:
        query = sa.select(policy_requests).where(_request.number == number)
        return _first_of(await self._database.rows(query))


def _first_of(rows: Sequence[sa.RowMapping]) -> PolicyRequest | None:
    found = (PolicyRequest(**{**row, "state": ReloadRequestState(row["state"])}) for row in rows)
    return next(found, None)
