"""The tables of subscriptions and of dialogues with subscribers (migrations 0004 and 0016)."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# A partial index serves only a query that repeats its condition, literals and all.
IS_PENDING = text("state = 'pending'")

# The fields of domain.subscription.Subscription, those of its terms among them.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    Column("system_id", String(16), primary_key=True),
    Column("service_id", String(32), primary_key=True),
    Column("sender_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("port", String(20), nullable=False),
    Column("price_fen", BigInteger, nullable=False),
    Column("cycle", String(8), nullable=False),
    Column("trial_days", Integer, nullable=False),
    Column("since", UtcTime, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("asked_until", UtcTime, nullable=True),
    Column("trial_until", UtcTime, nullable=True),
    Column("due_at", UtcTime, nullable=True, index=True),
    Column("evidence", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("change", BigInteger, nullable=False, index=True),
    Column("asked_from", String(21), nullable=False, server_default=""),
    Column("unanswered", Integer, nullable=False, server_default="0"),
    # How many questions an SP has open with subscribers.
    Index(
        "ix_subscriptions_pending",
        "system_id",
        sqlite_where=IS_PENDING,
        postgresql_where=IS_PENDING,
    ),
)

# Rows are only ever added.
subscription_events = Table(
    "subscription_events",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("msisdn", SealedNumber, nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("service_id", String(32), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("act", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Index(None, "msisdn", "system_id", "service_id"),
    sqlite_autoincrement=True,
)

# The fields of domain.consent_request.ConsentRequest; the likeness as 16 hexadecimal digits,
# for no column type takes all 64 bits without a sign.
consent_requests = Table(
    "consent_requests",
    metadata,
    Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    Column("system_id", String(16), primary_key=True),
    Column("likeness", String(16), primary_key=True),
    Column("text_sha256", String(64), nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("answer_id", Text, nullable=False),
    Column("port", String(21), nullable=False, server_default=""),
    Column("agreed_until", UtcTime, nullable=True),
    # What is looked for every few moments.
    Index(None, "state", "until"),
)

# The fields of ports.subscriptions.OfferSession.
dialogue_sessions = Table(
    "dialogue_sessions",
    metadata,
    Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    Column("port", String(20), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("items", Text, nullable=False),
    Column("until", UtcTime, nullable=False, index=True),
    Column("shown", Integer, nullable=False),
)
