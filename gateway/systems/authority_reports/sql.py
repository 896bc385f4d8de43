"""The store of reports to the authority (上报)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.authority_report import (
    AuthorityReport,
    NewAuthorityReport,
    ReportSeverity,
    ReportState,
)
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewPurge
from gateway.storage.database import Database, SqlStore, newest, oldest, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, insert_or_update
from gateway.storage.journals import purge_rows
from gateway.storage.sealed_columns import SealedNumber, SealedText
from gateway.storage.tables import UtcTime, held_messages, metadata, word

# One column for each field of domain.authority_report.AuthorityReport.
authority_reports = sa.Table(
    "authority_reports",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("message_id", sa.BigInteger, nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("source", sa.String(65), nullable=False),
    sa.Column("msisdn", SealedNumber, nullable=True),
    sa.Column("recipients", sa.Integer, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    *columns(sa.Text, "rule", "category", "keyword"),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("text", SealedText("authority_reports.text"), nullable=False),
    sa.Column("text_sha256", sa.String(64), nullable=False),
    sa.Column("stopped_at", UtcTime, nullable=False),
    sa.Column("severity", word(ReportSeverity, 8), nullable=False),
    sa.Column("state", word(ReportState, 8), nullable=False),
    sa.Column("sent_at", UtcTime, nullable=True),
    *columns(sa.Text, "sent_by", "reference"),
    # A message is reported once, however often the gateway tries.
    sa.Index("ux_authority_reports_message_id", "message_id", unique=True),
    # The lists people look through.
    sa.Index(None, "state", "number"),
    sa.Index(None, "system_id", "number"),
    **NEVER_REUSED,
)


_OCTETS_PER_ROW = 4096

_column = authority_reports.c
_ADD = insert_or_update(authority_reports).on_conflict_do_nothing(
    index_elements=[_column.message_id]
)
_IS_SETTLED = _column.state != ReportState.PENDING
_WAS_RELEASED = (
    sa.select(held_messages.c.message_id)
    .where(
        held_messages.c.message_id == _column.message_id,
        held_messages.c.state == HoldState.RELEASED,
    )
    .correlate(authority_reports)
    .exists()
)
_UNSENT = {"state": ReportState.PENDING, "sent_at": None, "sent_by": "", "reference": ""}


class HeldMessageWriter(Protocol):
    """Writes held messages, and more in the same commit, as another system does."""

    async def hold_with(
        self,
        items: Sequence[HeldMessage],
        beside: Callable[[AsyncConnection], Awaitable[None]],
        *,
        rows: int,
    ) -> None:
        """Keep `items` in one commit with `beside`, which writes about `rows` rows."""


class AuthorityReports(SqlStore):
    """Keeps reports until they are sent, and after. A PENDING report is never deleted (R60).

    Every call raises StoreUnavailable when the store does not answer in time.
    """

    def __init__(self, database: Database, quarantine: HeldMessageWriter) -> None:
        self._database = database
        self._quarantine = quarantine

    async def add(self, reports: Sequence[NewAuthorityReport]) -> int:
        """Keep reports as PENDING, in one commit; return how many are new.

        A report with a message_id that is already on record is left out, so that the call may
        be repeated, also after StoreUnavailable.
        """
        if not reports:
            return 0
        return await self._database.writer.write(
            lambda connection: _add(connection, reports), rows=_rows_of(reports)
        )

    async def add_with(
        self, reports: Sequence[NewAuthorityReport], held: Sequence[HeldMessage]
    ) -> None:
        """Keep reports together with held messages: both in one commit, or neither.

        `held` is kept as QuarantineStore.hold does, with the same errors. After
        StoreUnavailable the reports may still be stored, although no message is held.
        """

        async def run(connection: AsyncConnection) -> None:
            await _add(connection, reports)

        await self._quarantine.hold_with(held, run, rows=_rows_of(reports))

    async def get(self, number: int) -> AuthorityReport | None:
        """Return one report in any state, or None."""
        query = sa.select(authority_reports).where(_column.number == number)
        return await self._database.record(AuthorityReport, query)

    async def find(
        self,
        *,
        state: ReportState | None = None,
        system_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[AuthorityReport]:
        """Return the newest reports that fit, newest first.

        For the next page give the last number as `before`.
        """
        query = newest(authority_reports, limit, before=before, state=state, system_id=system_id)
        return await self._database.records(AuthorityReport, query)

    async def count_by_state(self) -> dict[ReportState, int]:
        """Return how many reports are in each state; states without any are 0."""
        query = sa.select(_column.state, sa.func.count().label("reports")).group_by(_column.state)
        counts = dict.fromkeys(ReportState, 0)
        rows = await self._database.rows(query)
        return counts | {row["state"]: row["reports"] for row in rows}

    async def mark_sent(self, number: int, reference: str, by: str, at: datetime) -> bool:
        """Note that the authority has a report; return whether it was PENDING until now."""
        statement = (
            sa.update(authority_reports)
            .where(_column.number == number, _column.state == ReportState.PENDING)
            .values(state=ReportState.SENT, sent_at=at, sent_by=by, reference=reference)
        )
        return await self._database.change(statement) == 1

    async def settle_released(self, at: datetime, limit: int = 500) -> int:
        """Set PENDING reports of released messages to RELEASED; return how many.

        At most `limit`; the rest is for the next call.
        """
        released = (
            sa.select(_column.number)
            .where(_column.state == ReportState.PENDING, _WAS_RELEASED)
            .limit(limit)
        )
        numbers = [row["number"] for row in await self._database.rows(released)]
        if not numbers:
            return 0  # the usual case: do not use the writer
        statement = (
            sa.update(authority_reports)
            .where(_column.number.in_(numbers), _column.state == ReportState.PENDING)
            .values(state=ReportState.RELEASED, sent_at=at)
        )
        return await self._database.change(statement, rows=len(numbers))

    async def sent_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[AuthorityReport]:
        """Return reports that became SENT or RELEASED before `before`, by number.

        For the next page give the last number as `after`.
        """
        is_old = _column.sent_at < before
        query = oldest(authority_reports, limit, _IS_SETTLED, is_old, after=after)
        return await self._database.records(AuthorityReport, query)

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete those of `numbers` that are SENT or RELEASED; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        these = sa.and_(_IS_SETTLED, _column.number.in_(numbers))
        return await purge_rows(
            self._database, sa.delete(authority_reports).where(these), purge, len(numbers)
        )


async def _add(connection: AsyncConnection, reports: Sequence[NewAuthorityReport]) -> int:
    added = 0
    for report in reports:  # one by one: for many together SQLite does not return how many are new
        added += (await connection.execute(_ADD, values_of(report) | _UNSENT)).rowcount
    return added


def _rows_of(reports: Sequence[NewAuthorityReport]) -> int:
    return sum(1 + len(report.text) // _OCTETS_PER_ROW for report in reports)
