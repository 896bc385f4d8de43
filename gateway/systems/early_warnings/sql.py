"""Early warnings in SQL (contract: gateway.ports.warnings)."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.privacy import NewPurge
from gateway.domain.warning import (
    EarlyWarning,
    Severity,
    WarningCode,
    WarningCount,
    WarningKind,
    WarningNote,
    WarningState,
)
from gateway.ports.warnings import WarningSelection
from gateway.stores.database import Database
from gateway.stores.sql_privacy import note_purge
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# `severity` is empty for what is no violation. `samples` are a few places in the records, with
# a space between them.
warnings = Table(
    "warnings",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("code", String(4), nullable=False),
    Column("rule", String(32), nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("port", String(20), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("on_trial", BigInteger, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False, index=True),
    Column("samples", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("answer_by", Text, nullable=True),
    Column("answer_at", UtcTime, nullable=True),
    Column("answer_note", Text, nullable=True),
    Column("closing_by", Text, nullable=True),
    Column("closing_at", UtcTime, nullable=True),
    Column("closing_note", Text, nullable=True),
    Column("category", Text, nullable=False, server_default=""),
    Column("campaign", String(17), nullable=False, server_default=""),
    # The newest of a kind is looked for with every second's count.
    Index("ix_warnings_kind", "system_id", "code", "rule", "port", "number"),
    Index(None, "state", "number"),
    sqlite_autoincrement=True,
)


_row = warnings.c


class SqlWarnings:
    """Rows of `warnings`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, gathered: Sequence[WarningCount]) -> list[EarlyWarning]:
        async def run(connection: AsyncConnection) -> list[EarlyWarning]:
            counted = [await _count(connection, one) for one in gathered]
            return [warning for warning in counted if warning is not None]

        return await self._database.writer.write(run, rows=len(gathered))

    async def get(self, number: int) -> EarlyWarning | None:
        rows = await self._database.rows(select(warnings).where(_row.number == number))
        return _warning_of(rows[0]) if rows else None

    async def find(self, selection: WarningSelection, limit: int = 50) -> list[EarlyWarning]:
        query = (
            select(warnings)
            .where(*_conditions(selection))
            .order_by(_row.number.desc())
            .limit(limit)
        )
        return [_warning_of(row) for row in await self._database.rows(query)]

    async def answer(self, number: int, handling: WarningNote) -> bool:
        return await self._move(
            (_row.number == number, _row.state == WarningState.OPEN),
            {"state": WarningState.ANSWERED, **_noted("answer", handling)},
        )

    async def close(self, number: int, handling: WarningNote) -> bool:
        return await self._move(
            (_row.number == number, _row.state != WarningState.CLOSED),
            {"state": WarningState.CLOSED, **_noted("closing", handling)},
        )

    async def noticed_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[EarlyWarning]:
        query = (
            select(warnings)
            .where(_row.last_at < before, _row.number > after)
            .order_by(_row.number)
            .limit(limit)
        )
        return [_warning_of(row) for row in await self._database.rows(query)]

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        statement = delete(warnings).where(_row.number.in_(numbers))

        async def run(connection: AsyncConnection) -> int:
            count = (await connection.execute(statement)).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(numbers))

    async def _move(
        self, where: tuple[ColumnElement[bool], ...], values: dict[str, object]
    ) -> bool:
        statement = update(warnings).where(*where).values(values)

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)


async def _count(connection: AsyncConnection, one: WarningCount) -> EarlyWarning | None:
    """Count what gathered in the newest warning of its kind, or raise a new one."""
    kind = one.kind
    newest = (
        select(warnings)
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
            update(warnings).where(_row.number == before.number).values(joined)
        )
        return None
    values = {
        **kind._asdict(),
        "severity": one.severity or "",
        "state": WarningState.OPEN,
        **_grown(one),
    }
    statement = insert(warnings).returning(_row.number)
    made = await connection.execute(statement, values)
    return EarlyWarning(int(made.scalar_one()), one)


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


def _conditions(selection: WarningSelection) -> Iterator[ColumnElement[bool]]:
    if selection.system_id is not None:
        yield _row.system_id == selection.system_id
    if selection.code is not None:
        yield _row.code == selection.code
    if selection.state is not None:
        yield _row.state == selection.state
    if selection.only_violations:
        yield _row.severity != ""
    if selection.before is not None:
        yield _row.number < selection.before


def _noted(what: str, handling: WarningNote) -> dict[str, object]:
    return {
        f"{what}_by": handling.by,
        f"{what}_at": handling.at,
        f"{what}_note": handling.note,
    }


def _warning_of(row: RowMapping) -> EarlyWarning:
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


def _handling(row: RowMapping, what: str) -> WarningNote | None:
    if row[f"{what}_at"] is None:
        return None
    return WarningNote(row[f"{what}_by"], row[f"{what}_at"], row[f"{what}_note"])
