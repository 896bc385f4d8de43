"""The table of suspensions."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, text

from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# A partial index serves only a query that repeats its condition, literals and all.
IS_ACTIVE = text("state = 'active'")
IS_UNTOLD = text("state = 'active' AND NOT is_told")

# One column for each field of domain.suspension.Suspension.
suspensions = Table(
    "suspensions",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("msisdn", SealedNumber, nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("rule", String(32), nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("state", String(8), nullable=False),
    Column("is_told", Boolean, nullable=False),
    Column("lifted_at", UtcTime),
    Column("lifted_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    # By the store, not only by its code: two would be told twice and lifted once.
    Index(
        "uq_suspensions_active",
        "msisdn",
        unique=True,
        sqlite_where=IS_ACTIVE,
        postgresql_where=IS_ACTIVE,
    ),
    Index(None, "msisdn", "number"),
    Index(
        "ix_suspensions_active_until",
        "until",
        sqlite_where=IS_ACTIVE,
        postgresql_where=IS_ACTIVE,
    ),
    Index(
        "ix_suspensions_untold",
        "system_id",
        "number",
        sqlite_where=IS_UNTOLD,
        postgresql_where=IS_UNTOLD,
    ),
    sqlite_autoincrement=True,
)
