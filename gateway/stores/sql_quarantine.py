"""The quarantine in SQL (contract: gateway.ports.quarantine)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.ports.changes import ChangeKind
from gateway.ports.quarantine import EXPIRING_STATES, ReleasedId, Replacement
from gateway.stores.database import Database
from gateway.stores.tables import IS_RECEIPT_DUE, changes, held_messages

_OCTETS_PER_ROW = 4096

_column = held_messages.c
_UNHOLD = delete(held_messages).where(
    _column.message_id == bindparam("held_id"), _column.state == HoldState.HELD
)


class SqlQuarantine:
    """Held messages as rows of `held_messages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        if not items:
            return
        values = [_values_of(item) for item in items]
        keys = [{"held_id": item.message_id} for item in items]

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(insert(held_messages), values)

        async def undo(connection: AsyncConnection) -> None:
            await connection.execute(_UNHOLD, keys)

        rows = sum(1 + len(item.pdu) // _OCTETS_PER_ROW for item in items)
        try:
            await self._database.writer.write(run, rows=rows, undo=undo)
        except IntegrityError:
            raise ValueError("a message_id is already held") from None

    async def get(self, message_id: int) -> HeldMessage | None:
        query = select(held_messages).where(_column.message_id == message_id)
        return next(map(_message_of, await self._database.rows(query)), None)

    async def find(
        self,
        *,
        state: HoldState | None = None,
        system_id: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[HeldMessage]:
        query = select(held_messages).order_by(_column.message_id.desc()).limit(limit)
        if state is not None:
            query = query.where(_column.state == state)
        if system_id is not None:
            query = query.where(_column.system_id == system_id)
        if before_id is not None:
            query = query.where(_column.message_id < before_id)
        return [_message_of(row) for row in await self._database.rows(query)]

    async def count_by_state(self) -> dict[HoldState, int]:
        query = select(_column.state, func.count().label("messages")).group_by(_column.state)
        counts = dict.fromkeys(HoldState, 0)
        for row in await self._database.rows(query):
            counts[HoldState(row["state"])] = row["messages"]
        return counts

    async def move(  # noqa: PLR0913 - as the port has it
        self,
        message_id: int,
        *,
        allowed: frozenset[HoldState],
        to: HoldState,
        at: datetime,
        note: str = "",
        smsc_message_id: str = "",
        receipt: ReceiptState | None = None,
    ) -> HeldMessage | None:
        statement = (
            update(held_messages)
            .where(_column.message_id == message_id, _column.state.in_(sorted(allowed)))
            .values(state=to)
            .returning(held_messages)
        )
        if note:
            statement = statement.values(note=note)
        if smsc_message_id:
            statement = statement.values(smsc_message_id=smsc_message_id)
        if receipt is ReceiptState.DUE:
            asked = case((_column.receipt_asked, receipt.value), else_=_column.receipt)
            statement = statement.values(receipt=asked)
        elif receipt is not None:
            statement = statement.values(receipt=receipt)
        change = {"kind": ChangeKind.QUARANTINE, "key": str(message_id), "at": at}

        async def run(connection: AsyncConnection) -> HeldMessage | None:
            row = (await connection.execute(statement)).mappings().one_or_none()
            if row is None:
                return None
            await connection.execute(insert(changes), change)
            return _message_of(row)

        return await self._database.writer.write(run)

    async def replace_pdu(self, message_id: int, replacement: Replacement) -> bool:
        statement = (
            update(held_messages)
            .where(_column.message_id == message_id, _column.state == HoldState.HELD)
            .values({name: getattr(replacement, name) for name in Replacement.__slots__})
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(
            run, rows=1 + len(replacement.pdu) // _OCTETS_PER_ROW
        )

    async def due_receipts(self, system_id: str | None, limit: int) -> list[HeldMessage]:
        query = select(held_messages).where(IS_RECEIPT_DUE)
        if system_id is not None:
            query = query.where(_column.system_id == system_id)
        query = query.order_by(_column.message_id).limit(limit)
        return [_message_of(row) for row in await self._database.rows(query)]

    async def owed_receipts(self) -> set[str]:
        query = select(_column.system_id).where(IS_RECEIPT_DUE).distinct()
        return {row["system_id"] for row in await self._database.rows(query)}

    async def receipt_sent(self, message_id: int) -> bool:
        statement = (
            update(held_messages)
            .where(_column.message_id == message_id, _column.receipt == ReceiptState.DUE)
            .values(receipt=ReceiptState.SENT)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.writer.write(run)

    async def expired(self, now: datetime, limit: int) -> list[HeldMessage]:
        query = (
            select(held_messages)
            .where(_column.state.in_(sorted(EXPIRING_STATES)), _column.expires_at <= now)
            .order_by(_column.expires_at, _column.message_id)
            .limit(limit)
        )
        return [_message_of(row) for row in await self._database.rows(query)]

    async def released_ids(self, limit: int = 100_000) -> list[ReleasedId]:
        query = (
            select(
                _column.system_id,
                _column.smsc_message_id,
                _column.message_id,
                _column.destination,
            )
            .where(_column.state == HoldState.RELEASED, _column.receipt_asked)
            .order_by(_column.message_id.desc())
            .limit(limit)
        )
        return [ReleasedId(**row) for row in await self._database.rows(query)]

    async def in_flight(self, limit: int = 10_000) -> list[HeldMessage]:
        query = (
            select(held_messages)
            .where(_column.state == HoldState.RELEASING)
            .order_by(_column.message_id)
            .limit(limit)
        )
        return [_message_of(row) for row in await self._database.rows(query)]


def _values_of(message: HeldMessage) -> dict[str, object]:
    return {name: getattr(message, name) for name in HeldMessage.__slots__}


def _message_of(row: RowMapping) -> HeldMessage:
    enums = {"state": HoldState(row["state"]), "receipt": ReceiptState(row["receipt"])}
    return HeldMessage(**{**row, **enums})
