"""Leases of held messages: for 90 seconds no other reviewer gets the same one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.storage.database import SqlStore
from gateway.storage.dialect import insert_or_update
from gateway.storage.tables import held_messages
from gateway.systems.quarantine.model import ReviewLease
from gateway.systems.quarantine.second_reviews import seen_as_held
from gateway.systems.quarantine.tables import IS_UNDECIDED, SUBJECT, review_leases, subject_of

LEASE_FOR = timedelta(seconds=90)

_held, _lease = held_messages.c, review_leases.c
_insert = insert_or_update(review_leases)


class LeaseStore(SqlStore):
    """Keeps which reviewer has which message; `now` is the time of the caller.

    A lease ends by itself: nothing has to be done when a browser is closed. Every call raises
    StoreUnavailable.
    """

    async def take(
        self, held: HeldMessage, by: str, now: datetime, *, moves_on: bool = False
    ) -> ReviewLease:
        """Take or renew the lease of a message for `by`; return the lease in force.

        It is another person's where that one was faster: ask who it is `by`. Who `moves_on` has
        no other lease from then on.
        """
        others = _lease.by == by, _lease.subject != subject_of(held)

        async def run(connection: AsyncConnection) -> ReviewLease:
            if moves_on:
                await connection.execute(sa.delete(review_leases).where(*others))
            return await _take(connection, subject_of(held), by, now)

        return await self._database.writer.write(run)

    async def take_next(
        self,
        by: str,
        now: datetime,
        *,
        before_id: int | None = None,
        as_held: Sequence[int] = (),
    ) -> HeldMessage | None:
        """Lease the newest held message that no other reviewer has, None without one.

        With `before_id` only older ones are looked at. Those `as_held` are dealt to this person
        as a second reviewer, who sees them among the held ones; one is returned as it is seen so.
        """
        is_free = ~(
            sa.exists()
            .where(_lease.subject == SUBJECT, _lease.until > now, _lease.by != by)
            .correlate(held_messages)
        )
        older = () if before_id is None else (_held.message_id < before_id,)
        newest = (
            sa.select(held_messages)
            .where(is_free, *older)
            .order_by(_held.message_id.desc())
            .limit(1)
        )
        is_open = _held.state == HoldState.HELD, _held.expires_at > now, IS_UNDECIDED

        async def run(connection: AsyncConnection) -> HeldMessage | None:
            found = await _first(connection, newest.where(*is_open))
            if as_held:
                dealt = await _first(connection, newest.where(_held.message_id.in_(as_held)))
                seen = dealt and await seen_as_held(connection, dealt, by, now)
                found = max(filter(None, (found, seen)), key=_by_id, default=None)
            if found is not None:
                await _take(connection, subject_of(found), by, now)
            return found

        return await self._database.writer.write(run)

    async def give_back(self, held: HeldMessage, by: str, until: datetime | None = None) -> bool:
        """End the lease that `by` has on a message; tell whether it had one.

        With `until` only the lease that ends then: one that was renewed since stays.
        """
        own = [_lease.subject == subject_of(held), _lease.by == by]
        if until is not None:
            own.append(_lease.until == until)
        return await self._database.change(sa.delete(review_leases).where(*own)) == 1

    async def of(self, some: Sequence[HeldMessage], now: datetime) -> dict[int, ReviewLease]:
        """Return the leases in force on messages, by message_id; at most 1000 messages."""
        subjects = {one.message_id: subject_of(one) for one in some}
        query = sa.select(review_leases).where(
            _lease.subject.in_(sorted(set(subjects.values()))), _lease.until > now
        )
        found = {one.subject: one for one in await self._database.records(ReviewLease, query)}
        return {number: found[one] for number, one in subjects.items() if one in found}


_by_id = attrgetter("message_id")


async def _first(
    connection: AsyncConnection, query: sa.Select[tuple[object, ...]]
) -> HeldMessage | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else HeldMessage(**row)


async def _take(connection: AsyncConnection, subject: int, by: str, now: datetime) -> ReviewLease:
    await connection.execute(sa.delete(review_leases).where(_lease.until <= now))
    statement = _insert.on_conflict_do_update(
        index_elements=[_lease.subject],
        set_={"until": _insert.excluded.until},
        where=_lease.by == by,
    )
    values = {"subject": subject, "by": by, "until": now + LEASE_FOR}
    await connection.execute(statement, values)
    query = sa.select(review_leases).where(_lease.subject == subject)
    return ReviewLease(**(await connection.execute(query)).mappings().one())
