"""The table of the key that seals a database; migrations 0017 and 0025 make it."""

from sqlalchemy import Boolean, Column, Integer, LargeBinary, String, Table, false

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
    # Whether texts and octets are sealed for their columns; those of before are not.
    Column("is_bound", Boolean, nullable=False, server_default=false()),
)
