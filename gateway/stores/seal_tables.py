"""The table of the key that seals a database; migration 0017 makes it."""

from sqlalchemy import Column, Integer, LargeBinary, String, Table

from gateway.stores.tables import metadata

# One row at most, number 1. Without it nothing is sealed.
store_seals = Table(
    "store_seals",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key_id", String(16), nullable=False),
    # What every database seals alike: opened by no other key, whatever its id.
    Column("proof", LargeBinary, nullable=False),
    # With which key rows may be sealed still, "" for none; NULL once all are resealed.
    Column("previous", String(16), nullable=True),
)
