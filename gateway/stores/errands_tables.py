"""The tables of errands, and of codes that prove a number; migration 0010 makes them."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from gateway.stores.sealed_columns import SealedNumber, SealedText
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# A partial index serves only a query that repeats its condition, literals and all.
IS_WAITING = text("state = 'waiting'")

# One column for each field of domain.errand.Errand, and until when a process has claimed it.
errands = Table(
    "errands",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("port", String(21), nullable=False),
    Column("msisdn", SealedNumber, nullable=False),
    Column("text", SealedText("errands.text"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("ref", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("not_after", UtcTime, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("message_id", String(65), nullable=False),
    Column("free_at", UtcTime, nullable=False),
    # What every gateway asks every few moments.
    Index(
        "ix_errands_waiting",
        "port",
        "number",
        sqlite_where=IS_WAITING,
        postgresql_where=IS_WAITING,
    ),
    Index(None, "created_at"),
    # The feed of changes names them: a number must never be given again.
    sqlite_autoincrement=True,
)

number_codes = Table(
    "number_codes",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("msisdn", SealedNumber, nullable=False),
    Column("code_hash", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index(None, "msisdn", "created_at"),
    Index(None, "created_at"),
    # A code that was deleted must not be mistaken for a later one.
    sqlite_autoincrement=True,
)

number_sessions = Table(
    "number_sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("msisdn", SealedNumber, nullable=False, index=True),
    Column("until", UtcTime, nullable=False, index=True),
)
