"""The store of subscribers' answers (同意与退订)."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import Answer, ConsentAnswer, bounds_of_parts
from gateway.domain.records import NewAccess
from gateway.runtime.clock import monotonic, utcnow
from gateway.storage.change_feed import (
    ANSWERS_PER_CHANGE,
    KEEP_ANSWER,
    ChangeKind,
    note_batch,
    put_answers,
)
from gateway.storage.database import Database, SqlStore
from gateway.storage.dialect import insert_plain
from gateway.storage.journals import note_access
from gateway.storage.sealed_columns import Kept
from gateway.storage.tables import ENDS, consent_answers, metadata

# msisdn, scope, answer (None for an agreement that has ended). A plain tuple, because a snapshot
# holds millions.
AnswerRow: TypeAlias = tuple[int, str, Answer | None]
# When an agreement ends, its msisdn and its scope.
EndRow: TypeAlias = tuple[datetime, int, str]
# ConsentAnswer as a plain tuple, for a list holds millions of them: msisdn, scope, the value
# of an Answer, since in microseconds from 1970 on, channel, evidence, until like since or None.
PlainAnswer: TypeAlias = tuple[int, str, str, int, str, str, int | None]
KeptAnswer: TypeAlias = tuple[Kept, str, str, int, str, str, int | None]

ANSWERS_PER_COMMIT = 10_000
_CHANGE = consent_answers.c.keys().index("change")  # where it stands in a row


# Whoever waits for the write lock of SQLite looks for it in growing steps, every 100 ms in the
# end, and a gateway gives up after a second. A commit lets nobody in, for the next begins at
# once; after _BUSY_S of them a rest longer than a step lets in everyone who waits.
_BUSY_S = 0.3
_REST_S = 0.12

_column = consent_answers.c
_ANSWERS = {answer.value: answer for answer in Answer}
_BEFORE_ALL = (-1, "")
_WHOLE = sa.select(*(_column[name] for name in ConsentAnswer.__slots__))

offered_words = sa.Table(
    "offered_words",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("port", sa.String(20), primary_key=True),
    sa.Column("word", sa.String(16), primary_key=True),
    sa.Column("place", sa.SmallInteger, nullable=False),
)


class OfferedWordStore(SqlStore):
    """Words of refusal that ports have offered (R31). Calls may be repeated.

    Each raises StoreUnavailable when the store does not answer.
    """

    async def keep(self, offered: Mapping[tuple[str, str], Sequence[str]]) -> None:
        """Keep the words of some ports, by system_id and port, in place of those kept before."""
        rows = [
            dict(zip(offered_words.c.keys(), (*port, word, place), strict=True))
            for port, words in offered.items()
            for place, word in enumerate(words)
        ]
        whose = sa.tuple_(offered_words.c.system_id, offered_words.c.port)

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(offered_words).where(whose.in_(list(offered))))
            if rows:
                await connection.execute(sa.insert(offered_words), rows)

        await self._database.writer.write(run, rows=len(rows))

    async def listed(self) -> list[tuple[str, str, str]]:
        """Return all words, each with system_id and port, in the order of `keep`."""
        column = offered_words.c
        query = sa.select(column.system_id, column.port, column.word)
        rows = await self._database.rows(
            query.order_by(column.system_id, column.port, column.place)
        )
        return [(row["system_id"], row["port"], row["word"]) for row in rows]


class ConsentStore(SqlStore):
    """Reads and records subscribers' answers, one per number and scope.

    Every call raises StoreUnavailable when the store does not answer, and is safe to
    repeat.
    """

    async def record(self, answers: Sequence[ConsentAnswer], staff: NewAccess | None = None) -> int:
        """Keep each answer that overrides the one on record; return the last change number.

        Without answers it is 0. See ConsentAnswer.holds_over. Large imports are committed in
        parts: after StoreUnavailable some answers may be on record. Where `staff` recorded them,
        the audit has that in each of these commits.
        """
        number = 0
        for start in range(0, len(answers), ANSWERS_PER_CHANGE):
            number = await self._record(answers[start : start + ANSWERS_PER_CHANGE], staff)
        return number

    async def _record(self, answers: Sequence[ConsentAnswer], staff: NewAccess | None) -> int:
        at = self._utcnow()

        async def run(connection: AsyncConnection) -> int:
            if staff is not None:
                await note_access(connection, staff)
            return await put_answers(connection, answers, at)

        return await self._database.writer.write(run, rows=len(answers))

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

    async def refusals_changed(
        self, after: int, through: int, channel: str
    ) -> list[tuple[str, datetime, int]]:
        """Return refusals by `channel` of the changes above `after`, up to `through`.

        By scope and change: the scope, when the first of them was said, and how many there are.
        """
        since = sa.func.min(_column.since, type_=_column.since.type).label("since")
        query = (
            sa.select(_column.scope, since, sa.func.count().label("count"))
            .where(
                _column.change > after,
                _column.change <= through,
                _column.answer == Answer.REFUSED,
                _column.channel == channel,
            )
            .group_by(_column.change, _column.scope)
            .order_by(_column.change)
        )
        rows = await self._database.rows(query)
        return [(row["scope"], row["since"], row["count"]) for row in rows]

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

    async def record_list(
        self, batches: Iterable[Sequence[KeptAnswer]], staff: NewAccess | None = None
    ) -> AsyncIterator[int]:
        """Keep answers as ConsentStore.record does; yield how many each commit held.

        The audit has what `staff` does in the first commit. Numbers are as `number_seal` makes
        them. The next batch is asked for after that commit, and no commit holds more than
        ANSWERS_PER_COMMIT. Answers in the order of number and scope are kept many times faster.
        Between commits there are rests in which other processes' writes get in. Raises
        StoreUnavailable; what was yielded is on record then.
        """
        busy_since = self._monotonic()
        for batch in batches:
            for start in range(0, len(batch), ANSWERS_PER_COMMIT):
                if self._monotonic() - busy_since >= _BUSY_S:
                    await self._sleep(_REST_S)
                    busy_since = self._monotonic()
                answers = batch[start : start + ANSWERS_PER_COMMIT]
                await self._record(answers, staff)
                staff = None
                yield len(answers)

    async def _record(self, answers: Sequence[KeptAnswer], staff: NewAccess | None) -> None:
        at = self._utcnow()

        async def run(connection: AsyncConnection) -> None:
            if staff is not None:
                await note_access(connection, staff)
            for start in range(0, len(answers), ANSWERS_PER_CHANGE):
                number = await note_batch(connection, ChangeKind.CONSENT, at)
                some = answers[start : start + ANSWERS_PER_CHANGE]
                rows = [(*row[:_CHANGE], number, *row[_CHANGE:]) for row in some]
                await insert_plain(connection, KEEP_ANSWER, rows)

        await self._database.writer.write(run, rows=len(answers))

    async def listed(
        self, *, scope: str | None = None, answer: Answer | None = None, batch: int = 10_000
    ) -> AsyncIterator[list[ConsentAnswer]]:
        """Yield the answers of `scope` or its parts that read `answer`, as numbers are kept.

        None means any.

        In lists of at most `batch`. Answers recorded meanwhile may or may not be among
        them. Raises StoreUnavailable.
        """
        query = _WHOLE.order_by(_column.msisdn, _column.scope).limit(batch)
        if scope is not None:
            begin, end = bounds_of_parts(scope)
            of_parts = sa.and_(_column.scope > begin, _column.scope < end)
            query = query.where(sa.or_(_column.scope == scope, of_parts))
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
