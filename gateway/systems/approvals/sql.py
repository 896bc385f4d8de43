"""The store of requests for acts that need two persons."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewAccess
from gateway.storage.database import SqlStore, added, newest
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.journals import note_access
from gateway.storage.tables import UtcTime, metadata, word
from gateway.systems.approvals.model import (
    ApprovalAct,
    ApprovalRefusal,
    ApprovalRequest,
    ApprovalState,
    NewApproval,
)

REQUESTS_KEPT = 1_000

# One column for each field of ApprovalRequest.
approval_requests = sa.Table(
    "approval_requests",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("act", word(ApprovalAct, 32), nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    *columns(sa.Text, "about", "reason", "by"),
    *columns(UtcTime, "at", "expires_at"),
    sa.Column("state", word(ApprovalState, 8), nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", UtcTime, nullable=True),
    sa.Column("outcome", sa.Text, nullable=False),
    **NEVER_REUSED,
)

_row = approval_requests.c
_ACTIONS = {ApprovalState.APPROVED: "approval give", ApprovalState.DECLINED: "approval decline"}


class ApprovalStore(SqlStore):
    """Keeps requests, each step with its entry in the audit; the newest REQUESTS_KEPT stay.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def ask(self, new: NewApproval) -> ApprovalRequest:
        """Keep a request, or return the open one of the same person for the same act."""
        same = (
            _row.digest == new.digest,
            _row.by == new.by,
            _row.state == ApprovalState.OPEN,
            _row.expires_at > new.at,
        )

        async def run(connection: AsyncConnection) -> ApprovalRequest:
            known = await _first(connection, sa.select(approval_requests).where(*same))
            if known is not None:
                return known
            values: dict[str, object] = {
                "act": new.act,
                "parameters": new.written,
                "digest": new.digest,
                "about": new.about,
                "reason": new.reason,
                "by": new.by,
                "at": new.at,
                "expires_at": new.expires_at,
                "state": ApprovalState.OPEN,
                "decided_by": "",
                "decided_at": None,
                "outcome": "",
            }
            number = await added(connection, approval_requests, values)
            old = sa.delete(approval_requests).where(_row.number <= number - REQUESTS_KEPT)
            await connection.execute(old)
            about = f"request {number}, {new.act}: {new.about}"
            await note_access(
                connection, NewAccess(new.by, "approval ask", new.reason, about, new.at)
            )
            made = await _first(connection, _of(number))
            assert made is not None  # noqa: S101 - it was added in this transaction
            return made

        return await self._database.writer.write(run, rows=2)

    async def decide(
        self, number: int, digest: str, by: str, at: datetime, state: ApprovalState
    ) -> ApprovalRequest | ApprovalRefusal:
        """Approve or decline a request as the second person; exactly one caller succeeds."""

        async def run(connection: AsyncConnection) -> ApprovalRequest | ApprovalRefusal:
            # The writer has the write lock from the start: nobody decides in between.
            found = await _first(connection, _of(number))
            if found is None:
                return ApprovalRefusal.MISSING
            after = found.decided(digest, by, at, state)
            if isinstance(after, ApprovalRefusal):
                return after
            own = sa.update(approval_requests).where(_row.number == number)
            values = {"state": state, "decided_by": by, "decided_at": at}
            await connection.execute(own.values(values))
            about = f"request {number} of {found.by}, {found.act}: {found.about}"
            await note_access(connection, NewAccess(by, _ACTIONS[state], "", about, at))
            return after

        return await self._database.writer.write(run, rows=2)

    async def end(self, number: int, state: ApprovalState, outcome: str) -> None:
        """Keep what came of an approved request: DONE or FAILED."""
        own = _row.number == number, _row.state == ApprovalState.APPROVED
        statement = sa.update(approval_requests).where(*own)
        await self._database.change(statement.values(state=state, outcome=outcome))

    async def count_done(self, act: ApprovalAct, by: str, since: datetime) -> int:
        """Return how many requests of a person for an act were carried out after `since`."""
        own = _row.act == act, _row.by == by, _row.state == ApprovalState.DONE
        query = sa.select(sa.func.count().label("count")).where(*own, _row.decided_at > since)
        found = await self._database.first(query)
        return 0 if found is None else int(found["count"])

    async def get(self, number: int) -> ApprovalRequest | None:
        """Return a request."""
        return await self._database.record(ApprovalRequest, _of(number))

    async def listed(
        self,
        limit: int = 100,
        acts: Collection[ApprovalAct] = tuple(ApprovalAct),
        before: int | None = None,
    ) -> list[ApprovalRequest]:
        """Return the newest requests for some acts, with lower numbers than `before`."""
        query = newest(approval_requests, limit, [_row.act.in_(sorted(acts))], before=before)
        return await self._database.records(ApprovalRequest, query)


def _of(number: int) -> sa.Select[tuple[object, ...]]:
    return sa.select(approval_requests).where(_row.number == number)


async def _first(
    connection: AsyncConnection, query: sa.Select[tuple[object, ...]]
) -> ApprovalRequest | None:
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else ApprovalRequest(**row)
