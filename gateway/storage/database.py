"""What the SQL stores share: engines to read and write with, their deadline, and rows."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import Field
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.runtime.clock import utcnow as clock_utcnow
from gateway.runtime.tasks import spawn, wait_listening
from gateway.storage.dialect import USED_OCTETS
from gateway.storage.errors import StoreUnavailable
from gateway.storage.sealed_columns import Kept, Seal, give_seal
from gateway.storage.sqlite import translated
from gateway.storage.writer import BatchingWriter

T = TypeVar("T")
Values: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]]

_WAL_PATIENCE_MS = 100
_WAL_TRIES = 5


class Database:
    """One database, opened: many readers and one batching `writer`.

    What is a subscriber's stands in it as `seal` seals it, or open. `let_go` is called at the
    end of each `close`.
    """

    def __init__(
        self,
        *,
        reading: AsyncEngine,
        writing: AsyncEngine,
        deadline_s: float = 2.0,
        max_rows: int = 10_000,
        seal: Seal | None = None,
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        for engine in (reading, writing):
            give_seal(engine, seal)
        self._seal = seal
        self._reading = reading
        self._writing = writing
        self._deadline_s = deadline_s
        self._let_go = let_go
        self._is_closed = False
        self._reads: set[asyncio.Task[object]] = set()
        self.writer = BatchingWriter(writing, deadline_s=deadline_s, max_rows=max_rows)

    async def read(self, run: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what `run` returns, or raise StoreUnavailable at the deadline."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        # A task of its own, which is never cancelled: a cancelled driver waits for its thread,
        # and so for a disk that hangs. The pool bounds how many may hang.
        reading = spawn(self._outcome_of(run), name="store.read")
        self._reads.add(reading)
        reading.add_done_callback(self._reads.discard)
        await wait_listening({reading}, self._deadline_s)
        if not reading.done():
            raise StoreUnavailable("no answer in time")
        outcome = reading.result()
        if isinstance(outcome, StoreUnavailable):
            raise outcome
        return outcome

    async def rows(self, statement: sa.Executable) -> Sequence[sa.RowMapping]:
        """Return every row of a bounded query by column name."""

        async def run(connection: AsyncConnection) -> Sequence[sa.RowMapping]:
            return (await connection.execute(statement)).mappings().all()

        return await self.read(run)

    async def first(self, statement: sa.Executable) -> sa.RowMapping | None:
        """Return the first row of a query, or None."""
        return next(iter(await self.rows(statement)), None)

    async def change(
        self, statement: sa.Executable, values: Values | None = None, *, rows: int = 1
    ) -> int:
        """Execute a statement in a commit, with `values`; return how many rows it changed."""

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement, values)).rowcount

        return await self.writer.write(run, rows=rows)

    async def returned(self, statement: sa.Executable, *, rows: int = 1) -> Sequence[sa.RowMapping]:
        """Execute a statement in a commit; return the rows that it returns."""

        async def run(connection: AsyncConnection) -> Sequence[sa.RowMapping]:
            return (await connection.execute(statement)).mappings().all()

        return await self.writer.write(run, rows=rows)

    async def empty_wal(self) -> bool:
        """Move the write-ahead log into the file and cut it off; tell whether that was done.

        For what was deleted: until then its octets stand in the -wal file. Most of the work is
        done while others write (PASSIVE); the rest keeps them waiting for at most
        `_WAL_PATIENCE_MS`. Where somebody reads all the while, False is returned: the next call,
        or the last process that closes the file, does it.
        """
        with suppress(StoreUnavailable):  # what was deleted is deleted
            for _ in range(_WAL_TRIES):
                if await self.read(_emptied):
                    return True
        return False

    async def used_octets(self) -> int:
        """Return the octets of the pages in use; those that are free again are not counted.

        Raises StoreUnavailable.
        """
        (row,) = await self.rows(USED_OCTETS)
        return int(row["octets"])

    @property
    def is_sealed(self) -> bool:
        """Tell whether subscribers' numbers and texts are sealed."""
        return self._seal is not None

    def kept(self, msisdn: int) -> Kept:
        """Return a number as its columns hold it, and as they are ordered by it."""
        return msisdn if self._seal is None else self._seal.number(msisdn)

    async def close(self) -> None:
        """Commit what is waiting and let go of the database; may be repeated."""
        self._is_closed = True
        await self.writer.close()
        if self._reads:
            await asyncio.wait(self._reads, timeout=self._deadline_s)
        await self._reading.dispose()
        await self._writing.dispose()
        self._let_go()

    async def _outcome_of(
        self, run: Callable[[AsyncConnection], Awaitable[T]]
    ) -> T | StoreUnavailable:
        """Return a fault too, for a task that raises is logged as one that failed."""
        try:
            with translated():
                async with self._reading.connect() as connection:
                    return await run(connection)
        except StoreUnavailable as error:
            return error


async def _emptied(connection: AsyncConnection) -> bool:
    await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
    usual = (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one()
    await connection.exec_driver_sql(f"PRAGMA busy_timeout={_WAL_PATIENCE_MS}")
    try:
        done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return not done.one()[0]
    finally:
        await connection.exec_driver_sql(f"PRAGMA busy_timeout={usual}")


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class SqlStore:
    """Rows of one database; `utcnow` tells when they change."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime] = clock_utcnow) -> None:
        self._database = database
        self._utcnow = utcnow


def values_of(record: Record) -> dict[str, object]:
    """Return a dataclass as a row: each field is a column."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


async def added(connection: AsyncConnection, table: sa.Table, values: Mapping[str, object]) -> int:
    """Insert a row; return the number that the database gave it."""
    made = await connection.execute(sa.insert(table).returning(table.c.number), values)
    return int(made.scalar_one())


def newest(
    table: sa.Table, limit: int, where: Sequence[sa.ColumnElement[bool]] = (), **equal: object
) -> sa.Select[tuple[object, ...]]:
    """Select rows by falling number; of `equal`, columns by name, None matches all.

    `before` is not a column: only lower numbers are selected.
    """
    before = equal.pop("before", None)
    same = [table.c[name] == value for name, value in equal.items() if value is not None]
    if before is not None:
        same.append(table.c.number < before)
    return sa.select(table).where(*where, *same).order_by(table.c.number.desc()).limit(limit)


def oldest(
    table: sa.Table, limit: int, *where: sa.ColumnElement[bool] | sa.TextClause, after: int = 0
) -> sa.Select[tuple[object, ...]]:
    """Select rows by rising number, above `after`."""
    number = table.c.number
    return sa.select(table).where(*where, number > after).order_by(number).limit(limit)
