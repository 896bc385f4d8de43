"""Ended relations in SQL (contract: gateway.ports.relations)."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

from sqlalchemy import (
    CompoundSelect,
    FromClause,
    Select,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.consent_request import ConsentRequestState
from gateway.domain.privacy import NewPurge
from gateway.domain.relation import FORGOTTEN, EndedRelation
from gateway.domain.subscription import ASKED_STATES, RUNNING_STATES
from gateway.stores.database import Database
from gateway.stores.sealed_columns import AFTER_ALL, BEFORE_ALL
from gateway.stores.sql_privacy import note_purge
from gateway.stores.subscription_tables import consent_requests, subscription_events, subscriptions
from gateway.stores.tables import ENDS, consent_answers

# So many rows of each table are looked through at once: one look at all of ten million answers
# would keep SQLite from emptying its -wal file while others write.
_WINDOW_ROWS = 5_000

_order, _event = subscriptions.c, subscription_events.c
_request, _answer = consent_requests.c, consent_answers.c
_LIVE_STATES = sorted(state.value for state in RUNNING_STATES | ASKED_STATES)

# msisdn, scope, began_at, ended_at, whether anything is live, whether anything can be forgotten.
_LEGS = (
    select(
        _order.msisdn.label("msisdn"),
        _order.system_id.label("system_id"),
        _order.since.label("began_at"),
        _order.since.label("ended_at"),
        case((_order.state.in_(_LIVE_STATES), 1), else_=0).label("is_live"),
        literal(1).label("is_told"),
    ),
    select(_event.msisdn, _event.system_id, _event.at, _event.at, literal(0), literal(1)),
    select(
        _request.msisdn,
        _request.system_id,
        _request.asked_at,
        _request.until,
        case((_request.state == ConsentRequestState.PENDING.value, 1), else_=0),
        case((_request.text_sha256 == "", 0), else_=1),
    ),
    select(
        _answer.msisdn,
        _answer.scope,
        _answer.since,
        case((_answer.until > _answer.since, _answer.until), else_=_answer.since),
        case((or_(_answer.answer == Answer.REFUSED.value, ENDS), 0), else_=1),
        case((_answer.channel == FORGOTTEN, 0), else_=1),
    ).where(or_(_answer.scope != EVERY_SENDER, ENDS)),
)
_TABLES: tuple[FromClause, ...] = (
    subscriptions,
    subscription_events,
    consent_requests,
    consent_answers,
)


class SqlEndedRelations:
    """What four tables say of a number and an SP together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ended_before(self, before: datetime) -> AsyncIterator[list[EndedRelation]]:
        last = BEFORE_ALL
        while (until := await self._end_of_window(last)) is not None:
            ended = _ended(_within(last, until), before)
            found = [EndedRelation(**row) for row in await self._database.rows(ended)]
            if found:
                yield found
            last = until

    async def _end_of_window(self, last: int) -> int | None:
        """Return the number up to which no table has more rows than belong into one look."""
        ends: list[int] = []
        for table in _TABLES:
            column = table.c.msisdn
            query = select(column).where(column > last).order_by(column).limit(_WINDOW_ROWS)
            numbers = [int(row["msisdn"]) for row in await self._database.rows(query)]
            if len(numbers) == _WINDOW_ROWS:
                ends.append(numbers[-1])
            elif numbers:
                ends.append(AFTER_ALL)
        return min(ends, key=self._database.kept, default=None)

    async def forget(self, relations: Sequence[EndedRelation], purge: NewPurge) -> int:
        keys = [relation.key for relation in relations]
        ended = _ended(_of(keys), purge.until)

        async def run(connection: AsyncConnection) -> int:
            rows = (await connection.execute(ended)).mappings()
            still = [(row["msisdn"], row["system_id"]) for row in rows]
            if still:
                await _forget(connection, still)
                await note_purge(connection, purge, len(still))
            return len(still)

        return await self._database.writer.write(run, rows=4 * len(keys))


async def _forget(connection: AsyncConnection, keys: Sequence[tuple[int, str]]) -> None:
    for table in (subscription_events, subscriptions):
        pair = tuple_(table.c.msisdn, table.c.system_id)
        await connection.execute(delete(table).where(pair.in_(keys)))
    await connection.execute(
        update(consent_requests)
        .where(tuple_(_request.msisdn, _request.system_id).in_(keys))
        .values(text_sha256="", message_id="", answer_id="")
    )
    theirs = tuple_(_answer.msisdn, _answer.scope).in_(keys)
    await connection.execute(delete(consent_answers).where(theirs, ENDS))
    await connection.execute(
        update(consent_answers).where(theirs).values(channel=FORGOTTEN, evidence="")
    )


def _within(last: int, until: int) -> Iterable[Select[tuple[object, ...]]]:
    for leg, table in zip(_LEGS, _TABLES, strict=True):
        yield leg.where(and_(table.c.msisdn > last, table.c.msisdn <= until))


def _of(keys: Sequence[tuple[int, str]]) -> Iterable[Select[tuple[object, ...]]]:
    for leg, table in zip(_LEGS, _TABLES, strict=True):
        whose = table.c.scope if table is consent_answers else table.c.system_id
        yield leg.where(tuple_(table.c.msisdn, whose).in_(keys))


def _ended(
    legs: Iterable[Select[tuple[object, ...]]], before: datetime
) -> Select[tuple[object, ...]]:
    told: CompoundSelect[tuple[object, ...]] = union_all(*legs)
    one = told.subquery().c
    return (
        select(
            one.msisdn,
            one.system_id,
            func.min(one.began_at).label("began_at"),
            func.max(one.ended_at).label("ended_at"),
        )
        .group_by(one.msisdn, one.system_id)
        .having(
            func.max(one.is_live) == 0,
            func.max(one.is_told) == 1,
            func.max(one.ended_at) < before,
        )
        .order_by(one.msisdn, one.system_id)
    )
