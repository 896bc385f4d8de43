"""Reports to the authority in SQL (contract: gateway.ports.authority_reports)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.authority_report import (
    AuthorityReport,
    NewAuthorityReport,
    ReportSeverity,
    ReportState,
)
from gateway.domain.privacy import NewPurge
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores.database import Database
from gateway.stores.sealed_columns import SealedNumber, SealedText
from gateway.stores.sql_privacy import note_purge
from gateway.stores.sql_quarantine import SqlQuarantine
from gateway.stores.tables import UtcTime, held_messages, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One column for each field of domain.authority_report.AuthorityReport.
authority_reports = Table(
    "authority_reports",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("message_id", BigInteger, nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("source", String(65), nullable=False),
    Column("msisdn", SealedNumber, nullable=True),
    Column("recipients", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("rule", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("keyword", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("text", SealedText("authority_reports.text"), nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Column("stopped_at", UtcTime, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("state", String(8), nullable=False),
    Column("sent_at", UtcTime, nullable=True),
    Column("sent_by", Text, nullable=False),
    Column("reference", Text, nullable=False),
    # A message is reported once, however often the gateway tries.
    Index("ux_authority_reports_message_id", "message_id", unique=True),
    # The lists people look through.
    Index(None, "state", "number"),
    Index(None, "system_id", "number"),
    sqlite_autoincrement=True,
)


_OCTETS_PER_ROW = 4096

_column = authority_reports.c
_ADD = insert(authority_reports).on_conflict_do_nothing(index_elements=[_column.message_id])
_IS_SETTLED = _column.state != ReportState.PENDING
_WAS_RELEASED = (
    select(held_messages.c.message_id)
    .where(
        held_messages.c.message_id == _column.message_id,
        held_messages.c.state == HoldState.RELEASED,
    )
    .correlate(authority_reports)
    .exists()
)
_UNSENT = {"state": ReportState.PENDING, "sent_at": None, "sent_by": "", "reference": ""}


class SqlAuthorityReports:
    """Reports as rows of `authority_reports`, at most one for each message."""

    def __init__(self, database: Database, quarantine: SqlQuarantine) -> None:
        self._database = database
        self._quarantine = quarantine

    async def add(self, reports: Sequence[NewAuthorityReport]) -> int:
        if not reports:
            return 0

        async def run(connection: AsyncConnection) -> int:
            return await _add(connection, reports)

        return await self._database.writer.write(run, rows=_rows_of(reports))

    async def add_with(
        self, reports: Sequence[NewAuthorityReport], held: Sequence[HeldMessage]
    ) -> None:
        async def run(connection: AsyncConnection) -> None:
            await _add(connection, reports)

        await self._quarantine.hold_with(held, run, rows=_rows_of(reports))

    async def get(self, number: int) -> AuthorityReport | None:
        query = select(authority_reports).where(_column.number == number)
        return next(map(_report_of, await self._database.rows(query)), None)

    async def find(
        self,
        *,
        state: ReportState | None = None,
        system_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[AuthorityReport]:
        query = select(authority_reports).order_by(_column.number.desc()).limit(limit)
        if state is not None:
            query = query.where(_column.state == state)
        if system_id is not None:
            query = query.where(_column.system_id == system_id)
        if before is not None:
            query = query.where(_column.number < before)
        return [_report_of(row) for row in await self._database.rows(query)]

    async def count_by_state(self) -> dict[ReportState, int]:
        query = select(_column.state, func.count().label("reports")).group_by(_column.state)
        counts = dict.fromkeys(ReportState, 0)
        for row in await self._database.rows(query):
            counts[ReportState(row["state"])] = row["reports"]
        return counts

    async def mark_sent(self, number: int, reference: str, by: str, at: datetime) -> bool:
        statement = (
            update(authority_reports)
            .where(_column.number == number, _column.state == ReportState.PENDING)
            .values(state=ReportState.SENT, sent_at=at, sent_by=by, reference=reference)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)

    async def settle_released(self, at: datetime, limit: int = 500) -> int:
        released = (
            select(_column.number)
            .where(_column.state == ReportState.PENDING, _WAS_RELEASED)
            .limit(limit)
        )
        numbers = [row["number"] for row in await self._database.rows(released)]
        if not numbers:
            return 0  # the usual case: do not use the writer
        statement = (
            update(authority_reports)
            .where(_column.number.in_(numbers), _column.state == ReportState.PENDING)
            .values(state=ReportState.RELEASED, sent_at=at)
        )

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._database.writer.write(run, rows=len(numbers))

    async def sent_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[AuthorityReport]:
        query = (
            select(authority_reports)
            .where(_IS_SETTLED, _column.sent_at < before, _column.number > after)
            .order_by(_column.number)
            .limit(limit)
        )
        return [_report_of(row) for row in await self._database.rows(query)]

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        these = and_(_IS_SETTLED, _column.number.in_(numbers))

        async def run(connection: AsyncConnection) -> int:
            count = (await connection.execute(delete(authority_reports).where(these))).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(numbers))


async def _add(connection: AsyncConnection, reports: Sequence[NewAuthorityReport]) -> int:
    added = 0
    for report in reports:  # one by one: for many together SQLite does not return how many are new
        values = {name: getattr(report, name) for name in NewAuthorityReport.__slots__}
        added += (await connection.execute(_ADD, values | _UNSENT)).rowcount
    return added


def _rows_of(reports: Sequence[NewAuthorityReport]) -> int:
    return sum(1 + len(report.text) // _OCTETS_PER_ROW for report in reports)


def _report_of(row: RowMapping) -> AuthorityReport:
    enums = {"state": ReportState(row["state"]), "severity": ReportSeverity(row["severity"])}
    return AuthorityReport(**{**row, **enums})
