"""The table of labelled texts; migration 0018 makes it."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from gateway.stores.sealed_columns import SealedText
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One column for each field of domain.sample.NewSample, after its number. The digest is sealed
# too: an open one would tell whoever guesses a text that it was sent.
samples = Table(
    "samples",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("text", SealedText("samples.text"), nullable=False),
    Column("digest", SealedText("samples.digest"), nullable=False),
    Column("label", String(8), nullable=False),
    Column("category", String(32), nullable=False),
    Column("source", String(16), nullable=False),
    Column("text_class", String(16), nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Index("ux_samples_digest", "digest", unique=True),
    sqlite_autoincrement=True,
)
