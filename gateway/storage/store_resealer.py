"""Seal a whole store with another key, row by row; after any interruption it can continue."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeAlias, TypeVar

from cryptography.exceptions import InvalidTag
from sqlalchemy import Column, Table

from gateway.runtime.sealing import Keys
from gateway.storage.dialect import dialect_at
from gateway.storage.dialects.sqlite import FilePlace
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import (
    NUMBER_KINDS,
    ONLY_ROW,
    SealMismatch,
    file_of,
    locked,
    make_tables,
    proof_of,
    seal_with,
    sealed_tables,
    upgrade,
    was_sealed_by,
)
from gateway.storage.sealed_columns import KeyOrNumber, Seal, SealedNumber, SealedOctets

# What SQLite holds.
Value: TypeAlias = int | str | bytes | None

V = TypeVar("V")
K = TypeVar("K", bytes, int | bytes)


class ValueResealer:
    """Takes values to the current one of `keys`, from any other, or from none if `is_open`."""

    def __init__(self, keys: Keys, *, is_open: bool) -> None:
        self._seal = seal_with(keys)
        others = (pair for pair in keys.by_id.items() if pair[0] != keys.current)
        self._others = [Seal(name, key) for name, key in others]
        self._is_open = is_open

    def value(self, column: Column[object], value: Value, kind: Value) -> Value:
        """Return `value` of `column` sealed: the same one where it is already.

        `kind` tells of a change whether it is about a number. Raises SealMismatch.
        """
        if value is None:
            return None
        try:
            return self._value(column, value, kind)
        except InvalidTag:
            raise SealMismatch(
                f"something in {column.table.name} opens with none of the keys: put back the one"
                " it was sealed with"
            ) from None

    def _value(self, column: Column[object], value: int | str | bytes, kind: Value) -> Value:
        is_number = isinstance(column.type, SealedNumber)
        match value:
            case int():
                return self._seal.number(value)
            case str() if isinstance(column.type, KeyOrNumber):
                return self._seal.number(int(value)) if kind in NUMBER_KINDS else value
            case str():
                return self._seal.text(value, _place_of(column))
            case _ if is_number or isinstance(column.type, KeyOrNumber):
                return self._again(value, Seal.opened_number, Seal.number)
            case _ if isinstance(column.type, SealedOctets):
                return self._octets(value, _place_of(column))
            case _:
                place = _place_of(column)
                return self._again(
                    value,
                    lambda seal, kept: seal.opened_text(kept, place),
                    lambda seal, text: seal.text(text, place),
                )

    def _octets(self, value: bytes, place: str) -> bytes:
        try:
            return self._again(
                value,
                lambda seal, kept: seal.opened_octets(kept, place),
                lambda seal, octets: seal.octets(octets, place),
            )
        except InvalidTag:
            if not self._is_open:
                raise
            return self._seal.octets(value, place)

    def _again(
        self, kept: bytes, opened: Callable[[Seal, bytes], V], sealed: Callable[[Seal, V], K]
    ) -> bytes | K:
        try:
            opened(self._seal, kept)
        except InvalidTag:
            return sealed(self._seal, self._opened(kept, opened))
        return kept

    def _opened(self, kept: bytes, opened: Callable[[Seal, bytes], V]) -> V:
        for other in self._others:
            try:
                return opened(other, kept)
            except InvalidTag:
                continue
        raise InvalidTag


def _place_of(column: Column[object]) -> str:
    return f"{column.table.name}.{column.name}"


# Gets the number of rows done and the total.
Told = Callable[[int, int], None]

ROWS_PER_COMMIT = 1000
_BUSY_S = 30.0
_CACHE = "PRAGMA cache_size=-262144"  # in kilobytes; large, because writes go all over the file


def reseal_database(url: str, keys: Keys, told: Told) -> int:
    """Seal a whole database with the current key of `keys`; return how many rows were changed.

    Rows may be unsealed, or sealed with any other key of `keys`. No other process may have the
    store open. If killed at any moment it may be called again; until it has finished, the store
    cannot be opened. Raises StoreUnavailable, SealMismatch for a missing key, and ValueError
    for a store without a file. Call it by gateway.stores.reseal_store, which knows all tables.
    """
    if unsealed_for := dialect_at(url).unsealed_for:
        raise StoreUnavailable(f"it cannot be sealed: {unsealed_for}")
    path = file_of(url)
    if path is None:
        raise ValueError("nothing of it is kept")
    place = FilePlace(path)
    with _alone(place):
        place.prepare(make_tables, busy_s=_BUSY_S)
        asyncio.run(_upgrade(place))
        with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as connection:
            for pragma in ("PRAGMA synchronous=FULL", "PRAGMA secure_delete=ON", _CACHE):
                connection.execute(pragma)
            previous = _begin(connection, keys)
            if previous is None:
                return 0
            resealing = ValueResealer(keys, is_open=not previous)
            done = _reseal_all(connection, resealing, told)
            connection.execute("VACUUM")  # or old values would stay in free pages of the file
            connection.execute("UPDATE store_seals SET previous = NULL")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return done


@contextmanager
def _alone(place: FilePlace) -> Iterator[None]:
    busy = "a gateway, an API or a command has it open: stop them"
    share = locked(place.take_whole, place, busy)
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from error
    finally:
        share.release()


async def _upgrade(place: FilePlace) -> None:
    engine = place.writing_engine(busy_s=_BUSY_S)
    try:
        await upgrade(engine)
    finally:
        await engine.dispose()


def _begin(connection: sqlite3.Connection, keys: Keys) -> str | None:
    """Record the change of key; return the previous key id ("" if unsealed), None if done."""
    seal = seal_with(keys)
    row = connection.execute("SELECT key_id, proof, previous FROM store_seals").fetchone()
    previous = _previous_of(row, seal, keys)
    if previous is not None:
        connection.execute(
            "INSERT OR REPLACE INTO store_seals (number, key_id, proof, previous)"
            " VALUES (?, ?, ?, ?)",
            (ONLY_ROW, seal.key_id, proof_of(seal), previous),
        )
    return previous


def _previous_of(row: tuple[str, bytes, str | None] | None, seal: Seal, keys: Keys) -> str | None:
    if row is None:
        return ""
    key_id, proof, previous = row
    if key_id not in keys.by_id:
        raise SealMismatch(
            f"its numbers are sealed with the key {key_id}: put it back among the keys"
        )
    was_sealed_by(Seal(key_id, keys.by_id[key_id]), proof)
    if previous and previous not in keys.by_id:
        raise SealMismatch(
            f"some of it is sealed with the key {previous}: put it back among the keys"
        )
    if key_id == seal.key_id:
        return previous
    if previous is not None:
        raise SealMismatch(
            f"a change to the key {key_id} has not ended: name that in privacy.current, and run"
            " this again, before another change"
        )
    return key_id


def _reseal_all(connection: sqlite3.Connection, resealing: ValueResealer, told: Told) -> int:
    tables = list(sealed_tables())
    counted = (f"SELECT count(*) FROM {table.name}" for table, _ in tables)  # noqa: S608 - of ours
    total = sum(int(connection.execute(count).fetchone()[0]) for count in counted)
    seen = done = 0
    for table, columns in tables:
        walk = _Walk(table, columns)
        for rows in walk.pages(connection):
            changed = [one for row in rows for one in walk.changed(row, resealing)]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(walk.update, changed)
            connection.execute("COMMIT")
            seen += len(rows)
            done += len(changed)
            # A row with a sealed primary key may move, and be read again later.
            told(min(seen, total), total)
    return done


class _Walk:
    """Reads one table in the order of its primary key, and updates single rows."""

    def __init__(self, table: Table, columns: Sequence[Column[object]]) -> None:
        keys = [column.name for column in table.primary_key.columns]
        names = [column.name for column in columns]
        shown = [*keys, *names, *(["kind"] if table.name == "changes" else [])]
        self._columns = columns
        self._keys = len(keys)
        places = ", ".join("?" * len(keys))
        key = f"({', '.join(keys)})"
        # All names come from our own tables.
        read = f"SELECT {', '.join(shown)} FROM {table.name}"  # noqa: S608
        order = f"ORDER BY {', '.join(keys)} LIMIT {ROWS_PER_COMMIT}"
        self._first = f"{read} {order}"
        self._next = f"{read} WHERE {key} > ({places}) {order}"
        values = ", ".join(f"{name} = ?" for name in names)
        self.update = f"UPDATE {table.name} SET {values} WHERE {key} = ({places})"  # noqa: S608

    def pages(self, connection: sqlite3.Connection) -> Iterator[list[tuple[Value, ...]]]:
        """Yield pages of rows; each starts after the last key read, not affected by updates."""
        page = connection.execute(self._first).fetchall()
        while page:
            yield page
            page = connection.execute(self._next, page[-1][: self._keys]).fetchall()

    def changed(
        self, row: tuple[Value, ...], resealing: ValueResealer
    ) -> Iterator[tuple[Value, ...]]:
        """Yield the parameters of `update` if the row is not sealed with the current key."""
        key, rest = row[: self._keys], row[self._keys :]
        before = rest[: len(self._columns)]
        kind = rest[-1] if len(rest) > len(before) else None
        after = tuple(
            resealing.value(column, value, kind)
            for column, value in zip(self._columns, before, strict=True)
        )
        if after != before:
            yield (*after, *key)
