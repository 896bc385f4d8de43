"""Outbound messages as rows, which several systems add with what they write."""

from datetime import datetime

from sqlalchemy import Column, Index, Integer, String, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.outbound_message import NewOutboundMessage, OutboundState
from gateway.storage.change_feed import ChangeKind, note_changes
from gateway.storage.database import added, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.sealed_columns import SealedNumber, SealedText
from gateway.storage.tables import UtcTime, metadata

IS_WAITING = text("state = 'waiting'")

# One column for each field of OutboundMessage, and until when a process has claimed it.
outbound_messages = Table(
    "errands",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True),
    Column("port", String(21), nullable=False),
    Column("msisdn", SealedNumber, nullable=False),
    Column("text", SealedText("errands.text"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("ref", String(64), nullable=False),
    *columns(UtcTime, "created_at", "not_after"),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("message_id", String(65), nullable=False),
    Column("free_at", UtcTime, nullable=False),
    # What every gateway asks every few moments.
    partial_index("ix_errands_waiting", "port", "number", where=IS_WAITING),
    Index(None, "created_at"),
    # The feed of changes names them: a number must never be given again.
    **NEVER_REUSED,
)


async def add_outbound_message(
    connection: AsyncConnection, outbound: NewOutboundMessage, at: datetime
) -> int:
    """Insert an outbound message and its change within the transaction of what asks for it."""
    values = values_of(outbound)
    del values["not_before"]
    standing = {"state": OutboundState.WAITING.value, "attempts": 0, "message_id": ""}
    values |= {**standing, "kind": outbound.kind.value, "free_at": outbound.due_at}
    number = await added(connection, outbound_messages, values)
    await note_changes(connection, ChangeKind.ERRAND, (str(number),), at)
    return number
