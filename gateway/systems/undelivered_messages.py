"""What came for SPs that could not take it: kept until they bind to receive."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.runtime.clock import utcnow as clock_utcnow
from gateway.storage.database import Database, SqlStore, added, newest, oldest
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, partial_index
from gateway.storage.errors import StoreUnavailable
from gateway.storage.sealed_columns import SealedOctets
from gateway.storage.tables import UtcTime, metadata

KEPT = timedelta(days=7)  # SMSCs themselves keep a message for two to seven days


@dataclass(frozen=True, slots=True)
class UndeliveredMessage:
    """A delivery that was kept for an SP; its sequence_number is 0."""

    number: int
    system_id: str
    pdu: bytes = field(repr=False)


IS_UNACKNOWLEDGED = sa.text("NOT is_acknowledged")

undelivered_messages = sa.Table(
    "undelivered_messages",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("pdu", SealedOctets("undelivered_messages.pdu"), nullable=False),
    sa.Column("is_acknowledged", sa.Boolean, nullable=False),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Index(None, "system_id", "number"),
    # What each new one is compared with: few, for they are acknowledged at once.
    partial_index(
        "ix_undelivered_messages_unacknowledged", "system_id", "pdu", where=IS_UNACKNOWLEDGED
    ),
    # An answer to one that was forgotten must not be taken for that to a later one.
    **NEVER_REUSED,
)
_column = undelivered_messages.c


class UndeliveredStore(SqlStore):
    """Keeps deliveries, for KEPT at most; how many, its caller bounds.

    Every call may be repeated, and raises StoreUnavailable when the store does not answer.
    """

    def __init__(self, database: Database, utcnow: Callable[[], datetime] = clock_utcnow) -> None:
        super().__init__(database, utcnow)
        self._in_hand: set[int] = set()  # the SMSC is about to be told, or was

    async def keep(self, system_id: str, pdu: bytes) -> tuple[int, bool]:
        """Keep a delivery; return its number, and whether it is new.

        It is durable when this returns. The SMSC sends again what it was not told of: the same
        octets are the same message after `note_unanswered`, and after the process has ended
        before `acknowledge`. Otherwise a subscriber has written the same once more.
        """
        same = (_column.system_id == system_id, _column.pdu == pdu, IS_UNACKNOWLEDGED)
        again = sa.select(_column.number).where(*same).order_by(_column.number)
        row = {
            "system_id": system_id,
            "pdu": pdu,
            "is_acknowledged": False,
            "at": self._utcnow(),
        }

        mine: set[int] = set()

        async def run(connection: AsyncConnection) -> tuple[int, bool]:
            self._in_hand -= mine  # of a transaction that was rolled back
            same_numbers = (await connection.execute(again)).scalars()
            before = next((one for one in same_numbers if one not in self._in_hand), None)
            number = before or await added(connection, undelivered_messages, row)
            mine.add(number)
            self._in_hand.add(number)  # at once: the next write may be of the same octets
            return number, before is None

        try:
            return await self._database.writer.write(run)
        except StoreUnavailable:
            self._in_hand -= mine
            raise

    async def acknowledge(self, number: int) -> None:
        """Note that the SMSC was told that a delivery is kept: it will not send it again."""
        statement = sa.update(undelivered_messages).where(_column.number == number)
        await self._database.change(statement.values(is_acknowledged=True))
        self._in_hand.discard(number)

    def note_unanswered(self, number: int) -> None:
        """Note that the SMSC could not be told: it will send the delivery again."""
        self._in_hand.discard(number)

    async def counts(self) -> dict[str, int]:
        """Return how many deliveries are kept, by system_id."""
        count = sa.func.count().label("count")
        query = sa.select(_column.system_id, count).group_by(_column.system_id)
        return {row["system_id"]: row["count"] for row in await self._database.rows(query)}

    async def first_of(
        self, system_id: str, limit: int, besides: Collection[int] = (), after: int = 0
    ) -> list[UndeliveredMessage]:
        """Return what is kept for an SP above the number `after`, `besides` some; oldest first."""
        mine = (_column.system_id == system_id, _column.number.not_in(besides))
        rows = await self._database.rows(oldest(undelivered_messages, limit, *mine, after=after))
        return [UndeliveredMessage(row["number"], row["system_id"], row["pdu"]) for row in rows]

    async def unacknowledged(self, limit: int) -> list[UndeliveredMessage]:
        """Return the newest deliveries that the SMSC may not have been told of."""
        query = newest(undelivered_messages, limit, (_column.is_acknowledged.is_(False),))
        rows = await self._database.rows(query)
        return [UndeliveredMessage(row["number"], row["system_id"], row["pdu"]) for row in rows]

    async def last_number(self) -> int:
        """Return the number of what was kept last, 0 if nothing is kept."""
        (row,) = await self._database.rows(sa.select(sa.func.max(_column.number).label("last")))
        return row["last"] or 0

    async def delivered(self, numbers: Collection[int]) -> int:
        """Delete deliveries after the SP has taken them; return how many were still kept."""
        taken = sa.delete(undelivered_messages).where(_column.number.in_(numbers))
        return await self._database.change(taken)

    async def forget_old(self) -> int:
        """Delete what was kept for too long; return how many."""
        old = _column.at < self._utcnow() - KEPT
        return await self._database.change(sa.delete(undelivered_messages).where(old))
