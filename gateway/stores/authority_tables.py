"""The table of reports to the authority; migration 0012 makes it."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from gateway.stores.sealed_columns import SealedNumber, SealedText
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One column for each field of domain.authority_report.AuthorityReport.
authority_reports = Table(
    "authority_reports",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("message_id", BigInteger, nullable=False),
    Column("system_id", String(16), nullable=False),
    Column("source", String(65), nullable=False),
    Column("msisdn", SealedNumber, nullable=True),
    Column("recipients", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("rule", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("keyword", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("text", SealedText("authority_reports.text"), nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Column("stopped_at", UtcTime, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("state", String(8), nullable=False),
    Column("sent_at", UtcTime, nullable=True),
    Column("sent_by", Text, nullable=False),
    Column("reference", Text, nullable=False),
    # A message is reported once, however often the gateway tries.
    Index("ux_authority_reports_message_id", "message_id", unique=True),
    # The lists people look through.
    Index(None, "state", "number"),
    Index(None, "system_id", "number"),
    sqlite_autoincrement=True,
)
