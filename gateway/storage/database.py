"""What the SQL stores share: engines to read and write with, and the deadline of both."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Executable, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.ports.consent_lists import Kept
from gateway.ports.errors import StoreUnavailable
from gateway.runtime.deadline import wait_listening
from gateway.runtime.tasks import spawn
from gateway.stores.faults import translated
from gateway.stores.sealed_columns import Seal, give_seal
from gateway.stores.writer import BatchingWriter

T = TypeVar("T")

_WAL_PATIENCE_MS = 100
_WAL_TRIES = 5
# SQLite's own tables: the numbers of PRAGMA page_count, freelist_count and page_size.
_USED = text(
    "SELECT (page_count - freelist_count) * page_size AS octets"
    " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)


class Database:
    """One database, opened: many readers and one batching `writer`.

    What is a subscriber's stands in it as `seal` seals it, or open.
    """

    def __init__(
        self,
        *,
        reading: AsyncEngine,
        writing: AsyncEngine,
        deadline_s: float = 2.0,
        max_rows: int = 10_000,
        seal: Seal | None = None,
    ) -> None:
        for engine in (reading, writing):
            give_seal(engine, seal)
        self._seal = seal
        self._reading = reading
        self._writing = writing
        self._deadline_s = deadline_s
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

    async def rows(self, statement: Executable) -> Sequence[RowMapping]:
        """Return every row of a bounded query by column name."""

        async def run(connection: AsyncConnection) -> Sequence[RowMapping]:
            return (await connection.execute(statement)).mappings().all()

        return await self.read(run)

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
        (row,) = await self.rows(_USED)
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
