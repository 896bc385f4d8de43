"""Texts that people have labelled, as rows of the store."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewPurge
from gateway.storage.database import SqlStore, added, newest, oldest, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.journals import note_purge, purge_rows
from gateway.storage.sealed_columns import SealedText
from gateway.storage.tables import UtcTime, metadata, word
from gateway.systems.learning.model import (
    EVICTED_AT_ONCE,
    SAMPLES_KEPT,
    KeptSample,
    NewSample,
    SampleCount,
    SampleLabel,
    SampleSource,
)

# One column for each field of NewSample, after its number. The digest is sealed
# too: an open one would tell whoever guesses a text that it was sent.
samples_table = sa.Table(
    "samples",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("text", SealedText("samples.text"), nullable=False),
    sa.Column("digest", SealedText("samples.digest"), nullable=False),
    sa.Column("label", word(SampleLabel, 8), nullable=False),
    sa.Column("category", sa.String(32), nullable=False),
    sa.Column("source", word(SampleSource, 16), nullable=False),
    *columns(sa.String(16), "text_class", "system_id"),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Index("ux_samples_digest", "digest", unique=True),
    **NEVER_REUSED,
)
_sample = samples_table.c


class SampleStore(SqlStore):
    """Keeps people's verdicts on texts. Every call may raise StoreUnavailable."""

    async def keep(self, samples: Sequence[NewSample]) -> list[int | None]:
        """Keep samples in one commit, and return the number of each.

        The latest verdict on a text replaces earlier ones. The number is None, and nothing is
        changed, if a later verdict on the same text is on record. While there are more than
        SAMPLES_KEPT, the oldest EVICTED_AT_ONCE are deleted, journaled as a purge of `samples`.
        """

        async def run(connection: AsyncConnection) -> list[int | None]:
            numbers = [await _put(connection, sample) for sample in samples]
            while samples and await _evicted(connection, samples[-1]):
                pass
            return numbers

        return await self._database.writer.write(run, rows=len(samples))

    async def get(self, number: int) -> KeptSample | None:
        """Return one sample, or None."""
        query = sa.select(samples_table).where(_sample.number == number)
        return await self._database.record(KeptSample, query)

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
        """Return the newest samples that fit, newest first.

        For the next page give the last number as `before`.
        """
        equal = {"label": label, "category": category, "source": source, "system_id": system_id}
        query = newest(samples_table, limit, (), before=before, **equal)
        return await self._database.records(KeptSample, query)

    async def counts(self) -> list[SampleCount]:
        """Return how many samples there are of each kind, by label, category and source."""
        kinds = (_sample.label, _sample.category, _sample.source)
        query = sa.select(*kinds, sa.func.count().label("count")).group_by(*kinds).order_by(*kinds)
        return await self._database.records(SampleCount, query)

    async def kept_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[KeptSample]:
        """Return samples with a verdict older than `before`, by number.

        For the next page give the last number as `after`.
        """
        query = oldest(samples_table, limit, _sample.at < before, after=after)
        return await self._database.records(KeptSample, query)

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete samples; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        statement = sa.delete(samples_table).where(_sample.number.in_(numbers))
        return await purge_rows(self._database, statement, purge, len(numbers))


async def _put(connection: AsyncConnection, sample: NewSample) -> int | None:
    same = _sample.digest == sample.digest
    last = (await connection.execute(sa.select(_sample.at).where(same))).scalar()
    if last is not None:
        if last > sample.at:
            return None
        await connection.execute(sa.delete(samples_table).where(same))
    return await added(connection, samples_table, values_of(sample))


async def _evicted(connection: AsyncConnection, newest: NewSample) -> bool:
    """Delete some of the oldest where there are too many; tell whether there were."""
    counted = await connection.execute(sa.select(sa.func.count()).select_from(samples_table))
    if int(counted.scalar_one()) <= SAMPLES_KEPT:
        return False
    oldest = sa.select(_sample.number, _sample.at).order_by(_sample.number).limit(EVICTED_AT_ONCE)
    rows = (await connection.execute(oldest)).all()
    await connection.execute(sa.delete(samples_table).where(_sample.number <= rows[-1].number))
    times = [row.at for row in rows]
    purge = NewPurge("samples", min(times), max(times), len(rows), newest.at, newest.by)
    await note_purge(connection, purge, len(rows))
    return True
