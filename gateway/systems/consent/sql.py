"""The store of subscribers' answers (同意与退订)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.runtime.clock import monotonic, utcnow
from gateway.storage.change_feed import ChangeKind, note_batch
from gateway.storage.database import Database, SqlStore, values_of
from gateway.storage.dialect import insert_or_update
from gateway.storage.sealed_columns import Kept
from gateway.storage.tables import ENDS, consent_answers

# msisdn, scope, answer (None for an agreement that has ended). A plain tuple, because a snapshot
# holds millions.
AnswerRow: TypeAlias = tuple[int, str, Answer | None]
# When an agreement ends, its msisdn and its scope.
EndRow: TypeAlias = tuple[datetime, int, str]
# ConsentAnswer as a plain tuple, for a list holds millions of them: msisdn, scope, the value
# of an Answer, since in microseconds from 1970 on, channel, evidence, until like since or None.
PlainAnswer: TypeAlias = tuple[int, str, str, int, str, str, int | None]
KeptAnswer: TypeAlias = tuple[Kept, str, str, int, str, str, int | None]

ANSWERS_PER_CHANGE = 1000
ANSWERS_PER_COMMIT = 10_000


# Whoever waits for SQLite's write lock looks for it in growing steps, every 100 ms in the
# end, and a gateway gives up after a second. A commit lets nobody in, for the next begins at
# once; after _BUSY_S of them a rest longer than a step lets in everyone who waits.
_BUSY_S = 0.3
_REST_S = 0.12

_column = consent_answers.c
_ANSWERS = {answer.value: answer for answer in Answer}
_BEFORE_ALL = (-1, "")
_WHOLE = sa.select(*(_column[name] for name in ConsentAnswer.__slots__))

_upsert = insert_or_update(consent_answers)
_new = _upsert.excluded
_is_asserted = _new.answer == Answer.ASSERTED.value
_was_asserted = _column.answer == Answer.ASSERTED.value
_UPSERT = _upsert.on_conflict_do_update(
    index_elements=[_column.msisdn, _column.scope],
    set_={
        name: _new[name] for name in ("answer", "since", "channel", "change", "evidence", "until")
    },
    # ConsentAnswer.holds_over; a test holds the two against each other.
    where=sa.case(
        (_is_asserted != _was_asserted, _was_asserted),
        else_=sa.or_(
            _new.since > _column.since,
            sa.and_(_new.since == _column.since, _new.answer == Answer.REFUSED.value),
        ),
    ),
)

# What _UPSERT says in Core, for the driver itself: Core spends more on binding a row's
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


class ConsentStore(SqlStore):
    """Reads and records subscribers' answers, one per number and scope.

    Every call raises StoreUnavailable when the store does not answer, and is safe to
    repeat.
    """

    async def record(self, answers: Sequence[ConsentAnswer]) -> int:
        """Keep each answer that overrides the one on record; return the last change number.

        Without answers it is 0. See ConsentAnswer.holds_over. Large imports are committed in
        parts: after StoreUnavailable some answers may be on record.
        """
        number = 0
        for start in range(0, len(answers), ANSWERS_PER_CHANGE):
            number = await self._record(answers[start : start + ANSWERS_PER_CHANGE])
        return number

    async def _record(self, answers: Sequence[ConsentAnswer]) -> int:
        values = [values_of(answer) for answer in answers]
        at = self._utcnow()

        async def run(connection: AsyncConnection) -> int:
            number = await note_batch(connection, ChangeKind.CONSENT, at)
            await connection.execute(_UPSERT, [value | {"change": number} for value in values])
            return number

        return await self._database.writer.write(run, rows=len(values))

    async def answer_of(self, msisdn: int, scope: str) -> ConsentAnswer | None:
        """Return the answer given to exactly this scope."""
        query = _WHOLE.where(_column.msisdn == msisdn, _column.scope == scope)
        row = await self._database.first(query)
        return None if row is None else _answer(row)

    async def answers_of(self, msisdns: Collection[int]) -> list[ConsentAnswer]:
        """Return all answers of at most NUMBERS_AT_ONCE numbers, by number and scope."""
        query = _WHOLE.where(_column.msisdn.in_(msisdns))
        found = [_answer(row) for row in await self._database.rows(query)]
        return sorted(found, key=lambda answer: (answer.msisdn, answer.scope))

    async def all_answers(self, batch: int = 10_000) -> AsyncIterator[list[AnswerRow]]:
        """Yield every answer on record, in lists of at most `batch`.

        Answers recorded meanwhile may or may not be among them.
        """
        # Page by page, each from where the last ended: one long read would keep SQLite
        # from ever emptying its -wal file while others write.
        query = (
            sa.select(_column.msisdn, _column.scope, _column.answer, _column.until)
            .order_by(_column.msisdn, _column.scope)
            .limit(batch)
        )
        last = _BEFORE_ALL
        while True:
            page = await self._answers(query.where(sa.tuple_(_column.msisdn, _column.scope) > last))
            if not page:
                return
            yield page
            last = page[-1][:2]

    async def answers_changed(self, after: int, through: int) -> list[AnswerRow]:
        """Return the answers with a last change number above `after`, up to `through`.

        One change stands for at most ANSWERS_PER_CHANGE answers.
        """
        return await self._answers(
            sa.select(_column.msisdn, _column.scope, _column.answer, _column.until)
            .where(_column.change > after, _column.change <= through)
            .order_by(_column.change)
        )

    async def answers_ending(self, after: EndRow, through: datetime, limit: int) -> list[EndRow]:
        """Return at most `limit` agreements after `after` that end by `through`, in order.

        `after` is the last one known; (moment, -1, "") comes before all that end at a moment.
        The end of an agreement makes no change row.
        """
        place = sa.tuple_(_column.until, _column.msisdn, _column.scope)
        query = (
            sa.select(_column.until, _column.msisdn, _column.scope)
            .where(ENDS, place > after, _column.until <= through)
            .order_by(_column.until, _column.msisdn, _column.scope)
            .limit(limit)
        )

        async def run(connection: AsyncConnection) -> list[EndRow]:
            return [
                (until, msisdn, scope) for until, msisdn, scope in await connection.execute(query)
            ]

        return await self._database.read(run)

    async def _answers(self, query: sa.Executable) -> list[AnswerRow]:
        now = self._utcnow()

        # Plain tuples at once: rows by name would triple the time of loading millions.
        async def run(connection: AsyncConnection) -> list[AnswerRow]:
            rows = await connection.execute(query)
            return [
                (msisdn, scope, _ANSWERS[answer] if until is None or now < until else None)
                for msisdn, scope, answer, until in rows
            ]

        return await self._database.read(run)


class ConsentLists(SqlStore):
    """The answers of ConsentStore by the million: lists in and lists out. All is safe to repeat."""

    def __init__(
        self,
        database: Database,
        utcnow: Callable[[], datetime] = utcnow,
        monotonic: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(database, utcnow)
        self._monotonic = monotonic
        self._sleep = sleep

    def number_seal(self) -> Callable[[int], Kept] | None:
        """Return what makes of a number what is kept in its place; None where that is itself.

        Rows are in the order of what it makes.
        """
        return self._database.kept if self._database.is_sealed else None

    async def record_list(self, batches: Iterable[Sequence[KeptAnswer]]) -> AsyncIterator[int]:
        """Keep answers as ConsentStore.record does; yield how many each commit held.

        Their numbers are as `number_seal` makes them. The next batch is asked for after that
        commit, and no commit holds more than ANSWERS_PER_COMMIT. Answers in the order of
        number and scope are kept many times faster. Between commits there are rests in which
        other processes' writes get in. Raises StoreUnavailable; what was yielded is on record then.
        """
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
        at = self._utcnow()

        async def run(connection: AsyncConnection) -> None:
            for start in range(0, len(answers), ANSWERS_PER_CHANGE):
                number = await note_batch(connection, ChangeKind.CONSENT, at)
                rows = [(*row, number) for row in answers[start : start + ANSWERS_PER_CHANGE]]
                await connection.exec_driver_sql(_KEEP, rows)

        await self._database.writer.write(run, rows=len(answers))

    async def listed(
        self, *, scope: str | None = None, answer: Answer | None = None, batch: int = 10_000
    ) -> AsyncIterator[list[ConsentAnswer]]:
        """Yield the answers of `scope` that read `answer`, None meaning any, as numbers are kept.

        In lists of at most `batch`. Answers recorded meanwhile may or may not be among
        them. Raises StoreUnavailable.
        """
        query = _WHOLE.order_by(_column.msisdn, _column.scope).limit(batch)
        if scope is not None:
            query = query.where(_column.scope == scope)
        if answer is not None:
            query = query.where(_column.answer == answer.value)
        last = _BEFORE_ALL
        while True:
            key = sa.tuple_(_column.msisdn, _column.scope)
            rows = await self._database.rows(query.where(key > last))
            if not rows:
                return
            yield [_answer(row) for row in rows]
            last = (rows[-1]["msisdn"], rows[-1]["scope"])


def _answer(row: sa.RowMapping) -> ConsentAnswer:
    return ConsentAnswer(**{**row, "answer": Answer(row["answer"])})
