"""The tables of audits of asserted consents; migration 0012 makes them."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.tables import UtcTime, metadata

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One column for each field of domain.audit.NewConsentAudit, after its number.
consent_audits = Table(
    "consent_audits",
    metadata,
    Column("number", _ROW_NUMBER, primary_key=True),
    Column("system_id", String(16), nullable=False, index=True),
    Column("drawn_at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("population", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# One column for each field of domain.audit.AuditItem, after the number of its audit.
consent_audit_items = Table(
    "consent_audit_items",
    metadata,
    Column("audit", BigInteger, primary_key=True, autoincrement=False),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("msisdn", SealedNumber, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("channel", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("note", Text, nullable=False),
    Column("answered_at", UtcTime, nullable=True),
    Column("answered_by", Text, nullable=False),
)
