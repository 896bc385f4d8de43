"""Policy versions in SQL (contract: gateway.ports.policies)."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.policy_history import (
    NewPolicyRequest,
    NewPolicyVersion,
    PolicyRequest,
    PolicyVersion,
    ReloadRequestState,
)
from gateway.ports.policies import REQUESTS_KEPT, VERSIONS_KEPT
from gateway.stores.database import Database
from gateway.stores.tables import policy_requests, policy_versions

_OCTETS_PER_ROW = 4096

_version = policy_versions.c
_request = policy_requests.c
_NEWEST_DIGEST = select(_version.digest).order_by(_version.number.desc()).limit(1)
# Without the archives, which may be large.
_VERSIONS = select(
    *(column for column in _version if column is not _version.archive),
    func.length(_version.archive).label("archive_octets"),
)


class SqlPolicies:
    """Versions as rows of `policy_versions`, wishes as rows of `policy_requests`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, version: NewPolicyVersion) -> int | None:
        values = {name: getattr(version, name) for name in NewPolicyVersion.__slots__}

        async def run(connection: AsyncConnection) -> int | None:
            # The writer has the write lock from the start: nobody records in between.
            if (await connection.execute(_NEWEST_DIGEST)).scalar() == version.digest:
                return None
            statement = insert(policy_versions).returning(_version.number)
            number = int((await connection.execute(statement, values)).scalar_one())
            too_old = _version.number <= number - VERSIONS_KEPT
            await connection.execute(delete(policy_versions).where(too_old))
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
        query = select(_version.archive).where(_version.number == number)
        return next((bytes(row["archive"]) for row in await self._database.rows(query)), b"")

    async def ask(self, request: NewPolicyRequest) -> int:
        values = {name: getattr(request, name) for name in NewPolicyRequest.__slots__}
        values |= {"state": ReloadRequestState.OPEN, "said": ""}

        async def run(connection: AsyncConnection) -> int:
            statement = insert(policy_requests).returning(_request.number)
            number = int((await connection.execute(statement, values)).scalar_one())
            too_old = _request.number <= number - REQUESTS_KEPT
            await connection.execute(delete(policy_requests).where(too_old))
            return number

        return await self._database.writer.write(run)

    async def open_request(self) -> PolicyRequest | None:
        query = (
            select(policy_requests)
            .where(_request.state == ReloadRequestState.OPEN)
            .order_by(_request.number)
            .limit(1)
        )
        return _first_of(await self._database.rows(query))

    async def answer(self, number: int, state: ReloadRequestState, said: str) -> bool:
        statement = (
            update(policy_requests)
            .where(_request.number == number, _request.state == ReloadRequestState.OPEN)
            .values(state=state, said=said)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)

    async def request(self, number: int) -> PolicyRequest | None:
        query = select(policy_requests).where(_request.number == number)
        return _first_of(await self._database.rows(query))


def _first_of(rows: Sequence[RowMapping]) -> PolicyRequest | None:
    found = (PolicyRequest(**{**row, "state": ReloadRequestState(row["state"])}) for row in rows)
    return next(found, None)
