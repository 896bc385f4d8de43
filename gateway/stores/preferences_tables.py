"""The tables of what subscribers want to receive."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from gateway.stores.sealed_columns import SealedNumber, SealedText
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# `rules` is what gateway.domain.preferences.packed makes: a line for each preference, its kind
# and action a letter each. It is read, changed and written as a whole.
preferences = Table(
    "preferences",
    metadata,
    Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    Column("rules", SealedText("preferences.rules"), nullable=False),
    # As many short rows as subscribers, read in the order of their key.
    sqlite_with_rowid=False,
)

# Append-only: rows are added, and deleted by retention or at the subscriber's request.
preference_journal = Table(
    "preference_journal",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("msisdn", SealedNumber, nullable=False),
    Column("at", UtcTime, nullable=False, index=True),
    Column("channel", String(8), nullable=False),
    Column("by", Text, nullable=False),
    Column("before", SealedText("preference_journal.before"), nullable=False),
    Column("after", SealedText("preference_journal.after"), nullable=False),
    Column("is_erasure", Boolean, nullable=False),
    Index(None, "msisdn", "number"),
    sqlite_autoincrement=True,
)
