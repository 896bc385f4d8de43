"""Subscribers' answers in SQL (contract: gateway.ports.consent)."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import Executable, RowMapping, and_, case, insert, or_, select, tuple_
from sqlalchemy.dialects.sqlite import insert as insert_or_update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.ports.changes import ChangeKind
from gateway.ports.consent import ANSWERS_PER_CHANGE, AnswerRow, EndRow
from gateway.stores.database import Database
from gateway.stores.tables import ENDS, changes, consent_answers

_column = consent_answers.c
_ANSWERS = {answer.value: answer for answer in Answer}
_BEFORE_ALL = (-1, "")
_WHOLE = select(*(_column[name] for name in ConsentAnswer.__slots__))

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
    where=case(
        (_is_asserted != _was_asserted, _was_asserted),
        else_=or_(
            _new.since > _column.since,
            and_(_new.since == _column.since, _new.answer == Answer.REFUSED.value),
        ),
    ),
)


class SqlConsent:
    """Answers as rows of `consent_answers`, each stamped with its last change."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def record(self, answers: Sequence[ConsentAnswer]) -> int:
        number = 0
        for start in range(0, len(answers), ANSWERS_PER_CHANGE):
            number = await self._record(answers[start : start + ANSWERS_PER_CHANGE])
        return number

    async def _record(self, answers: Sequence[ConsentAnswer]) -> int:
        values = [
            {name: getattr(answer, name) for name in ConsentAnswer.__slots__} for answer in answers
        ]
        change = {"kind": ChangeKind.CONSENT, "key": "", "at": self._utcnow()}

        async def run(connection: AsyncConnection) -> int:
            inserted = await connection.execute(insert(changes).returning(changes.c.number), change)
            number = int(inserted.scalar_one())
            await connection.execute(_UPSERT, [value | {"change": number} for value in values])
            return number

        return await self._database.writer.write(run, rows=len(values))

    async def answer_of(self, msisdn: int, scope: str) -> ConsentAnswer | None:
        query = _WHOLE.where(_column.msisdn == msisdn, _column.scope == scope)
        for row in await self._database.rows(query):
            return _answer(row)
        return None

    async def answers_of(self, msisdns: Collection[int]) -> list[ConsentAnswer]:
        query = _WHOLE.where(_column.msisdn.in_(msisdns))
        found = [_answer(row) for row in await self._database.rows(query)]
        return sorted(found, key=lambda answer: (answer.msisdn, answer.scope))

    async def all_answers(self, batch: int = 10_000) -> AsyncIterator[list[AnswerRow]]:
        # Page by page, each from where the last ended: one long read would keep SQLite
        # from ever emptying its -wal file while others write.
        query = (
            select(_column.msisdn, _column.scope, _column.answer, _column.until)
            .order_by(_column.msisdn, _column.scope)
            .limit(batch)
        )
        last = _BEFORE_ALL
        while True:
            page = await self._answers(query.where(tuple_(_column.msisdn, _column.scope) > last))
            if not page:
                return
            yield page
            last = page[-1][:2]

    async def answers_changed(self, after: int, through: int) -> list[AnswerRow]:
        return await self._answers(
            select(_column.msisdn, _column.scope, _column.answer, _column.until)
            .where(_column.change > after, _column.change <= through)
            .order_by(_column.change)
        )

    async def answers_ending(self, after: EndRow, through: datetime, limit: int) -> list[EndRow]:
        place = tuple_(_column.until, _column.msisdn, _column.scope)
        query = (
            select(_column.until, _column.msisdn, _column.scope)
            .where(ENDS, place > after, _column.until <= through)
            .order_by(_column.until, _column.msisdn, _column.scope)
            .limit(limit)
        )

        async def run(connection: AsyncConnection) -> list[EndRow]:
            return [
                (until, msisdn, scope) for until, msisdn, scope in await connection.execute(query)
            ]

        return await self._database.read(run)

    async def _answers(self, query: Executable) -> list[AnswerRow]:
        now = self._utcnow()

        # Plain tuples at once: rows by name would triple the time of loading millions.
        async def run(connection: AsyncConnection) -> list[AnswerRow]:
            rows = await connection.execute(query)
            return [
                (msisdn, scope, _ANSWERS[answer] if until is None or now < until else None)
                for msisdn, scope, answer, until in rows
            ]

        return await self._database.read(run)


def _answer(row: RowMapping) -> ConsentAnswer:
    return ConsentAnswer(**{**row, "answer": Answer(row["answer"])})
