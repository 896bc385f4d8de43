"""The store of what detectors count: ports by steps and hours, and how far was read (R95)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.detector import STEP, Measure
from gateway.domain.warning import EarlyWarning, WarningCount
from gateway.storage.database import SqlStore
from gateway.storage.dialect import IN_KEY_ORDER, columns, insert_or_update, upsert
from gateway.storage.tables import UtcTime, metadata
from gateway.systems.early_warnings.sql import count_warnings, warnings

_STEPS_PER_HOUR = 3600 // int(STEP.total_seconds())
_ROWS_AT_ONCE = 10_000

CountsByKey: TypeAlias = Mapping[tuple[int, str, str], Mapping[Measure, int]]
CountRows: TypeAlias = list[tuple[int, str, str, dict[Measure, int]]]


def _counts(name: str, number: str) -> sa.Table:
    """Return a table with a column for each measure."""
    return sa.Table(
        name,
        metadata,
        sa.Column(number, sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("system_id", sa.String(16), primary_key=True),
        sa.Column("port", sa.String(20), primary_key=True),
        *columns(sa.BigInteger, *(one.value for one in Measure)),
        **IN_KEY_ORDER,
    )


# Steps and hours are numbered since 1970.
detector_steps = _counts("detector_steps", "step")
detector_hours = _counts("detector_hours", "hour")
detector_state = sa.Table(
    "detector_state",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def _adding(table: sa.Table) -> sa.Insert:
    """Return what inserts counts, or adds them to those of the same step or hour and port."""
    statement = insert_or_update(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={one.value: table.c[one.value] + statement.excluded[one.value] for one in Measure},
    )


_ADD_STEPS, _ADD_HOURS = _adding(detector_steps), _adding(detector_hours)
_SET_STATE = upsert(detector_state)
_REVISION = sa.select(detector_state.c.value).where(detector_state.c.name == "revision")


class DetectorStore(SqlStore):
    """Keeps counts. Every call raises StoreUnavailable when the store does not answer.

    `state` are a few values by name: how far records and other stores were read, and which step
    was judged. It is kept in the commit of what follows from it, under the next `revision`: a
    call that is repeated after StoreUnavailable, and was committed then, does nothing.
    """

    async def state(self) -> dict[str, str]:
        """Return the values that were kept."""
        rows = await self._database.rows(sa.select(detector_state))
        return {row["name"]: row["value"] for row in rows}

    async def add(self, counts: CountsByKey, state: Mapping[str, str]) -> None:
        """Add counts by step, system_id and port to steps and hours, with the state."""
        steps = [_row("step", *key, some) for key, some in counts.items()]
        hours = [
            _row("hour", step // _STEPS_PER_HOUR, system_id, port, some)
            for (step, system_id, port), some in counts.items()
        ]

        async def run(connection: AsyncConnection) -> None:
            if await _keep(connection, state) and steps:
                await connection.execute(_ADD_STEPS, steps)
                await connection.execute(_ADD_HOURS, hours)

        await self._database.writer.write(run, rows=2 * len(steps) + len(state))

    async def raise_warnings(
        self, gathered: Sequence[WarningCount], state: Mapping[str, str]
    ) -> list[EarlyWarning]:
        """Count what was found as `WarningStore.add` does, with the state; return new warnings."""

        async def run(connection: AsyncConnection) -> list[EarlyWarning]:
            is_new = await _keep(connection, state)
            return await count_warnings(connection, gathered) if is_new else []

        return await self._database.writer.write(run, rows=len(gathered) + len(state))

    async def steps(self, since: int) -> AsyncIterator[CountRows]:
        """Yield the counts of steps from one on: step, system_id, port, counts."""
        async for rows in self._pages(detector_steps, "step", since):
            yield rows

    async def hours(self, since: int) -> AsyncIterator[CountRows]:
        """Yield the counts of hours from one on: hour, system_id, port, counts."""
        async for rows in self._pages(detector_hours, "hour", since):
            yield rows

    async def warned(
        self, rules: Sequence[str], since: datetime
    ) -> list[tuple[str, str, str, datetime]]:
        """Return what some detectors found last since then: id, system_id, port, end."""
        last = sa.func.max(warnings.c.last_at, type_=UtcTime).label("last_at")
        kind = (warnings.c.rule, warnings.c.system_id, warnings.c.port)
        query = (
            sa.select(*kind, last)
            .where(warnings.c.rule.in_(rules), warnings.c.last_at >= since)
            .group_by(*kind)
        )
        rows = await self._database.rows(query)
        return [(row["rule"], row["system_id"], row["port"], row["last_at"]) for row in rows]

    async def forget(self, steps_before: int, hours_before: int) -> int:
        """Delete the counts of steps and hours before these; return how many rows."""
        steps = sa.delete(detector_steps).where(detector_steps.c.step < steps_before)
        hours = sa.delete(detector_hours).where(detector_hours.c.hour < hours_before)
        return await self._database.change(steps) + await self._database.change(hours)

    async def _pages(self, table: sa.Table, number: str, since: int) -> AsyncIterator[CountRows]:
        key = sa.tuple_(*table.primary_key)
        after: tuple[int, str, str] = (since, "", "")
        while True:
            query = (sa.select(table).where(key > after).order_by(*table.primary_key)).limit(
                _ROWS_AT_ONCE
            )
            rows = await self._database.rows(query)
            if not rows:
                return
            yield [(row[number], row["system_id"], row["port"], _measures(row)) for row in rows]
            last = rows[-1]
            after = (last[number], last["system_id"], last["port"])


async def _keep(connection: AsyncConnection, state: Mapping[str, str]) -> bool:
    """Keep a state; return False if that of its revision is kept already."""
    kept = await connection.scalar(_REVISION)
    if kept == state["revision"]:
        return False
    rows = [{"name": name, "value": value} for name, value in state.items()]
    await connection.execute(_SET_STATE, rows)
    return True


def _row(
    name: str, number: int, system_id: str, port: str, counts: Mapping[Measure, int]
) -> dict[str, object]:
    every = {one.value: counts.get(one, 0) for one in Measure}
    return {name: number, "system_id": system_id, "port": port, **every}


def _measures(row: sa.RowMapping) -> dict[Measure, int]:
    return {one: row[one.value] for one in Measure if row[one.value]}
