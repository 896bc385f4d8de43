"""Which key a database is sealed with, and whether it is the one at hand."""

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    RowMapping,
    String,
    Table,
    false,
    insert,
    select,
)

from gateway.ports.changes import ChangeKind
from gateway.ports.errors import StoreUnavailable
from gateway.runtime.sealing import Keys
from gateway.stores.sealed_columns import SEALED_TYPES, KeyOrNumber, Seal
from gateway.stores.tables import changes, metadata

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


# The changes that name a subscriber.
NUMBER_KINDS = frozenset({ChangeKind.PREFERENCES.value, ChangeKind.SUSPENSION.value})

ONLY_ROW = 1
_PROOF = b"smsward"
_RESEAL = "smsward keys reseal"


class SealMismatch(StoreUnavailable):
    """The store is sealed otherwise than the configuration says. The text says what to do."""


def sealed_tables() -> Iterator[tuple[Table, list[Column[object]]]]:
    """Yield every table that holds numbers or texts of subscribers, with those columns."""
    for table in metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, SEALED_TYPES)]
        if columns:
            yield table, columns


def seal_with(keys: Keys) -> Seal:
    """Return what seals with the current one of `keys`."""
    return Seal(keys.current, keys.by_id[keys.current])


def proof_of(seal: Seal) -> bytes:
    """Return what tells a key from all others."""
    return seal.octets(_PROOF)


def settled_seal(connection: Connection, keys: Keys | None) -> Seal | None:
    """Return what this database is sealed with, and take the current key for an empty one.

    To be run in a transaction that may write. Raises SealMismatch.
    """
    row = _row_of(connection)
    if keys is None:
        if row is not None:
            raise SealMismatch(
                f"its numbers are sealed with the key {row['key_id']}: name the file of keys in"
                " gateway.yaml, privacy.keys"
            )
        return None
    seal = seal_with(keys)
    if row is not None:
        _check(row, seal)
        seal.is_bound = row["is_bound"]
        return seal
    if _holds_anything(connection):
        raise SealMismatch(
            f"its numbers stand open, and privacy.current is {keys.current}: run {_RESEAL}"
        )
    values = {
        "number": ONLY_ROW,
        "key_id": seal.key_id,
        "proof": proof_of(seal),
        "is_bound": seal.is_bound,
    }
    connection.execute(insert(store_seals), values)
    return seal


def was_sealed_by(seal: Seal, proof: bytes) -> None:
    """Raise SealMismatch unless `proof` was made with this very key, not one of its name."""
    try:
        is_proven = seal.opened_octets(proof) == _PROOF
    except InvalidTag:
        is_proven = False
    if not is_proven:
        raise SealMismatch(
            f"it is sealed with another key of the name {seal.key_id} than the one at hand:"
            " bring the right one back"
        )


def _row_of(connection: Connection) -> RowMapping | None:
    return connection.execute(select(store_seals)).mappings().one_or_none()


def _check(row: RowMapping, seal: Seal) -> None:
    if row["key_id"] != seal.key_id:
        raise SealMismatch(
            f"its numbers are sealed with the key {row['key_id']}, and privacy.current is"
            f" {seal.key_id}: run {_RESEAL}"
        )
    was_sealed_by(seal, row["proof"])
    if row["previous"] is not None:
        raise SealMismatch(f"a change of its key was begun and has not ended: run {_RESEAL} again")


def _holds_anything(connection: Connection) -> bool:
    for table, columns in sealed_tables():
        query = select(*table.primary_key.columns).limit(1)
        if any(isinstance(column.type, KeyOrNumber) for column in columns):
            query = query.where(changes.c.kind.in_(sorted(NUMBER_KINDS)))
        if connection.execute(query).first() is not None:
            return True
    return False
