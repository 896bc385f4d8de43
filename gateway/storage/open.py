"""Open the database that a URL names: its lock, its tables (alembic, from inside) and its key."""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.runtime.sealing import Keys
from gateway.storage.change_feed import ChangeKind
from gateway.storage.database import Database
from gateway.storage.dialect import dialect_at, place_at, translated
from gateway.storage.dialects.base import DatabaseLock, DatabasePlace
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
)


# The tables with sealed columns, by name: a command imports only the tables of its own system.
SEALED_TABLES = (
    "api_answers",
    "authority_reports",
    "case_complaints",
    "cases",
    "changes",
    "complaint_reporters",
    "complaints",
    "consent_answers",
    "consent_audit_items",
    "consent_requests",
    "dialogue_sessions",
    "errands",
    "held_messages",
    "legal_holds",
    "linkage_inbox",
    "linkage_outbox",
    "notice_cursors",
    "number_codes",
    "number_sessions",
    "preference_journal",
    "preferences",
    "samples",
    "scheduled_messages",
    "status_queries",
    "subscription_events",
    "subscriptions",
    "suspensions",
    "undelivered_messages",
    "users",
)
# The changes that name a subscriber.
NUMBER_KINDS = frozenset({ChangeKind.PREFERENCES.value, ChangeKind.SUSPENSION.value})

ONLY_ROW = 1
_PROOF = b"smsward"
_RESEAL = "smsward keys reseal"
RESEALED_NOW = "its numbers are being resealed: try again when it is done"


L = TypeVar("L", bound=DatabaseLock | None)


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
    if row is not None:
        return _own_seal(row, keys)
    seal = seal_with(keys)
    if _holds_anything(connection):
        raise SealMismatch(
            f"its numbers stand open, and privacy.current is {keys.current}: run {_RESEAL}"
        )
    values = {"number": ONLY_ROW, "key_id": seal.key_id, "proof": proof_of(seal)}
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


def _own_seal(row: sa.RowMapping, keys: Keys) -> Seal:
    """Return what the database is sealed with: an older key of `keys`, until it is resealed."""
    key_id = row["key_id"]
    if key_id not in keys.by_id:
        raise SealMismatch(
            f"its numbers are sealed with the key {key_id}: put it back into the file of keys"
        )
    seal = Seal(key_id, keys.by_id[key_id])
    was_sealed_by(seal, row["proof"])
    if row["previous"] is not None:
        raise SealMismatch(f"a change of its key was begun and has not ended: run {_RESEAL} again")
    return seal


def _holds_anything(connection: sa.Connection) -> bool:
    for name in SEALED_TABLES:
        query = sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)
        if name == changes.name:
            query = query.where(sa.column("kind").in_(sorted(NUMBER_KINDS)))
        if connection.execute(query).first() is not None:
            return True
    return False


MIGRATIONS = Path(__file__).with_name("migrations")
# What has the migrations to the first version of every store that was made before it.
_HAS_ALL_STEPS = "08f84265"


class TablesMismatch(StoreUnavailable):
    """The tables are those of another version of the program. The text says what to do."""


async def upgrade(engine: AsyncEngine) -> None:
    """Run the migrations that are missing, all of them or none; safe to repeat.

    Processes that do this at once wait for each other. Raises StoreUnavailable when the
    database cannot be written, and TablesMismatch, which is one, when this version does not
    know its tables.
    """
    with translated():
        async with engine.begin() as connection:
            await connection.run_sync(make_tables)


@cache
def revisions_in(migrations: Path) -> tuple[str, ...]:
    """Return the revisions that the files of a folder make, the newest last."""
    return tuple(sorted(one.name[1:5] for one in (migrations / "versions").glob("v*.py")))


def make_tables(connection: Connection) -> None:
    """Run the migrations that are missing. Raises TablesMismatch."""
    revisions = revisions_in(MIGRATIONS)
    found = MigrationContext.configure(connection).get_current_revision()
    # Nearly always nothing is missing: to let alembic find that out takes ten times as long.
    if found == revisions[-1]:
        return
    if found is not None and found not in revisions:
        raise TablesMismatch(_advice_on(found, revisions[0]))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _advice_on(found: str, first: str) -> str:
    if found < first:
        return (
            f"its tables are of revision {found}, from before the first version ({first}): open the"
            f" store once, or restore its backup, with smsward of commit {_HAS_ALL_STEPS}, which"
            f" changes them to {first}; or name a new file in gateway.yaml, store.url"
        )
    return (
        f"another version of smsward made its tables (revision {found}): use that version, or name"
        " a new file in gateway.yaml, store.url"
    )


_START_PATIENCE_S = 30.0  # for others that make or migrate the same tables


async def open_database(
    url: str,
    *,
    keys: Keys | None = None,
    deadline_s: float = 2.0,
    max_octets: int | None = None,
) -> Database:
    """Open the database at `url`, making or migrating the tables where needed.

    ``sqlite:///var/smsward.db`` is a path relative to the working directory, four slashes
    make it absolute; ``memory://`` is a new database in memory, which is gone when it is closed.
    Processes that open a file at once wait for each other; every later read and write ends within
    `deadline_s`. `max_octets` bounds the file. What is a subscriber's is sealed with the current
    one of `keys`. Raises ValueError for the URL of no dialect, StoreUnavailable when the database
    cannot be had, and SealMismatch, which is one, when it is sealed otherwise.
    """
    place = place_at(url)
    unsealed_for = dialect_at(url).unsealed_for
    if keys is not None and unsealed_for:
        raise SealMismatch(f"it cannot be sealed, and there are keys: {unsealed_for}")
    share: DatabaseLock | None = None
    try:
        is_whole = await asyncio.to_thread(place.prepare, make_tables, busy_s=_START_PATIENCE_S)
        share = locked(place.share, place, RESEALED_NOW)
        seal = None if is_whole and keys is None else await _sealed(place, keys)
    except ModuleNotFoundError as error:
        _let_go(place, share)
        raise StoreUnavailable(f"its driver is missing: pip install {error.name}") from error
    except BaseException:
        _let_go(place, share)
        raise
    # A lock is given up before the caller gives up, so that the caller hears the reason.
    busy_s = deadline_s / 2
    return Database(
        reading=place.reading_engine(busy_s=busy_s),
        writing=place.writing_engine(busy_s=busy_s, max_octets=max_octets),
        deadline_s=deadline_s,
        seal=seal,
        let_go=partial(_let_go, place, share),
    )


def _let_go(place: DatabasePlace, share: DatabaseLock | None) -> None:
    if share is not None:
        share.release()
    place.close()


async def _sealed(place: DatabasePlace, keys: Keys | None) -> Seal | None:
    engine = place.writing_engine(busy_s=_START_PATIENCE_S)
    try:
        await upgrade(engine)
        with translated():
            async with engine.begin() as connection:
                return await connection.run_sync(settled_seal, keys)
    finally:
        await engine.dispose()


def locked(take: Callable[[], L], place: DatabasePlace, busy: str) -> L:
    """Return the lock that `take` gets of a database. Raises StoreUnavailable, with `busy`."""
    try:
        return take()
    except BlockingIOError as error:
        raise StoreUnavailable(busy) from error
    except OSError as error:
        raise StoreUnavailable(f"no lock beside {place}: {error.strerror}") from error


def is_made(url: str) -> bool:
    """Tell whether there is a database at `url`; who does not ask makes one."""
    return place_at(url).is_made()


def place_of(url: str) -> str:
    """Return in words where the database at `url` is."""
    return str(place_at(url))


def owned(url: str) -> DatabaseLock | None:
    """Take the database at `url` for one gateway: two would issue the same ids.

    Nothing is taken of what outlives no process. Raises OSError if another gateway has it.
    """
    return place_at(url).own()


def taken_alone(url: str, command: str) -> DatabaseLock | None:
    """Take the work of `smsward COMMAND` on the database at `url`: one process does it at a time.

    Raises StoreUnavailable.
    """
    place = place_at(url)
    busy = f"another `smsward {command}` works on this store"
    return locked(partial(place.take_work, command), place, busy)


def file_of(url: str) -> Path | None:
    """Return the database file behind `url`, None for a database in memory or of a server."""
    return place_at(url).file
