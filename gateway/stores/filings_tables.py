"""The tables of what SPs have filed: a column for each field, a primary key for each key."""

from collections.abc import Mapping

from sqlalchemy import Column, Date, Dialect, Integer, String, Table, Text
from sqlalchemy.types import TypeDecorator

from gateway.domain.filings import Approval, Filing, Licence, PortScope, Signature, Template
from gateway.stores.tables import metadata


class Digits(TypeDecorator[tuple[str, ...]]):
    """Several numbers as one text with blanks between them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        """Return what is stored."""
        del dialect
        return None if value is None else " ".join(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:
        """Return what was stored."""
        del dialect
        return None if value is None else tuple(value.split())


licences = Table(
    "licences",
    metadata,
    Column("system_id", String(16), primary_key=True),
    Column("number", Text, nullable=False),
    Column("valid_until", Date, nullable=False),
)

signatures = Table(
    "signatures",
    metadata,
    Column("system_id", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("sources", Digits, nullable=False),
)

templates = Table(
    "templates",
    metadata,
    Column("system_id", String(16), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("max_variable", Integer, nullable=False),
)

port_scopes = Table(
    "port_scopes",
    metadata,
    Column("system_id", String(16), primary_key=True),
    Column("port", String(20), primary_key=True),
    Column("province", Text, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("system_id", String(16), primary_key=True),
    Column("port", String(20), primary_key=True),
    Column("reference", String(64), primary_key=True),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
)

TABLES: Mapping[type[Filing], Table] = {
    Licence: licences,
    Signature: signatures,
    Template: templates,
    PortScope: port_scopes,
    Approval: approvals,
}
