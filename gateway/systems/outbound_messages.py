"""Messages to subscribers from processes without a link to the SMSC."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa

from gateway.domain.outbound_message import (
    MAX_ATTEMPTS,
    SECRET_KINDS,
    NewOutboundMessage,
    OutboundKind,
    OutboundMessage,
    OutboundState,
)
from gateway.storage.change_feed import add_outbound_message
from gateway.storage.database import SqlStore
from gateway.storage.tables import IS_WAITING, outbound_messages

_column = outbound_messages.c
_SHOWN = [_column[field.name] for field in fields(OutboundMessage)]
_SECRET = sorted(SECRET_KINDS)
_PATIENT = frozenset({OutboundKind.COMPLAINT})
_IN_TURN = (frozenset(OutboundKind) - _PATIENT, _PATIENT)
_LEFT_OF_TEXT = sa.case((_column.kind.in_(_SECRET), ""), else_=_column.text)


class OutboundMessageStore(SqlStore):
    """Keeps outbound messages until each is sent at least once, or expires; none is lost silently.

    Every call raises StoreUnavailable when the store does not answer. A new message makes a row
    in the change feed with its number as key.
    """

    async def add(self, outbound: NewOutboundMessage) -> int:
        """Keep a message to be sent; return its number. It is durable when this returns."""
        return await self._database.writer.write(
            lambda connection: add_outbound_message(connection, outbound, self._utcnow()), rows=2
        )

    async def get(self, number: int) -> OutboundMessage | None:
        """Return an outbound message in any state."""
        query = sa.select(*_SHOWN).where(_column.number == number)
        return await self._database.record(OutboundMessage, query)

    async def count_waiting(self) -> int:
        """Return how many outbound messages wait to be sent, or to be answered."""
        query = sa.select(sa.func.count().label("count")).where(IS_WAITING)
        return int((await self._database.rows(query.select_from(outbound_messages)))[0]["count"])

    async def waiting_ports(self) -> set[str]:
        """Return the ports that have outbound messages waiting to be sent."""
        query = sa.select(_column.port).where(IS_WAITING).distinct()
        return {row["port"] for row in await self._database.rows(query)}

    async def take_waiting(
        self, now: datetime, until: datetime, ports: Collection[str], limit: int
    ) -> list[OutboundMessage]:
        """Claim the oldest waiting outbound messages of at most 500 `ports` for this process only.

        Codes and orders go before answers to complaints.

        The claim ends at `until`. If the process dies before, the messages may or may not have
        been sent, and the next caller takes them again. Each taking counts as an attempt,
        unless the outbound message is put back unwritten.
        """
        taken: list[OutboundMessage] = []
        for kinds in _IN_TURN:
            if len(taken) < limit:
                left = limit - len(taken)
                taken += await self._take_kinds(kinds, now, until, ports, left)
        return taken

    async def _take_kinds(
        self,
        kinds: Collection[OutboundKind],
        now: datetime,
        until: datetime,
        ports: Collection[str],
        limit: int,
    ) -> list[OutboundMessage]:
        free = (
            sa.select(_column.number)
            .where(
                IS_WAITING,
                _column.port.in_(ports),
                _column.kind.in_(kinds),
                _column.free_at <= now,
                _column.not_after > now,
                _column.attempts < MAX_ATTEMPTS,
            )
            .order_by(_column.number)
            .limit(limit)
        )
        taking = (
            sa.update(outbound_messages)
            .where(_column.number.in_(free.scalar_subquery()))
            .values(free_at=until, attempts=_column.attempts + 1)
            .returning(*_SHOWN)
        )

        # What waits for a bind, or for later, must not cost a commit each time.
        if not await self._database.rows(free.limit(1)):
            return []
        taken = await self._database.returned(taking, rows=limit)
        return sorted((OutboundMessage(**row) for row in taken), key=lambda one: one.number)

    async def put_back(self, number: int, at: datetime, *, was_written: bool) -> None:
        """Let a claimed outbound message be taken again from `at` on.

        If it `was_written`, it may have reached its subscriber: the attempt stays counted.
        """
        counted = _column.attempts if was_written else _column.attempts - 1
        statement = (
            sa.update(outbound_messages)
            .where(IS_WAITING, _column.number == number)
            .values(free_at=at, attempts=counted)
        )
        await self._database.change(statement)

    async def finish(self, number: int, state: OutboundState, message_id: str = "") -> bool:
        """Move a waiting outbound message into a final state; False when it is in one already.

        A secret text is deleted in the same step.
        """
        statement = (
            sa.update(outbound_messages)
            .where(IS_WAITING, _column.number == number)
            .values(state=state.value, message_id=message_id, text=_LEFT_OF_TEXT)
        )
        return await self._database.change(statement) == 1

    async def expire(self, now: datetime, limit: int) -> list[OutboundMessage]:
        """Expire messages past their time or past MAX_ATTEMPTS; return them as they are now.

        A claimed outbound message is left alone until its claim ends.
        """
        over = (
            sa.select(_column.number)
            .where(
                IS_WAITING,
                _column.free_at <= now,
                sa.or_(_column.not_after <= now, _column.attempts >= MAX_ATTEMPTS),
            )
            .limit(limit)
        )
        # Most looks find nothing, and nothing must not cost a commit.
        if not await self._database.rows(over.limit(1)):
            return []
        ending = (
            sa.update(outbound_messages)
            .where(_column.number.in_(over.scalar_subquery()))
            .values(state=OutboundState.EXPIRED.value, text=_LEFT_OF_TEXT)
            .returning(*_SHOWN)
        )
        ended = await self._database.returned(ending, rows=limit)
        return sorted((OutboundMessage(**row) for row in ended), key=lambda one: one.number)

    async def forget(self, before: datetime) -> int:
        """Delete outbound messages in a final state created before `before`; return how many."""
        done = sa.and_(_column.created_at < before, _column.state != OutboundState.WAITING.value)
        return await self._database.change(sa.delete(outbound_messages).where(done))
