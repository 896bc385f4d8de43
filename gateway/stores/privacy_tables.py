"""The tables of legal holds and of the two journals; migrations 0007 and 0023 make them."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One column for each field of domain.privacy.LegalHold.
legal_holds = Table(
    "legal_holds",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("system_id", String(16), nullable=True),
    Column("msisdn", SealedNumber, nullable=True),
    Column("reason", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("lifted_at", UtcTime, nullable=True),
    Column("lifted_by", Text, nullable=False),
    sqlite_autoincrement=True,
)

# Of domain.privacy.Purge. Rows are only ever added, by journal_chain.appended.
purge_log = Table(
    "purge_log",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("what", String(32), nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("chain", String(64), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

# Of domain.privacy.Access. Rows are only ever added, by journal_chain.appended.
access_log = Table(
    "access_log",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("by", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("chain", String(64), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
