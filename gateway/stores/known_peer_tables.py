"""The table of the addresses that SPs have bound from."""

from sqlalchemy import Column, String, Table

from gateway.stores.tables import UtcTime, metadata

known_peers = Table(
    "known_peers",
    metadata,
    Column("system_id", String(16), primary_key=True),
    Column("origin", String(64), primary_key=True),
    Column("bound_at", UtcTime, nullable=False, index=True),
)
