"""The tables, for every SQL store alike; migrations/ makes them."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.types import TypeDecorator

from gateway.stores.sealed_columns import (
    KeyOrNumber,
    SealedAddress,
    SealedNumber,
    SealedOctets,
    SealedText,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# SQLite numbers its rows by an INTEGER key for free; a BIGINT key would be a second index.
_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970: sorts, compares, and comes back whole."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return what is stored; a naive time raises TypeError."""
        del dialect
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return what was stored, in UTC."""
        del dialect
        return None if value is None else EPOCH + value * MICROSECOND


# A partial index serves only a query that repeats its condition, literals and all.
IS_RECEIPT_DUE = text("receipt = 'due'")
IS_DEFERRED = text("state = 'deferred'")
IS_PART = text("assembly <> 0")
IS_OWN_HOLD = text("state = 'held' AND reason = 'USER_PREF'")
IS_CAMPAIGN = text("campaign <> ''")
IS_TOLD = text("answer <> 'asserted'")
ENDS = text("until IS NOT NULL")

# One column for each field of domain.quarantine.HeldMessage.
held_messages = Table(
    "held_messages",
    metadata,
    Column("message_id", _ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("system_id", String(16), nullable=False),
    Column("source", String(65), nullable=False),
    Column("destination", SealedAddress(65, "held_messages.destination"), nullable=False),
    Column("pdu", SealedOctets("held_messages.pdu"), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("rule", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("receipt_asked", Boolean, nullable=False),
    Column("held_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("state", String(32), nullable=False),
    Column("receipt", String(8), nullable=False),
    Column("smsc_message_id", String(65), nullable=False),
    Column("note", Text, nullable=False),
    Column("joined", SealedText("held_messages.joined"), nullable=False),
    Column("due_at", UtcTime, nullable=True),
    Column("is_reviewed", Boolean, nullable=False, server_default=false()),
    Column("assembly", BigInteger, nullable=False, server_default="0"),
    Column("part", Integer, nullable=False, server_default="0"),
    Column("is_wanted", Boolean, nullable=False, server_default=false()),
    Column("campaign", String(17), nullable=False, server_default=""),
    # The lists people look through, and the count per state.
    Index(None, "state", "message_id"),
    Index(None, "system_id", "message_id"),
    # What the gateway asks every few moments.
    Index(None, "state", "expires_at"),
    Index(
        "ix_held_messages_receipt_due",
        "system_id",
        "message_id",
        sqlite_where=IS_RECEIPT_DUE,
        postgresql_where=IS_RECEIPT_DUE,
    ),
    Index(
        "ix_held_messages_assembly",
        "assembly",
        "part",
        sqlite_where=IS_PART,
        postgresql_where=IS_PART,
    ),
    # What a reviewer decides on in one go.
    Index(
        "ix_held_messages_campaign",
        "campaign",
        "state",
        "message_id",
        sqlite_where=IS_CAMPAIGN,
        postgresql_where=IS_CAMPAIGN,
    ),
    # What subscribers ask about their own number. The state comes first for SQLite, as below.
    Index(
        "ix_held_messages_own_hold",
        "state",
        "destination",
        "message_id",
        sqlite_where=IS_OWN_HOLD,
        postgresql_where=IS_OWN_HOLD,
    ),
    # Who is away may have a million messages waiting: its rows are passed over in the index.
    # SQLite takes it before the one above only because the state comes first here as well.
    Index(
        "ix_held_messages_deferred",
        "state",
        "due_at",
        "message_id",
        "system_id",
        sqlite_where=IS_DEFERRED,
        postgresql_where=IS_DEFERRED,
    ),
)

consent_answers = Table(
    "consent_answers",
    metadata,
    Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    Column("scope", String(16), primary_key=True),
    Column("answer", String(8), nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("channel", Text, nullable=False),
    Column("change", BigInteger, nullable=False, index=True),
    Column("evidence", Text, nullable=False, server_default=""),
    Column("until", UtcTime, nullable=True),
    # Which agreements end next, in order; most never do.
    Index(
        "ix_consent_answers_ending",
        "until",
        "msisdn",
        "scope",
        sqlite_where=ENDS,
        postgresql_where=ENDS,
    ),
    # What an SP has not heard yet, in order. The long lists are of what is only asserted.
    Index(
        "ix_consent_answers_told",
        "scope",
        "change",
        "msisdn",
        sqlite_where=IS_TOLD,
        postgresql_where=IS_TOLD,
    ),
    # Millions of short rows that are read in the order of their key.
    sqlite_with_rowid=False,
)

changes = Table(
    "changes",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("key", KeyOrNumber, nullable=False),
    Column("at", UtcTime, nullable=False),
    # A number that was pruned must never be given again: readers remember it.
    sqlite_autoincrement=True,
)

# One column for each field of domain.policy_history.NewPolicyVersion, and of PolicyRequest.
policy_versions = Table(
    "policy_versions",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("archive", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

policy_requests = Table(
    "policy_requests",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("force", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("state", String(8), nullable=False),
    Column("said", Text, nullable=False),
    # What the gateway asks every few moments.
    Index(None, "state", "number"),
    sqlite_autoincrement=True,
)
