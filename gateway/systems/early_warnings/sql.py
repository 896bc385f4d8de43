"""Early warnings (预警) on record, with the ledger of violations (违规台账)."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewPurge
from gateway.domain.warning import (
    EarlyWarning,
    Severity,
    WarningCode,
    WarningCount,
    WarningKind,
    WarningNote,
    WarningState,
)
from gateway.storage.database import SqlStore, added, newest, oldest
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.journals import purge_rows
from gateway.storage.tables import UtcTime, metadata

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
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("answer_by", sa.Text, nullable=True),
    sa.Column("answer_at", UtcTime, nullable=True),
    sa.Column("answer_note", sa.Text, nullable=True),
    sa.Column("closing_by", sa.Text, nullable=True),
    sa.Column("closing_at", UtcTime, nullable=True),
    sa.Column("closing_note", sa.Text, nullable=True),
    sa.Column("category", sa.Text, nullable=False, server_default=""),
    sa.Column("campaign", sa.String(17), nullable=False, server_default=""),
    # The newest of a kind is looked for with every second's count.
    sa.Index("ix_warnings_kind", "system_id", "code", "rule", "port", "number"),
    sa.Index(None, "state", "number"),
    **NEVER_REUSED,
)

_row = warnings.c


class WarningStore(SqlStore):
    """Keeps warnings. Every call raises StoreUnavailable when the store does not answer."""

    async def add(self, gathered: Sequence[WarningCount]) -> list[EarlyWarning]:
        """Count at most 500 kinds, all or none; return the newly raised warnings.

        What belongs to the newest warning of its kind (see `EarlyWarning.takes`) is counted in
        that warning, in any state; else a new warning is raised. Repeated after
        StoreUnavailable, it may count twice, but does not raise a warning twice.
        """

        async def run(connection: AsyncConnection) -> list[EarlyWarning]:
            counted = [await _count(connection, one) for one in gathered]
            return [warning for warning in counted if warning is not None]

        return await self._database.writer.write(run, rows=len(gathered))

    async def get(self, number: int) -> EarlyWarning | None:
        """Return a warning by its number."""
        row = await self._database.first(sa.select(warnings).where(_row.number == number))
        return None if row is None else _warning_of(row)

    async def find(
        self,
        *,
        system_id: str | None = None,
        code: WarningCode | None = None,
        state: WarningState | None = None,
        violations: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> list[EarlyWarning]:
        """Return the newest warnings that fit, only `violations` if that is set, newest first.

        For the next page give the last number as `before`.
        """
        grave = [_row.severity != ""] if violations else []
        equal = {"system_id": system_id, "code": code, "state": state}
        query = newest(warnings, limit, grave, before=before, **equal)
        return [_warning_of(row) for row in await self._database.rows(query)]

    async def answer(self, number: int, handling: WarningNote) -> bool:
        """Note the SP's answer to an open warning; return False when it is not open."""
        return await self._move(
            (_row.number == number, _row.state == WarningState.OPEN),
            {"state": WarningState.ANSWERED, **_noted("answer", handling)},
        )

    async def close(self, number: int, handling: WarningNote) -> bool:
        """Close a warning; return False when it is closed already or does not exist."""
        return await self._move(
            (_row.number == number, _row.state != WarningState.CLOSED),
            {"state": WarningState.CLOSED, **_noted("closing", handling)},
        )

    async def noticed_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[EarlyWarning]:
        """Return warnings that last grew before `before`, by number.

        For the next page give the last number as `after`.
        """
        query = oldest(warnings, limit, _row.last_at < before, after=after)
        return [_warning_of(row) for row in await self._database.rows(query)]

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete warnings; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        statement = sa.delete(warnings).where(_row.number.in_(numbers))
        return await purge_rows(self._database, statement, purge, len(numbers))

    async def _move(
        self, where: tuple[sa.ColumnElement[bool], ...], values: dict[str, object]
    ) -> bool:
        statement = sa.update(warnings).where(*where).values(values)
        return await self._database.change(statement) == 1


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
    )


def _handling(row: sa.RowMapping, what: str) -> WarningNote | None:
    if row[f"{what}_at"] is None:
        return None
    return WarningNote(row[f"{what}_by"], row[f"{what}_at"], row[f"{what}_note"])
