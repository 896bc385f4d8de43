"""Outbound messages in SQL (contract: gateway.systems.outbound_messages.store)."""

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
from gateway.storage.database import SqlStore
from gateway.storage.outbound_messages import IS_WAITING, add_outbound_message, outbound_messages

_column = outbound_messages.c
_SHOWN = [_column[field.name] for field in fields(OutboundMessage)]
_SECRET = sorted(SECRET_KINDS)
_LEFT_OF_TEXT = sa.case((_column.kind.in_(_SECRET), ""), else_=_column.text)


class SqlOutboundMessages(SqlStore):
    """Outbound messages as rows of `outbound messages`."""

    async def add(self, outbound: NewOutboundMessage) -> int:
        return await self._database.writer.write(
            lambda connection: add_outbound_message(connection, outbound, self._utcnow()), rows=2
        )

    async def get(self, number: int) -> OutboundMessage | None:
        row = await self._database.first(sa.select(*_SHOWN).where(_column.number == number))
        return None if row is None else _outbound_of(row)

    async def waiting_ports(self) -> set[str]:
        query = sa.select(_column.port).where(IS_WAITING).distinct()
        return {row["port"] for row in await self._database.rows(query)}

    async def take_waiting(
        self, now: datetime, until: datetime, ports: Collection[str], limit: int
    ) -> list[OutboundMessage]:
        free = (
            sa.select(_column.number)
            .where(
                IS_WAITING,
                _column.port.in_(ports),
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
        return sorted(map(_outbound_of, taken), key=lambda outbound: outbound.number)

    async def put_back(self, number: int, at: datetime, *, was_written: bool) -> None:
        counted = _column.attempts if was_written else _column.attempts - 1
        statement = (
            sa.update(outbound_messages)
            .where(IS_WAITING, _column.number == number)
            .values(free_at=at, attempts=counted)
        )
        await self._database.change(statement)

    async def finish(self, number: int, state: OutboundState, message_id: str = "") -> bool:
        statement = (
            sa.update(outbound_messages)
            .where(IS_WAITING, _column.number == number)
            .values(state=state.value, message_id=message_id, text=_LEFT_OF_TEXT)
        )
        return await self._database.change(statement) == 1

    async def expire(self, now: datetime, limit: int) -> list[OutboundMessage]:
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
        return sorted(map(_outbound_of, ended), key=lambda outbound: outbound.number)

    async def forget(self, before: datetime) -> int:
        done = sa.and_(_column.created_at < before, _column.state != OutboundState.WAITING.value)
        return await self._database.change(sa.delete(outbound_messages).where(done))


def _outbound_of(row: sa.RowMapping) -> OutboundMessage:
    return OutboundMessage(
        **{**row, "kind": OutboundKind(row["kind"]), "state": OutboundState(row["state"])},
    )
