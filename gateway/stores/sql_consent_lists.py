"""Lists of answers into and out of SQL (contract: gateway.ports.consent_lists)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.ports.changes import ChangeKind
from gateway.ports.consent import ANSWERS_PER_CHANGE
from gateway.ports.consent_lists import ANSWERS_PER_COMMIT, Kept, KeptAnswer
from gateway.stores.database import Database
from gateway.stores.tables import changes, consent_answers

# Whoever waits for SQLite's write lock looks for it in growing steps, every 100 ms in the
# end, and a gateway gives up after a second. A commit lets nobody in, for the next begins at
# once; after _BUSY_S of them a rest longer than a step lets in everyone who waits.
_BUSY_S = 0.3
_REST_S = 0.12

_FROM_START = (-1, "")
_column = consent_answers.c

# What sql_consent says in Core, for the driver itself: Core spends more on binding a row's
# values than SQLite on keeping them. A test holds the two against each other.
_KEEP = """
INSERT INTO consent_answers (msisdn, scope, answer, since, channel, evidence, until, change)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (msisdn, scope) DO UPDATE SET
    answer = excluded.answer,
    since = excluded.since,
    channel = excluded.channel,
    evidence = excluded.evidence,
    until = excluded.until,
    change = excluded.change
WHERE CASE
    WHEN (excluded.answer = 'asserted') <> (consent_answers.answer = 'asserted')
    THEN consent_answers.answer = 'asserted'
    ELSE excluded.since > consent_answers.since
        OR (excluded.since = consent_answers.since AND excluded.answer = 'refused')
END
"""


class SqlConsentLists:
    """Many rows of `consent_answers` per statement and per commit."""

    def __init__(
        self,
        database: Database,
        utcnow: Callable[[], datetime],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._database = database
        self._utcnow = utcnow
        self._monotonic = monotonic
        self._sleep = sleep

    def number_seal(self) -> Callable[[int], Kept] | None:
        return self._database.kept if self._database.is_sealed else None

    async def record_list(self, batches: Iterable[Sequence[KeptAnswer]]) -> AsyncIterator[int]:
        busy_since = self._monotonic()
        for batch in batches:
            for start in range(0, len(batch), ANSWERS_PER_COMMIT):
                if self._monotonic() - busy_since >= _BUSY_S:
                    await self._sleep(_REST_S)
                    busy_since = self._monotonic()
                answers = batch[start : start + ANSWERS_PER_COMMIT]
                await self._record(answers)
                yield len(answers)

    async def _record(self, answers: Sequence[KeptAnswer]) -> None:
        change = {"kind": ChangeKind.CONSENT, "key": "", "at": self._utcnow()}

        async def run(connection: AsyncConnection) -> None:
            for start in range(0, len(answers), ANSWERS_PER_CHANGE):
                made = await connection.execute(insert(changes).returning(changes.c.number), change)
                number = int(made.scalar_one())
                rows = [(*row, number) for row in answers[start : start + ANSWERS_PER_CHANGE]]
                await connection.exec_driver_sql(_KEEP, rows)

        await self._database.writer.write(run, rows=len(answers))

    async def listed(
        self, *, scope: str | None = None, answer: Answer | None = None, batch: int = 10_000
    ) -> AsyncIterator[list[ConsentAnswer]]:
        query = (
            select(*(_column[name] for name in ConsentAnswer.__slots__))
            .order_by(_column.msisdn, _column.scope)
            .limit(batch)
        )
        if scope is not None:
            query = query.where(_column.scope == scope)
        if answer is not None:
            query = query.where(_column.answer == answer.value)
        last = _FROM_START
        while True:
            key = tuple_(_column.msisdn, _column.scope)
            rows = await self._database.rows(query.where(key > last))
            if not rows:
                return
            yield [ConsentAnswer(**{**row, "answer": Answer(row["answer"])}) for row in rows]
            last = (rows[-1]["msisdn"], rows[-1]["scope"])
