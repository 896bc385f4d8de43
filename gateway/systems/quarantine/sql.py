"""The store of held messages (隔离区)."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Unpack

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.msisdn import spellings_of
from gateway.domain.quarantine import FINAL_STATES, ROW_OCTETS, HeldMessage, HoldState, ReceiptState
from gateway.domain.records import NewPurge
from gateway.domain.verdict import Reason
from gateway.storage.database import SqlStore, values_of
from gateway.storage.journals import note_purge
from gateway.storage.sealed_columns import SEAL_OCTETS
from gateway.storage.tables import (
    IS_CAMPAIGN,
    IS_CANCELLABLE,
    IS_DEFERRED,
    IS_OWN_HOLD,
    IS_PART,
    IS_RECEIPT_DUE,
    IS_UNSETTLED,
    STORED_OCTETS,
    held_messages,
)
from gateway.systems.quarantine.model import (
    EXPIRING_STATES,
    REPLACEABLE_STATES,
    HeldTotals,
    HoldMove,
    ReleasedId,
    Replacement,
)
from gateway.systems.quarantine.moves import is_among, moved_in
from gateway.systems.quarantine.tables import (
    IS_ESCALATED,
    IS_UNDECIDED,
    left_out,
    review_decisions,
    review_escalations,
    second_reviews,
    voided,
)

TEXT_REPLACED = "its sender has replaced the text"

_OCTETS_PER_ROW = 4096
_RELEASED_AT_ONCE = 5_000
_SEALED_VALUES = 2  # of the values that are measured: the request and its text

_column = held_messages.c
# A count reads all that it counts: of ten million messages some seconds.
_COUNT_S = 60.0
_ALL = sa.select(held_messages)
_OLDEST_FIRST = _ALL.order_by(_column.message_id)
_IS_FINAL = sa.and_(_column.state.in_(sorted(FINAL_STATES)), _column.receipt != ReceiptState.DUE)
_IS_REPLACEABLE = _column.state.in_(sorted(REPLACEABLE_STATES))
_UNHOLD = sa.delete(held_messages).where(
    _column.message_id == sa.bindparam("held_id"), _IS_REPLACEABLE
)

_PUT_BACK = (
    sa.update(held_messages)
    .where(
        _column.message_id == sa.bindparam("taken_id"),
        _column.state == HoldState.RELEASE_REQUESTED,
    )
    .values(state=HoldState.DEFERRED)
)


class QuarantineStore(SqlStore):
    """Keeps held messages and moves each through its states to one final state.

    Every call raises StoreUnavailable when the store does not answer in time. If the deadline
    passes during the commit, a `move` or `replace_pdu` may still take effect: read the message
    to know. Times are kept to the microsecond.
    """

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        """Keep all `items` in one commit; they are durable when this returns.

        Raises StoreUnavailable if they are not kept; then none is held, and the call may be
        repeated. Raises ValueError for a message_id that exists already (a fault of the
        caller); then none is held either.
        """
        if items:
            await self.hold_with(items)

    async def hold_with(
        self,
        items: Sequence[HeldMessage],
        beside: Callable[[AsyncConnection], Awaitable[None]] | None = None,
        *,
        rows: int = 0,
    ) -> None:
        """Keep `items` (at least one) as `hold` does, in one commit with `beside`.

        `beside` writes about `rows` rows. If the messages are undone, its rows are not.
        """
        values = [values_of(item) for item in items]
        keys = [{"held_id": item.message_id} for item in items]

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(sa.insert(held_messages), values)
            if beside is not None:
                await beside(connection)

        async def undo(connection: AsyncConnection) -> None:
            await connection.execute(_UNHOLD, keys)

        rows += sum(1 + len(item.pdu) // _OCTETS_PER_ROW for item in items)
        try:
            await self._database.writer.write(run, rows=rows, undo=undo)
        except IntegrityError:
            raise ValueError("a message_id is already held") from None

    async def get(self, message_id: int) -> HeldMessage | None:
        """Return one message in any state, or None."""
        query = _ALL.where(_column.message_id == message_id)
        return await self._database.record(HeldMessage, query)

    async def get_many(self, message_ids: Collection[int]) -> list[HeldMessage]:
        """Return the existing messages of at most 1000 ids, oldest first."""
        is_wanted = _column.message_id.in_(sorted(message_ids))
        return await self._messages(_OLDEST_FIRST.where(is_wanted))

    async def find(  # noqa: PLR0913 - what a filter has
        self,
        *,
        state: HoldState | None = None,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
        destinations: Collection[str] | None = None,
        before_id: int | None = None,
        limit: int = 50,
        is_undecided: bool = False,
        is_escalated: bool = False,
        also: Sequence[sa.ColumnElement[bool]] = (),
    ) -> list[HeldMessage]:
        """Return the newest messages that fit, newest first.

        Their category is one of `categories`, their destination is one of `destinations`.
        For the next page give the last message_id as `before_id`. With `is_undecided` those are
        left out on which a decision waits; with `is_escalated` only those are returned that
        wait for a senior reviewer. `also` are further conditions.
        """
        wanted = [*_fitting(system_id, campaign, None, state), *also]
        if is_undecided:
            wanted.append(IS_UNDECIDED)
        if is_escalated:
            wanted.append(IS_ESCALATED)
        if before_id is not None:
            wanted.append(_column.message_id < before_id)
        if destinations is not None:
            if categories is not None:
                wanted.append(_column.category.in_(sorted(categories)))
            wanted = [_is_newest_of(_column.destination, destinations, wanted, limit)]
        elif categories is not None:
            wanted = [_is_newest_of(_column.category, categories, wanted, limit)]
        newest_first = _ALL.where(*wanted).order_by(_column.message_id.desc())
        return await self._messages(newest_first.limit(limit))

    async def held_between(
        self, system_id: str, after_id: int, before_id: int, limit: int
    ) -> list[HeldMessage]:
        """Return messages of a sender in any state with ids between two, the oldest first."""
        between = _column.message_id > after_id, _column.message_id < before_id
        query = _OLDEST_FIRST.where(_column.system_id == system_id, *between)
        return await self._messages(query.limit(limit))

    async def cancellable(
        self, system_id: str, source: str, destination: str, limit: int = 1000
    ) -> list[HeldMessage]:
        """Return what an SP may cancel of what it sends from a port to an address."""
        addressed = (_column.source == source, _column.destination == destination)
        of_sender = _ALL.where(IS_CANCELLABLE, *addressed, _column.system_id == system_id)
        return await self._messages(of_sender.limit(limit))

    async def held_of(
        self, campaign: str, *, system_id: str | None = None, after_id: int = 0, limit: int = 1000
    ) -> list[int]:
        """Return the ids of HELD messages of a campaign, oldest first.

        For the next page give the last one as `after_id`.
        """
        query = (
            sa.select(_column.message_id)
            .where(*_fitting(system_id, campaign, None, HoldState.HELD))
            .where(_column.message_id > after_id)
            .order_by(_column.message_id)
            .limit(limit)
        )
        return [row["message_id"] for row in await self._database.rows(query)]

    async def own_holds(self, msisdn: int, limit: int) -> list[HeldMessage]:
        """Return messages HELD only for a subscriber's own preferences (R50), newest first.

        All spellings of the number are found; at most `limit` messages.
        """
        own = _ALL.where(IS_OWN_HOLD, _column.destination.in_(spellings_of(msisdn)))
        # Ordered by the id itself, SQLite would scan all held messages in that order.
        return await self._messages(own.order_by(-_column.message_id).limit(limit))

    async def count_by_state(
        self,
        *,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
    ) -> dict[HoldState, int]:
        """Return how many messages that fit are in each state; states without any are 0."""
        query = (
            sa.select(_column.state, sa.func.count().label("messages"))
            .where(*_fitting(system_id, campaign, categories))
            .group_by(_column.state)
        )
        counts = dict.fromkeys(HoldState, 0)
        rows = await self._database.rows(query, within_s=_COUNT_S)
        return counts | {row["state"]: row["messages"] for row in rows}

    async def count_waiting(self) -> dict[str, HeldTotals]:
        """Return for each SP what is not in a final state; SPs without any are left out.

        The octets are the sum of `HeldMessage.octets`, sealed or not.
        """
        query = (
            sa.select(
                _column.system_id,
                sa.func.count().label("messages"),
                sa.func.sum(STORED_OCTETS, type_=sa.Integer).label("octets"),
            )
            .where(IS_UNSETTLED)
            .group_by(_column.system_id)
        )
        more = ROW_OCTETS - (_SEALED_VALUES * SEAL_OCTETS if self._database.is_sealed else 0)
        return {
            row["system_id"]: HeldTotals(row["messages"], row["octets"] + more * row["messages"])
            for row in await self._database.rows(query, within_s=_COUNT_S)
        }

    async def move(self, message_id: int, **move: Unpack[HoldMove]) -> HeldMessage | None:
        """Move a message to `to` if its state is in `allowed`; return it as it is then.

        Returns None, and changes nothing, if it is in another state, is not held for
        `held_for`, or does not exist. Of several callers, also in several processes, exactly
        one succeeds.
        An empty `note`, `decision` or `smsc_message_id`, a `receipt` or `grounds` of None, and an
        `is_reviewed` or `is_wanted` of False leave the present value; a `receipt` of DUE takes
        effect only if the sender asked for one. A move makes a change row.
        """
        moved = await self._move((message_id,), move)
        return moved[0] if moved else None

    async def move_together(
        self, message_ids: Sequence[int], **move: Unpack[HoldMove]
    ) -> list[HeldMessage]:
        """Move several messages in one commit, as `move` does one; return those moved, by id.

        None is moved unless the first is; others in a state not allowed are left as they are.
        For the parts of a long message.
        """
        if not message_ids:
            return []
        first = held_messages.alias()
        is_there = sa.exists().where(first.c.message_id == message_ids[0], is_among(first, move))
        return await self._move(message_ids, move, is_there)

    async def move_each(
        self, message_ids: Collection[int], **move: Unpack[HoldMove]
    ) -> list[HeldMessage]:
        """Move several messages in one commit, each as `move` does; return those moved, by id.

        Those in a state not allowed are left as they are. At most 1000 messages.
        """
        return await self._move(message_ids, move) if message_ids else []

    async def _move(
        self, message_ids: Collection[int], move: HoldMove, *provided: sa.ColumnElement[bool]
    ) -> list[HeldMessage]:
        async def run(connection: AsyncConnection) -> list[HeldMessage]:
            if move["to"] is HoldState.HELD:
                # The time of the commit: what was decided until then was not on this.
                move["held_again_at"] = self._utcnow()
            return await moved_in(connection, message_ids, move, *provided)

        return await self._database.writer.write(run, rows=len(message_ids))

    async def parts_of(self, assembly: int) -> list[HeldMessage]:
        """Return the parts of a long message in any state, by part number, then by id."""
        parts = _ALL.where(IS_PART, _column.assembly == assembly)
        return await self._messages(parts.order_by(_column.part, _column.message_id))

    async def awaiting(self, after_id: int = 0, limit: int = 1000) -> list[HeldMessage]:
        """Return the parts that are DEFERRED because other parts are missing, by id.

        For the next page give the last message_id as `after_id`.
        """
        is_waiting = _column.reason == Reason.PARTS_AWAITED
        waiting = _OLDEST_FIRST.where(IS_PART, IS_DEFERRED, is_waiting)
        return await self._messages(waiting.where(_column.message_id > after_id).limit(limit))

    async def replace_pdu(self, message_id: int, replacement: Replacement) -> bool:
        """Replace the content of a message if it is HELD or DEFERRED; tell whether it was."""
        statement = (
            sa.update(held_messages)
            .where(_column.message_id == message_id, _IS_REPLACEABLE)
            .values(values_of(replacement))
        )
        rows = 1 + len(replacement.pdu) // _OCTETS_PER_ROW

        async def run(connection: AsyncConnection) -> bool:
            now = self._utcnow()
            is_done = (await connection.execute(statement.values(held_again_at=now))).rowcount == 1
            if is_done:  # a decision is on a text that was read
                await connection.execute(voided(message_id, now, TEXT_REPLACED))
                await connection.execute(left_out(message_id))
            return is_done

        return await self._database.writer.write(run, rows=rows)

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        """Set messages DEFERRED until `now` or earlier to RELEASE_REQUESTED, earliest first.

        At most `limit` messages of `system_ids`, in one commit; they are returned as they are
        then. Expired messages are left alone. Each message goes to one caller only. No change
        rows are made: the caller itself releases them.
        """
        due = (
            sa.select(_column.message_id)
            .where(
                IS_DEFERRED,
                _column.due_at <= now,
                _column.expires_at > now,
                _column.system_id.in_(sorted(system_ids)),
            )
            .order_by(_column.due_at, _column.message_id)
            .limit(limit)
        )
        # Usually nothing is due, and then the write lock is not needed.
        if not await self._database.rows(due.limit(1)):
            return []
        statement = (
            sa.update(held_messages)
            .where(_column.message_id.in_(due.scalar_subquery()))
            .values(state=HoldState.RELEASE_REQUESTED)
            .returning(held_messages)
        )

        taken: list[HeldMessage] = []

        async def run(connection: AsyncConnection) -> None:
            rows = (await connection.execute(statement)).mappings()
            taken[:] = (HeldMessage(**row) for row in rows)

        async def undo(connection: AsyncConnection) -> None:
            await connection.execute(_PUT_BACK, [{"taken_id": one.message_id} for one in taken])

        await self._database.writer.write(run, rows=limit, undo=undo)
        return sorted(taken, key=attrgetter("due_at", "message_id"))

    async def due_receipts(self, system_id: str | None, limit: int) -> list[HeldMessage]:
        """Return messages with a receipt DUE, oldest first; of all SPs for None."""
        if system_id is not None:
            own = _OLDEST_FIRST.where(IS_RECEIPT_DUE, _column.system_id == system_id)
            return await self._messages(own.limit(limit))
        # Ordered by the id itself, SQLite would look through all messages in that order.
        of_all = _ALL.where(IS_RECEIPT_DUE).order_by(_column.message_id + 0)
        return await self._messages(of_all.limit(limit))

    async def owed_receipts(self) -> set[str]:
        """Return the system_id of every SP with a receipt that is DUE."""
        query = sa.select(_column.system_id).where(IS_RECEIPT_DUE).distinct()
        return {row["system_id"] for row in await self._database.rows(query)}

    async def receipt_sent(self, message_id: int) -> bool:
        """Mark a receipt that was DUE as SENT; tell whether it was DUE."""
        statement = (
            sa.update(held_messages)
            .where(_column.message_id == message_id, _column.receipt == ReceiptState.DUE)
            .values(receipt=ReceiptState.SENT)
        )
        return await self._database.change(statement) == 1

    async def expired(self, now: datetime, limit: int) -> list[HeldMessage]:
        """Return messages past their expiry time, oldest first.

        They are HELD or DEFERRED, or RELEASE_REQUESTED and not yet written to the SMSC: a
        message must not be released too late.
        """
        is_over = sa.and_(_column.state.in_(sorted(EXPIRING_STATES)), _column.expires_at <= now)
        over = _ALL.where(is_over).order_by(_column.expires_at, _column.message_id)
        return await self._messages(over.limit(limit))

    async def released_ids(self, limit: int = 100_000) -> list[ReleasedId]:
        """Return the newest released messages that asked for a receipt, newest first."""
        query = (
            sa.select(*(_column[name] for name in ReleasedId._fields))
            .where(_column.state == HoldState.RELEASED, _column.receipt_asked)
            .order_by(_column.message_id.desc())
        )
        found: list[ReleasedId] = []
        while len(found) < limit:
            # In pages: a start reads a hundred thousand rows, and each read has its deadline.
            older = query.where(_column.message_id < found[-1].message_id) if found else query
            page = older.limit(min(_RELEASED_AT_ONCE, limit - len(found)))
            rows = await self._database.records(ReleasedId, page)
            found += rows
            if len(rows) < _RELEASED_AT_ONCE:
                break
        return found

    async def in_flight(self, limit: int = 10_000) -> list[HeldMessage]:
        """Return messages that are RELEASING, oldest first.

        Those found at start-up were being sent to the SMSC by a process that has ended.
        """
        is_released = _column.state == HoldState.RELEASING
        return await self._messages(_OLDEST_FIRST.where(is_released).limit(limit))

    async def held_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[HeldMessage]:
        """Return messages in a final state that were held before `before`, by message_id.

        A message with a receipt still due is not included. For the next page give the last
        message_id as `after`.
        """
        old = _OLDEST_FIRST.where(_IS_FINAL, _column.held_at < before)
        return await self._messages(old.where(_column.message_id > after).limit(limit))

    async def forget(self, message_ids: Sequence[int], purge: NewPurge) -> int:
        """Delete those of `message_ids` that `held_before` may return; return how many.

        What people said of them goes, too. The journal gets `purge` with that count in the same
        commit; nothing when it is 0.
        """
        final = sa.and_(_IS_FINAL, _column.message_id.in_(message_ids))
        gone = sa.select(_column.message_id).where(final).scalar_subquery()
        said = [
            sa.delete(table).where(table.c.message_id.in_(gone))
            for table in (review_decisions, review_escalations, second_reviews)
        ]

        async def run(connection: AsyncConnection) -> int:
            for statement in said:
                await connection.execute(statement)
            count = (await connection.execute(sa.delete(held_messages).where(final))).rowcount
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(message_ids))

    async def _messages(self, query: sa.Executable) -> list[HeldMessage]:
        return await self._database.records(HeldMessage, query)


def _fitting(
    system_id: str | None,
    campaign: str | None,
    categories: Collection[str] | None,
    state: HoldState | None = None,
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows; None adds no condition."""
    equal = {_column.system_id: system_id, _column.state: state}
    wanted = [column == value for column, value in equal.items() if value is not None]
    if campaign is not None:
        wanted.append(sa.and_(IS_CAMPAIGN, _column.campaign == campaign))
    if categories is not None:
        wanted.append(_column.category.in_(sorted(categories)))
    return wanted


def _is_newest_of(
    column: sa.ColumnElement[str],
    values: Collection[str],
    wanted: Sequence[sa.ColumnElement[bool]],
    limit: int,
) -> sa.ColumnElement[bool]:
    """Return the condition for the newest rows that fit, `limit` at most of each value.

    Asked for several values at once, SQLite would read all rows of a state in search of a rare
    one, or sort all of a common one.
    """
    message_id, found = _column.message_id, []
    for value in sorted(values):
        of_one = sa.select(message_id).where(*wanted, column == value)
        newest = of_one.order_by(message_id.desc()).limit(limit).subquery()
        found.append(sa.select(newest.c.message_id))
    return message_id.in_(sa.union_all(*found)) if found else sa.false()
