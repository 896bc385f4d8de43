"""Labelled texts in SQL (contract: gateway.ports.samples)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.privacy import NewPurge
from gateway.domain.sample import (
    KeptSample,
    NewSample,
    SampleCount,
    SampleLabel,
    SampleSource,
)
from gateway.ports.samples import EVICTED_AT_ONCE, SAMPLES_KEPT
from gateway.stores.database import Database
from gateway.stores.samples_tables import samples as samples_table
from gateway.stores.sql_privacy import note_purge

_sample = samples_table.c


class SqlSamples:
    """Samples as rows of `samples`, one for each digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, samples: Sequence[NewSample]) -> list[int | None]:
        async def run(connection: AsyncConnection) -> list[int | None]:
            numbers = [await _put(connection, sample) for sample in samples]
            while samples and await _evicted(connection, samples[-1]):
                pass
            return numbers

        return await self._database.writer.write(run, rows=len(samples))

    async def get(self, number: int) -> KeptSample | None:
        rows = await self._database.rows(select(samples_table).where(_sample.number == number))
        return next(map(_kept, rows), None)

    async def find(
        self,
        *,
        label: SampleLabel | None = None,
        category: str | None = None,
        source: SampleSource | None = None,
        system_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[KeptSample]:
        query = select(samples_table).order_by(_sample.number.desc()).limit(limit)
        asked = {"label": label, "category": category, "source": source, "system_id": system_id}
        for name, value in asked.items():
            if value is not None:
                query = query.where(_sample[name] == value)
        if before is not None:
            query = query.where(_sample.number < before)
        return list(map(_kept, await self._database.rows(query)))

    async def counts(self) -> list[SampleCount]:
        kinds = (_sample.label, _sample.category, _sample.source)
        query = select(*kinds, func.count().label("count")).group_by(*kinds).order_by(*kinds)
        return [
            SampleCount(
                SampleLabel(row["label"]),
                row["category"],
                SampleSource(row["source"]),
                row["count"],
            )
            for row in await self._database.rows(query)
        ]

    async def kept_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[KeptSample]:
        query = (
            select(samples_table)
            .where(_sample.at < before, _sample.number > after)
            .order_by(_sample.number)
            .limit(limit)
        )
        return list(map(_kept, await self._database.rows(query)))

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        statement = delete(samples_table).where(_sample.number.in_(numbers))

        async def run(connection: AsyncConnection) -> int:
            count = (await connection.execute(statement)).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(numbers))


async def _put(connection: AsyncConnection, sample: NewSample) -> int | None:
    same = _sample.digest == sample.digest
    last = (await connection.execute(select(_sample.at).where(same))).scalar()
    if last is not None:
        if last > sample.at:
            return None
        await connection.execute(delete(samples_table).where(same))
    values = {name: getattr(sample, name) for name in NewSample.__slots__}
    added = await connection.execute(insert(samples_table).returning(_sample.number), values)
    return int(added.scalar_one())


async def _evicted(connection: AsyncConnection, newest: NewSample) -> bool:
    """Delete some of the oldest where there are too many; tell whether there were."""
    counted = await connection.execute(select(func.count()).select_from(samples_table))
    if int(counted.scalar_one()) <= SAMPLES_KEPT:
        return False
    oldest = select(_sample.number, _sample.at).order_by(_sample.number).limit(EVICTED_AT_ONCE)
    rows = (await connection.execute(oldest)).all()
    await connection.execute(delete(samples_table).where(_sample.number <= rows[-1].number))
    times = [row.at for row in rows]
    purge = NewPurge("samples", min(times), max(times), len(rows), newest.at, newest.by)
    await note_purge(connection, purge, len(rows))
    return True


def _kept(row: RowMapping) -> KeptSample:
    return KeptSample(
        **{**row, "label": SampleLabel(row["label"]), "source": SampleSource(row["source"])}
    )
