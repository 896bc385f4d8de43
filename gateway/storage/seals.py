"""Which key a database is sealed with, and whether it is the one at hand."""

from collections.abc import Iterator

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag

from gateway.runtime.sealing import Keys
from gateway.storage.change_feed import ChangeKind
from gateway.storage.errors import StoreUnavailable
from gateway.storage.sealed_columns import SEALED_TYPES, Seal
from gateway.storage.tables import changes, metadata

# One row at most, number 1. Without it nothing is sealed.
store_seals = sa.Table(
    "store_seals",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    # What every database seals alike: opened by no other key, whatever its id.
    sa.Column("proof", sa.LargeBinary, nullable=False),
    # With which key rows may be sealed still, "" for none; NULL once all are resealed.
    sa.Column("previous", sa.String(16), nullable=True),
    # Whether texts and octets are sealed for their columns; those of before are not.
    sa.Column("is_bound", sa.Boolean, nullable=False, server_default=sa.false()),
)


# The tables with sealed columns, by name: a command imports only the tables of its own system.
SEALED_TABLES = (
    "authority_reports",
    "changes",
    "consent_answers",
    "consent_audit_items",
    "consent_requests",
    "dialogue_sessions",
    "errands",
    "held_messages",
    "legal_holds",
    "notice_cursors",
    "number_codes",
    "number_sessions",
    "preference_journal",
    "preferences",
    "samples",
    "scheduled_messages",
    "subscription_events",
    "subscriptions",
    "suspensions",
)
# The changes that name a subscriber.
NUMBER_KINDS = frozenset({ChangeKind.PREFERENCES.value, ChangeKind.SUSPENSION.value})

ONLY_ROW = 1
_PROOF = b"smsward"
_RESEAL = "smsward keys reseal"


class SealMismatch(StoreUnavailable):
    """The store is sealed otherwise than the configuration says. The text says what to do."""


def sealed_tables() -> Iterator[tuple[sa.Table, list[sa.Column[object]]]]:
    """Yield every table that holds numbers or texts of subscribers, with those columns.

    Only for a process that imports all tables, as gateway.stores does; raises RuntimeError in
    another, which would pass over what it does not know.
    """
    if unknown := sorted({*SEALED_TABLES} - metadata.tables.keys()):
        raise RuntimeError(f"these tables are not imported: {', '.join(unknown)}")
    for one in metadata.sorted_tables:
        columns = [each for each in one.columns if isinstance(each.type, SEALED_TYPES)]
        if columns:
            yield one, columns


def seal_with(keys: Keys) -> Seal:
    """Return what seals with the current one of `keys`."""
    return Seal(keys.current, keys.by_id[keys.current])


def proof_of(seal: Seal) -> bytes:
    """Return what tells a key from all others."""
    return seal.octets(_PROOF)


def settled_seal(connection: sa.Connection, keys: Keys | None) -> Seal | None:
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
    connection.execute(sa.insert(store_seals), values)
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


def _row_of(connection: sa.Connection) -> sa.RowMapping | None:
    return connection.execute(sa.select(store_seals)).mappings().one_or_none()


def _check(row: sa.RowMapping, seal: Seal) -> None:
    if row["key_id"] != seal.key_id:
        raise SealMismatch(
            f"its numbers are sealed with the key {row['key_id']}, and privacy.current is"
            f" {seal.key_id}: run {_RESEAL}"
        )
    was_sealed_by(seal, row["proof"])
    if row["previous"] is not None:
        raise SealMismatch(f"a change of its key was begun and has not ended: run {_RESEAL} again")


def _holds_anything(connection: sa.Connection) -> bool:
    for name in SEALED_TABLES:
        query = sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)
        if name == changes.name:
            query = query.where(sa.column("kind").in_(sorted(NUMBER_KINDS)))
        if connection.execute(query).first() is not None:
            return True
    return False
