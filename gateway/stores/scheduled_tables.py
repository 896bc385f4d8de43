"""The table of scheduled messages; migration 0015 makes it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    text,
)

from gateway.stores.sealed_columns import SealedAddress, SealedNumber
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# A partial index serves only a query that repeats its condition, literals and all.
IS_REFUSED = text("is_refused")
IS_MISREAD = text("misread_as IS NOT NULL")

# One column for each field of domain.scheduled.ScheduledMessage, whether its subscriber has
# refused, until when a process has claimed it, and as whom its number may be read, of which a
# sealed number tells nothing.
scheduled_messages = Table(
    "scheduled_messages",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("system_id", String(16), nullable=False),
    Column("smsc", String(64), nullable=False),
    Column("message_id", String(65), nullable=False),
    Column("source_ton", SmallInteger, nullable=False),
    Column("source_npi", SmallInteger, nullable=False),
    Column("source", String(65), nullable=False),
    Column("dest_ton", SmallInteger, nullable=False),
    Column("dest_npi", SmallInteger, nullable=False),
    Column("destination", SealedAddress(65, "scheduled_messages.destination"), nullable=False),
    Column("msisdn", SealedNumber, nullable=False, index=True),
    Column("scheduled_at", UtcTime, nullable=False, index=True),
    Column("is_refused", Boolean, nullable=False),
    Column("free_at", UtcTime, nullable=False),
    Column("misread_as", SealedNumber, nullable=True),
    Index("uq_scheduled_messages_message", "system_id", "message_id", "destination", unique=True),
    # Numbers of North America: mostly there is none.
    Index(
        "ix_scheduled_messages_misread_as",
        "misread_as",
        sqlite_where=IS_MISREAD,
        postgresql_where=IS_MISREAD,
    ),
    # What the gateway asks every few moments: mostly there is none.
    Index(
        "ix_scheduled_messages_refused",
        "scheduled_at",
        "system_id",
        sqlite_where=IS_REFUSED,
        postgresql_where=IS_REFUSED,
    ),
    # A number that was forgotten must not be mistaken for a later one.
    sqlite_autoincrement=True,
)
