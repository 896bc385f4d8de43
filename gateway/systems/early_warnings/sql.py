"""Early warnings (预警) on record, with the ledger of violations (违规台账)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewPurge
from gateway.domain.warning import (
    ANSWERED_IN,
    EarlyWarning,
    Severity,
    ViolationCount,
    WarningCode,
    WarningCount,
    WarningKind,
    WarningNote,
    WarningState,
)
from gateway.storage.database import SqlStore, added, newest, oldest
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.journals import purge_rows
from gateway.storage.tables import UtcTime, metadata
from gateway.systems.early_warnings.tables import IS_CLOSING, sanctions

# `severity` is empty for what is no violation. `samples` are a few places in the records, with
# a space between them.
warnings = sa.Table(
    "warnings",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("code", sa.String(4), nullable=False),
    sa.Column("rule", sa.String(32), nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("port", sa.String(20), nullable=False),
    sa.Column("severity", sa.String(8), nullable=False),
    *columns(sa.BigInteger, "count", "on_trial"),
    sa.Column("first_at", UtcTime, nullable=False),
    sa.Column("last_at", UtcTime, nullable=False, index=True),
    sa.Column("samples", sa.Text, nullable=False),
    sa.Column("state", sa.String(9), nullable=False),
    sa.Column("answer_by", sa.Text, nullable=True),
    sa.Column("answer_at", UtcTime, nullable=True),
    sa.Column("answer_note", sa.Text, nullable=True),
    sa.Column("closing_by", sa.Text, nullable=True),
    sa.Column("closing_at", UtcTime, nullable=True),
    sa.Column("closing_note", sa.Text, nullable=True),
    sa.Column("category", sa.Text, nullable=False, server_default=""),
    sa.Column("campaign", sa.String(17), nullable=False, server_default=""),
    sa.Column("escalated_at", UtcTime, nullable=True),
    # The newest of a kind is looked for with every second's count.
    sa.Index("ix_warnings_kind", "system_id", "code", "rule", "port", "number"),
    sa.Index(None, "state", "number"),
    partial_index("ix_warnings_violations", "number", where=sa.text("severity != ''")),
    **NEVER_REUSED,
)

_row = warnings.c
_IS_UNANSWERED = _row.state.in_((WarningState.OPEN, WarningState.ESCALATED))


class UnansweredWarnings(NamedTuple):
    """How many warnings have no answer, by state, and of how many it is overdue."""

    by_state: Mapping[WarningState, int]
    overdue: int


class WarningStore(SqlStore):
    """Keeps warnings. Every call raises StoreUnavailable when the store does not answer."""

    async def add(self, gathered: Sequence[WarningCount]) -> list[EarlyWarning]:
        """Count at most 500 kinds, all or none; return the newly raised warnings.

        What belongs to the newest warning of its kind (see `EarlyWarning.takes`) is counted in
        that warning, in any state; else a new warning is raised. Repeated after
        StoreUnavailable, it may count twice, but does not raise a warning twice.
        """

        async def run(connection: AsyncConnection) -> list[EarlyWarning]:
            return await count_warnings(connection, gathered)

        return await self._database.writer.write(run, rows=len(gathered))

    async def get(self, number: int) -> EarlyWarning | None:
        """Return a warning by its number."""
        row = await self._database.first(sa.select(warnings).where(_row.number == number))
        return None if row is None else _warning_of(row)

    async def find(  # noqa: PLR0913 - what a list is narrowed by
        self,
        *,
        system_id: str | None = None,
        ports: Collection[str] | None = None,
        code: WarningCode | None = None,
        state: WarningState | None = None,
        violations: bool = False,
        overdue_at: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[EarlyWarning]:
        """Return the newest warnings that fit, only `violations` if that is set, newest first.

        With `ports` only those of one of these; with `overdue_at` only those without an answer that
        was due by then. For the next page give the last number as `before`.
        """
        grave = [_row.severity != ""] if violations else []
        if overdue_at is not None:
            grave += [_IS_UNANSWERED, _row.first_at <= overdue_at - ANSWERED_IN]
        if ports is not None:
            grave.append(_row.port.in_(sorted(ports)))
        equal = {"system_id": system_id, "code": code, "state": state}
        query = newest(warnings, limit, grave, before=before, **equal)
        return [_warning_of(row) for row in await self._database.rows(query)]

    async def unanswered(self, ports: Collection[str], now: datetime) -> UnansweredWarnings:
        """Return how many warnings of ports have no answer, and of how many it is overdue."""
        is_late = sa.case((_row.first_at <= now - ANSWERED_IN, 1), else_=0)
        query = (
            sa.select(
                _row.state, sa.func.count().label("count"), sa.func.sum(is_late).label("late")
            )
            .where(_IS_UNANSWERED, _row.port.in_(sorted(ports)))
            .group_by(_row.state)
        )
        rows = await self._database.rows(query)
        by_state = {WarningState(row["state"]): int(row["count"]) for row in rows}
        return UnansweredWarnings(by_state, sum(int(row["late"]) for row in rows))

    async def violations(
        self, since: datetime, until: datetime, system_id: str | None = None
    ) -> list[ViolationCount]:
        """Return the violations raised in a time, counted by code and SP (R98)."""
        query = (
            sa.select(
                _row.code,
                _row.system_id,
                sa.func.count().label("violations"),
                sa.func.sum(_row["count"]).label("messages"),
                sa.func.min(_row.first_at).label("first_at"),
                sa.func.max(_row.last_at).label("last_at"),
            )
            .where(_row.severity != "", _row.first_at >= since, _row.first_at < until)
            .group_by(_row.code, _row.system_id)
            .order_by(_row.code, _row.system_id)
        )
        if system_id is not None:
            query = query.where(_row.system_id == system_id)
        return [
            ViolationCount(
                WarningCode(row["code"]),
                row["system_id"],
                row["violations"],
                int(row["messages"]),
                row["first_at"],
                row["last_at"],
            )
            for row in await self._database.rows(query)
        ]

    async def answer(self, number: int, handling: WarningNote) -> bool:
        """Note the SP's answer, which may be late; return False when it is answered or closed."""
        return await self._move(
            (_row.number == number, _IS_UNANSWERED),
            {"state": WarningState.ANSWERED, **_noted("answer", handling)},
        )

    async def close(self, number: int, handling: WarningNote) -> bool:
        """Close a warning; return False when it is closed already or does not exist."""
        return await self._move(
            (_row.number == number, _row.state != WarningState.CLOSED),
            {"state": WarningState.CLOSED, **_noted("closing", handling)},
        )

    async def escalate_due(self, at: datetime, limit: int = 200) -> list[EarlyWarning]:
        """Escalate open warnings with an answer due by `at`; return at most `limit` of them.

        Each is returned once, to one process. The oldest first: call it again for more.
        """
        due = (
            sa.select(_row.number)
            .where(_row.state == WarningState.OPEN, _row.first_at <= at - ANSWERED_IN)
            .order_by(_row.number)
            .limit(limit)
        )
        if not await self._database.rows(due.limit(1)):
            return []  # as nearly always: no turn of the writer for it
        escalated = (
            sa.update(warnings)
            .where(_row.number.in_(due.scalar_subquery()), _row.state == WarningState.OPEN)
            .values(state=WarningState.ESCALATED, escalated_at=at)
            .returning(*_row)
        )
        rows = await self._database.returned(escalated, rows=limit)
        return sorted(map(_warning_of, rows), key=lambda one: one.number)

    async def noticed_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[EarlyWarning]:
        """Return warnings that last grew before `before`, by number.

        Without those for which an SP is still closed. For the next page give the last number as
        `after`.
        """
        closes = sa.exists().where(sanctions.c.warning == _row.number, IS_CLOSING)
        query = oldest(warnings, limit, _row.last_at < before, ~closes, after=after)
        return [_warning_of(row) for row in await self._database.rows(query)]

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete warnings, and then their sanctions; return how many warnings.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        await self._database.change(sa.delete(sanctions).where(sanctions.c.warning.in_(numbers)))
        statement = sa.delete(warnings).where(_row.number.in_(numbers))
        return await purge_rows(self._database, statement, purge, len(numbers))

    async def _move(
        self, where: tuple[sa.ColumnElement[bool], ...], values: dict[str, object]
    ) -> bool:
        statement = sa.update(warnings).where(*where).values(values)
        return await self._database.change(statement) == 1


async def count_warnings(
    connection: AsyncConnection, gathered: Sequence[WarningCount]
) -> list[EarlyWarning]:
    """Count what gathered in the transaction of `connection`; return the newly raised warnings."""
    counted = [await _count(connection, one) for one in gathered]
    return [warning for warning in counted if warning is not None]


async def _count(connection: AsyncConnection, one: WarningCount) -> EarlyWarning | None:
    """Count what gathered in the newest warning of its kind, or raise a new one."""
    kind = one.kind
    newest = (
        sa.select(warnings)
        .where(
            _row.system_id == kind.system_id,
            _row.code == kind.code,
            _row.rule == kind.rule,
            _row.port == kind.port,
        )
        .order_by(_row.number.desc())
        .limit(1)
    )
    found = (await connection.execute(newest)).mappings().first()
    before = _warning_of(found) if found is not None else None
    if before is not None and before.takes(one):
        joined = _grown(before.gathered.joined(one))
        await connection.execute(
            sa.update(warnings).where(_row.number == before.number).values(joined)
        )
        return None
    values = {
        **kind._asdict(),
        "severity": one.severity or "",
        "state": WarningState.OPEN,
        **_grown(one),
    }
    return EarlyWarning(await added(connection, warnings, values), one)


def _grown(one: WarningCount) -> dict[str, object]:
    """Return the columns that change as a warning grows."""
    return {
        "count": one.count,
        "on_trial": one.on_trial,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "samples": " ".join(one.samples),
        "category": one.category,
        "campaign": one.campaign,
    }


def _noted(what: str, handling: WarningNote) -> dict[str, object]:
    return {
        f"{what}_by": handling.by,
        f"{what}_at": handling.at,
        f"{what}_note": handling.note,
    }


def _warning_of(row: sa.RowMapping) -> EarlyWarning:
    kind = WarningKind(WarningCode(row["code"]), row["rule"], row["system_id"], row["port"])
    severity = Severity(row["severity"]) if row["severity"] else None
    gathered = WarningCount(
        kind,
        severity,
        row["count"],
        row["on_trial"],
        row["first_at"],
        row["last_at"],
        tuple(row["samples"].split()),
        row["category"],
        row["campaign"],
    )
    return EarlyWarning(
        row["number"],
        gathered,
        WarningState(row["state"]),
        _handling(row, "answer"),
        _handling(row, "closing"),
        row["escalated_at"],
    )


def _handling(row: sa.RowMapping, what: str) -> WarningNote | None:
    if row[f"{what}_at"] is None:
        return None
    return WarningNote(row[f"{what}_by"], row[f"{what}_at"], row[f"{what}_note"])
