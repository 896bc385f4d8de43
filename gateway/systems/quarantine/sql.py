"""The store of held messages (隔离区)."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Unpack

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.quarantine import FINAL_STATES, ROW_OCTETS, HeldMessage, HoldState, ReceiptState
from gateway.domain.records import NewPurge
from gateway.storage.change_feed import ChangeKind, note_changes
from gateway.storage.database import SqlStore
from gateway.storage.journals import note_purge
from gateway.storage.sealed_columns import SEAL_OCTETS
from gateway.storage.tables import held_messages
from gateway.systems.quarantine import queries
from gateway.systems.quarantine.model import (
    REPLACEABLE_STATES,
    HeldTotals,
    HoldMove,
    ReleasedId,
    Replacement,
)
from gateway.systems.quarantine.queries import (
    columns_of_move,
    fields_of,
    hour_of,
    id_of,
    is_among,
    message_of,
)

_OCTETS_PER_ROW = 4096
_SEALED_VALUES = 2  # of the values that are measured: the request and its text

_column = held_messages.c
_IS_FINAL = sa.and_(_column.state.in_(sorted(FINAL_STATES)), _column.receipt != ReceiptState.DUE)
_UNHOLD = sa.delete(held_messages).where(
    _column.message_id == sa.bindparam("held_id"), _column.state.in_(sorted(REPLACEABLE_STATES))
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
        values = [fields_of(item) for item in items]
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
        return next(iter(await self._messages(queries.one(message_id))), None)

    async def get_many(self, message_ids: Collection[int]) -> list[HeldMessage]:
        """Return the existing messages of at most 1000 ids, oldest first."""
        return await self._messages(queries.many(message_ids))

    async def find(
        self,
        *,
        state: HoldState | None = None,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[HeldMessage]:
        """Return the newest messages that fit, newest first; of any of `categories`.

        For the next page give the last message_id as `before_id`.
        """
        fitting = queries.fitting(system_id, campaign, categories)
        return await self._messages(queries.newest(fitting, state, before_id, limit))

    async def held_of(
        self, campaign: str, *, system_id: str | None = None, after_id: int = 0, limit: int = 1000
    ) -> list[int]:
        """Return the ids of HELD messages of a campaign, oldest first.

        For the next page give the last one as `after_id`.
        """
        query = queries.held(queries.fitting(system_id, campaign, None), after_id, limit)
        return [row["message_id"] for row in await self._database.rows(query)]

    async def own_holds(self, msisdn: int, limit: int) -> list[HeldMessage]:
        """Return messages HELD only for a subscriber's own preferences (R50), newest first.

        All spellings of the number are found; at most `limit` messages.
        """
        return await self._messages(queries.own_holds(msisdn, limit))

    async def count_by_state(
        self,
        *,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
    ) -> dict[HoldState, int]:
        """Return how many messages that fit are in each state; states without any are 0."""
        query = queries.counts_by_state(queries.fitting(system_id, campaign, categories))
        counts = dict.fromkeys(HoldState, 0)
        for row in await self._database.rows(query):
            counts[HoldState(row["state"])] = row["messages"]
        return counts

    async def count_waiting(self) -> dict[str, HeldTotals]:
        """Return for each SP what is not in a final state; SPs without any are left out.

        The octets are the sum of `HeldMessage.octets`, sealed or not.
        """
        rows = await self._database.rows(queries.counts_waiting())
        more = ROW_OCTETS - (_SEALED_VALUES * SEAL_OCTETS if self._database.is_sealed else 0)
        return {
            row["system_id"]: HeldTotals(row["messages"], row["octets"] + more * row["messages"])
            for row in rows
        }

    async def move(self, message_id: int, **move: Unpack[HoldMove]) -> HeldMessage | None:
        """Move a message to `to` if its state is in `allowed`; return it as it is then.

        Returns None, and changes nothing, if it is in another state, is not held for
        `held_for`, or does not exist. Of several callers, also in several processes, exactly
        one succeeds.
        An empty `note` or `smsc_message_id`, a `receipt` or `grounds` of None, and an
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
        statement = (
            sa.update(held_messages)
            .where(_column.message_id.in_(message_ids), is_among(held_messages, move), *provided)
            .values(columns_of_move(move))
            .returning(held_messages)
        )

        async def run(connection: AsyncConnection) -> list[HeldMessage]:
            rows = (await connection.execute(statement)).mappings().all()
            moved = sorted(map(message_of, rows), key=id_of)
            keys = [str(one.message_id) for one in moved]
            await note_changes(connection, ChangeKind.QUARANTINE, keys, move["at"])
            return moved

        return await self._database.writer.write(run, rows=len(message_ids))

    async def parts_of(self, assembly: int) -> list[HeldMessage]:
        """Return the parts of a long message in any state, by part number, then by id."""
        return await self._messages(queries.parts_of(assembly))

    async def awaiting(self, after_id: int = 0, limit: int = 1000) -> list[HeldMessage]:
        """Return the parts that are DEFERRED because other parts are missing, by id.

        For the next page give the last message_id as `after_id`.
        """
        return await self._messages(queries.awaiting(after_id, limit))

    async def replace_pdu(self, message_id: int, replacement: Replacement) -> bool:
        """Replace the content of a message if it is HELD or DEFERRED; tell whether it was."""
        statement = (
            sa.update(held_messages)
            .where(
                _column.message_id == message_id,
                _column.state.in_(sorted(REPLACEABLE_STATES)),
            )
            .values(fields_of(replacement))
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(
            run, rows=1 + len(replacement.pdu) // _OCTETS_PER_ROW
        )

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        """Set messages DEFERRED until `now` or earlier to RELEASE_REQUESTED, earliest first.

        At most `limit` messages of `system_ids`, in one commit; they are returned as they are
        then. Expired messages are left alone. Each message goes to one caller only. No change
        rows are made: the caller itself releases them.
        """
        due = queries.due(now, system_ids, limit)
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
            taken[:] = map(message_of, (await connection.execute(statement)).mappings())

        async def undo(connection: AsyncConnection) -> None:
            await connection.execute(_PUT_BACK, [{"taken_id": one.message_id} for one in taken])

        await self._database.writer.write(run, rows=limit, undo=undo)
        return sorted(taken, key=hour_of)

    async def due_receipts(self, system_id: str | None, limit: int) -> list[HeldMessage]:
        """Return messages with a receipt DUE, oldest first; of all SPs for None."""
        return await self._messages(queries.due_receipts(system_id, limit))

    async def owed_receipts(self) -> set[str]:
        """Return the system_id of every SP with a receipt that is DUE."""
        return {row["system_id"] for row in await self._database.rows(queries.owed_receipts())}

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
        return await self._messages(queries.expired(now, limit))

    async def released_ids(self, limit: int = 100_000) -> list[ReleasedId]:
        """Return the newest released messages that asked for a receipt, newest first."""
        rows = await self._database.rows(queries.released_ids(limit))
        return [ReleasedId(**row) for row in rows]

    async def in_flight(self, limit: int = 10_000) -> list[HeldMessage]:
        """Return messages that are RELEASING, oldest first.

        Those found at start-up were being sent to the SMSC by a process that has ended.
        """
        return await self._messages(queries.in_flight(limit))

    async def _messages(self, query: sa.Executable) -> list[HeldMessage]:
        return [message_of(row) for row in await self._database.rows(query)]


class FinalMessages(SqlStore):
    """Finds and forgets held messages in a final state.

    A message with a receipt still due is not included. Calls may raise StoreUnavailable.
    """

    async def held_before(
        self, before: datetime, *, after_id: int = 0, limit: int = 500
    ) -> list[HeldMessage]:
        """Return messages in a final state that were held before `before`, by message_id.

        For the next page give the last message_id as `after_id`.
        """
        query = (
            sa.select(held_messages)
            .where(_IS_FINAL, _column.held_at < before, _column.message_id > after_id)
            .order_by(_column.message_id)
            .limit(limit)
        )
        return [message_of(row) for row in await self._database.rows(query)]

    async def forget(self, message_ids: Sequence[int], purge: NewPurge) -> int:
        """Delete those of `message_ids` that are in a final state; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        these = sa.and_(_IS_FINAL, _column.message_id.in_(message_ids))

        async def run(connection: AsyncConnection) -> int:
            found = sa.select(sa.func.count()).select_from(held_messages).where(these)
            count = int((await connection.execute(found)).scalar_one())
            if count:
                await connection.execute(sa.delete(held_messages).where(these))
            await note_purge(connection, purge, count)
            return count

        return await self._database.writer.write(run, rows=len(message_ids))
