"""The table of early warnings."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# `severity` is empty for what is no violation. `samples` are a few places in the records, with
# a space between them.
warnings = Table(
    "warnings",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("code", String(4), nullable=False),
    Column("rule", String(32), nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("port", String(20), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("on_trial", BigInteger, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False, index=True),
    Column("samples", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("answer_by", Text, nullable=True),
    Column("answer_at", UtcTime, nullable=True),
    Column("answer_note", Text, nullable=True),
    Column("closing_by", Text, nullable=True),
    Column("closing_at", UtcTime, nullable=True),
    Column("closing_note", Text, nullable=True),
    Column("category", Text, nullable=False, server_default=""),
    Column("campaign", String(17), nullable=False, server_default=""),
    # The newest of a kind is looked for with every second's count.
    Index("ix_warnings_kind", "system_id", "code", "rule", "port", "number"),
    Index(None, "state", "number"),
    sqlite_autoincrement=True,
)
