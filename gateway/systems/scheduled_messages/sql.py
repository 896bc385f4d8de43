"""Scheduled messages in SQL (contract: gateway.ports.scheduled_messages)."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Update,
    delete,
    exists,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.sqlite import insert as insert_or_update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.msisdn import misread_as
from gateway.domain.scheduled_message import ScheduledMessage
from gateway.domain.sender import NO_COMPANIONS, Companions
from gateway.stores.database import Database
from gateway.stores.scheduled_tables import IS_REFUSED, scheduled_messages
from gateway.stores.tables import consent_answers

_column = scheduled_messages.c
_answer = consent_answers.c
_own = consent_answers.alias("own_answers").c
_SHOWN = [_column[field.name] for field in fields(ScheduledMessage)]
_KEPT = [field.name for field in fields(ScheduledMessage) if field.name != "number"]
_UNCLAIMED = {"is_refused": False, "free_at": datetime(1970, 1, 1, tzinfo=UTC)}
_IS_REFUSAL = _answer.answer == Answer.REFUSED.value
_IS_ABOUT_IT = _answer.scope.in_((_column.system_id, EVERY_SENDER))

_insert = insert_or_update(scheduled_messages)
_UPSERT = _insert.on_conflict_do_update(
    index_elements=[_column.system_id, _column.message_id, _column.destination],
    set_={"scheduled_at": _insert.excluded.scheduled_at},
)


class SqlScheduled:
    """Scheduled messages as rows of `scheduled_messages`."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def keep(
        self, messages: Sequence[ScheduledMessage], companions: Companions = NO_COMPANIONS
    ) -> bool:
        values = [_values_of(one) for one in messages]
        keys = [(one.system_id, one.message_id) for one in messages]
        these = tuple_(_column.system_id, _column.message_id).in_(keys)
        theirs = {one.system_id for one in messages}
        markings = self._markings(_companies(companions, theirs), these)

        async def run(connection: AsyncConnection) -> bool:
            if values:
                await connection.execute(_UPSERT, values)
            return await _marked(connection, markings)

        return await self._database.writer.write(run, rows=len(values))

    async def move(self, system_id: str, message_id: str, at: datetime) -> None:
        statement = (
            update(scheduled_messages)
            .where(_column.system_id == system_id, _column.message_id == message_id)
            .values(scheduled_at=at)
        )

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.writer.write(run)

    async def note_refusals(
        self, after: int, through: int, companions: Companions = NO_COMPANIONS
    ) -> bool:
        # Usually nothing is scheduled, and that must not cost a commit.
        if not await self._database.rows(select(_column.number).limit(1)):
            return False
        markings = self._markings(_companies(companions, companions))
        if after:
            # Look up the rows of the few changed answers. At the start (`after` is 0) it is the
            # other way round: two look-ups for each row, not one for every refusal on record.
            told = (_answer.change > after) & (_answer.change <= through) & _IS_REFUSAL
            numbers = select(_answer.msisdn).where(told)
            scopes = select(_answer.scope).where(told).distinct() if companions else None
            refused = [] if scopes is None else await self._database.rows(scopes)
            markings = self._markings(
                _companies(companions, {row["scope"] for row in refused}),
                _column.msisdn.in_(numbers) | _column.misread_as.in_(numbers),
            )

        async def run(connection: AsyncConnection) -> bool:
            return await _marked(connection, markings)

        return await self._database.writer.write(run)

    async def waiting_senders(self, now: datetime) -> set[str]:
        query = select(_column.system_id).where(IS_REFUSED, _column.scheduled_at > now).distinct()
        return {row["system_id"] for row in await self._database.rows(query)}

    async def take(
        self, now: datetime, until: datetime, senders: Collection[str], limit: int
    ) -> list[ScheduledMessage]:
        free = (
            select(_column.number)
            .where(
                IS_REFUSED,
                _column.scheduled_at > now,
                _column.system_id.in_(senders),
                _column.free_at <= now,
            )
            .order_by(_column.scheduled_at, _column.number)
            .limit(limit)
        )
        # Messages that wait for a bind or a claim must not cost a commit each time.
        if not await self._database.rows(free.limit(1)):
            return []
        taking = (
            update(scheduled_messages)
            .where(_column.number.in_(free.scalar_subquery()))
            .values(free_at=until)
            .returning(*_SHOWN)
        )

        async def run(connection: AsyncConnection) -> list[ScheduledMessage]:
            taken = (await connection.execute(taking)).mappings()
            return sorted(map(_message_of, taken), key=lambda one: (one.scheduled_at, one.number))

        return await self._database.writer.write(run, rows=limit)

    async def put_back(self, number: int, at: datetime) -> None:
        statement = update(scheduled_messages).where(_column.number == number).values(free_at=at)

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.writer.write(run)

    async def settle(self, number: int) -> bool:
        statement = delete(scheduled_messages).where(_column.number == number)

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)

    async def take_overdue(self, now: datetime, limit: int) -> list[ScheduledMessage]:
        over = (
            select(_column.number)
            .where(IS_REFUSED, _column.scheduled_at <= now, _column.free_at <= now)
            .limit(limit)
        )
        if not await self._database.rows(over.limit(1)):
            return []
        ending = (
            delete(scheduled_messages)
            .where(_column.number.in_(over.scalar_subquery()))
            .returning(*_SHOWN)
        )

        async def run(connection: AsyncConnection) -> list[ScheduledMessage]:
            ended = (await connection.execute(ending)).mappings()
            return sorted(map(_message_of, ended), key=lambda one: one.number)

        return await self._database.writer.write(run, rows=limit)

    async def prune(self, now: datetime) -> int:
        is_over = (_column.scheduled_at <= now) & not_(_column.is_refused)
        if not await self._database.rows(select(_column.number).where(is_over).limit(1)):
            return 0

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(scheduled_messages).where(is_over))).rowcount

        return await self._database.writer.write(run)

    def _markings(
        self, companies: Sequence[Collection[str]], *those: ColumnElement[bool]
    ) -> list[Update]:
        """Return the statements that mark messages in `those` refused by an answer on record.

        One is for refusals of the messages' own SPs, and one for each company: SQLite limits the
        depth of a condition, and each statement finds its rows by the SPs' names.
        """
        return [
            self._marking(_IS_ABOUT_IT, *those),
            *(
                self._marking(_answer.scope.in_(one), _column.system_id.in_(one), *those)
                for one in companies
            ),
        ]

    def _marking(self, is_about_it: ColumnElement[bool], *those: ColumnElement[bool]) -> Update:
        """Return the statement that marks messages in `those` refused by a matching answer.

        As in ConsentSets.is_refused: a refusal of the number that this number may be read as
        counts, unless this number itself agreed to the same scope.
        """
        has_agreed = (
            exists()
            .where(
                _own.msisdn == _column.msisdn,
                _own.scope == _answer.scope,
                _own.answer == Answer.AGREED.value,
                or_(_own.until.is_(None), _own.until > self._utcnow()),
            )
            .correlate(scheduled_messages, consent_answers)
        )
        refused = exists().where(_answer.msisdn == _column.msisdn, is_about_it, _IS_REFUSAL)
        misread = exists().where(
            _answer.msisdn == _column.misread_as, is_about_it, _IS_REFUSAL, not_(has_agreed)
        )
        return (
            update(scheduled_messages)
            .where(not_(_column.is_refused), *those, or_(refused, misread))
            .values(is_refused=True)
        )


def _companies(companions: Companions, system_ids: Iterable[str]) -> list[tuple[str, ...]]:
    """Return, for each company that has one of `system_ids`, all its accounts."""
    found = {
        tuple(sorted((one, *companions[one]))): None for one in system_ids if one in companions
    }
    return list(found)


async def _marked(connection: AsyncConnection, markings: Iterable[Update]) -> bool:
    """Execute `markings`; tell whether any message was marked."""
    counts = [(await connection.execute(one)).rowcount for one in markings]
    return sum(counts) > 0


def _values_of(message: ScheduledMessage) -> dict[str, object]:
    values = {name: getattr(message, name) for name in _KEPT}
    return values | _UNCLAIMED | {"misread_as": misread_as(message.msisdn)}


def _message_of(row: RowMapping) -> ScheduledMessage:
    return ScheduledMessage(**row)
