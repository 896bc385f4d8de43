"""Relations of subscribers and SPs that have ended, and what is forgotten of them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.records import NewPurge
from gateway.domain.subscription import ASKED_STATES, RUNNING_STATES
from gateway.storage.database import SqlStore
from gateway.storage.journals import note_purge
from gateway.storage.sealed_columns import AFTER_ALL, BEFORE_ALL
from gateway.storage.tables import (
    ENDS,
    IS_REQUEST_PENDING,
    consent_answers,
    consent_requests,
    subscription_events,
    subscriptions,
)

# Replaces the channel of a refusal once that is forgotten: the refusal still holds (R71).
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class EndedRelation:
    """A relation with nothing live: no order runs or waits, no consent is given or asked for.

    It began with the first entry on record and ended with the last; an agreement for a limited time
    ends with that time. A relation to every SP has the `system_id` EVERY_SENDER.
    """

    msisdn: int = field(repr=False)
    system_id: str
    began_at: datetime
    ended_at: datetime

    @property
    def key(self) -> tuple[int, str]:
        """Return the key of the relation."""
        return self.msisdn, self.system_id


# So many rows of each table are looked through at once: one look at all of ten million answers
# would keep SQLite from emptying its -wal file while others write.
_WINDOW_ROWS = 5_000

_order, _event = subscriptions.c, subscription_events.c
_request, _answer = consent_requests.c, consent_answers.c
_LIVE_STATES = sorted(state.value for state in RUNNING_STATES | ASKED_STATES)

# msisdn, scope, began_at, ended_at, whether anything is live, whether anything can be forgotten.
_LEGS = (
    sa.select(
        _order.msisdn.label("msisdn"),
        _order.system_id.label("system_id"),
        _order.since.label("began_at"),
        _order.since.label("ended_at"),
        sa.case((_order.state.in_(_LIVE_STATES), 1), else_=0).label("is_live"),
        sa.literal(1).label("is_told"),
    ),
    sa.select(_event.msisdn, _event.system_id, _event.at, _event.at, sa.literal(0), sa.literal(1)),
    sa.select(
        _request.msisdn,
        _request.system_id,
        _request.asked_at,
        _request.until,
        sa.case((IS_REQUEST_PENDING, 1), else_=0),
        sa.case((_request.text_sha256 == "", 0), else_=1),
    ),
    sa.select(
        _answer.msisdn,
        _answer.scope,
        _answer.since,
        sa.case((_answer.until > _answer.since, _answer.until), else_=_answer.since),
        sa.case((sa.or_(_answer.answer == Answer.REFUSED.value, ENDS), 0), else_=1),
        sa.case((_answer.channel == FORGOTTEN, 0), else_=1),
    ).where(sa.or_(_answer.scope != EVERY_SENDER, ENDS)),
)
_TABLES: tuple[sa.FromClause, ...] = (
    subscriptions,
    subscription_events,
    consent_requests,
    consent_answers,
)


class EndedRelations(SqlStore):
    """Finds and forgets the records of ended relations. Calls may raise StoreUnavailable."""

    async def ended_before(self, before: datetime) -> AsyncIterator[list[EndedRelation]]:
        """Yield relations that ended before `before` and have data to forget, page by page.

        The caller may forget them while it iterates. An answer to every SP counts as a relation
        only if it is an agreement for a limited time; it ends for all SPs at that time.
        """
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
            query = sa.select(column).where(column > last).order_by(column).limit(_WINDOW_ROWS)
            numbers = [int(row["msisdn"]) for row in await self._database.rows(query)]
            if len(numbers) == _WINDOW_ROWS:
                ends.append(numbers[-1])
            elif numbers:
                ends.append(AFTER_ALL)
        return min(ends, key=self._database.kept, default=None)

    async def forget(self, relations: Sequence[EndedRelation], purge: NewPurge) -> int:
        """Forget the data of `relations` that ended before `purge.until`; return how many.

        Orders, their history and the ended agreement are deleted. A refusal stays in force,
        without its channel and evidence. A consent request stays, without its messages, so that
        the subscriber is not asked the same again. The journal gets `purge` with the count in
        the same commit; nothing when it is 0.
        """
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
        pair = sa.tuple_(table.c.msisdn, table.c.system_id)
        await connection.execute(sa.delete(table).where(pair.in_(keys)))
    await connection.execute(
        sa.update(consent_requests)
        .where(sa.tuple_(_request.msisdn, _request.system_id).in_(keys))
        .values(text_sha256="", message_id="", answer_id="")
    )
    theirs = sa.tuple_(_answer.msisdn, _answer.scope).in_(keys)
    await connection.execute(sa.delete(consent_answers).where(theirs, ENDS))
    await connection.execute(
        sa.update(consent_answers).where(theirs).values(channel=FORGOTTEN, evidence="")
    )


def _within(last: int, until: int) -> Iterable[sa.Select[tuple[object, ...]]]:
    for leg, table in zip(_LEGS, _TABLES, strict=True):
        yield leg.where(sa.and_(table.c.msisdn > last, table.c.msisdn <= until))


def _of(keys: Sequence[tuple[int, str]]) -> Iterable[sa.Select[tuple[object, ...]]]:
    for leg, table in zip(_LEGS, _TABLES, strict=True):
        whose = table.c.scope if table is consent_answers else table.c.system_id
        yield leg.where(sa.tuple_(table.c.msisdn, whose).in_(keys))


def _ended(
    legs: Iterable[sa.Select[tuple[object, ...]]], before: datetime
) -> sa.Select[tuple[object, ...]]:
    told: sa.CompoundSelect[tuple[object, ...]] = sa.union_all(*legs)
    one = told.subquery().c
    return (
        sa.select(
            one.msisdn,
            one.system_id,
            sa.func.min(one.began_at).label("began_at"),
            sa.func.max(one.ended_at).label("ended_at"),
        )
        .group_by(one.msisdn, one.system_id)
        .having(
            sa.func.max(one.is_live) == 0,
            sa.func.max(one.is_told) == 1,
            sa.func.max(one.ended_at) < before,
        )
        .order_by(one.msisdn, one.system_id)
    )
