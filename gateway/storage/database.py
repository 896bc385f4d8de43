"""What the SQL stores share: a database, its only writer, deadlines, and rows.

A commit that reaches the disk costs milliseconds and hardly depends on its size (FULL: 6.1k
rows/s one by one, 156k rows/s by the hundred), so callers share commits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import Field, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.runtime.clock import utcnow as clock_utcnow
from gateway.runtime.tasks import spawn, wait_listening
from gateway.storage.dialect import dialect_of, translated
from gateway.storage.errors import StoreUnavailable
from gateway.storage.sealed_columns import Kept, Seal, give_seal

_BATCH_ROWS = 500
_MAX_ROWS = 10_000  # that wait for a commit

T = TypeVar("T")
Statements = Callable[[AsyncConnection], Awaitable[T]]


@dataclass(slots=True, eq=False)
class _Write:
    """One caller's statements. `done` is cancelled if the caller does not wait any more."""

    run: Statements[None]
    undo: Statements[None] | None
    rows: int
    is_regret: bool = False
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class BatchingWriter:
    """Runs callers' statements in shared transactions, in the order they came.

    A caller gets its result after the commit. A fault in one caller's statements does not affect
    the others: all writes of its batch are then committed one by one.
    """

    def __init__(self, engine: AsyncEngine, *, deadline_s: float, max_rows: int) -> None:
        self._engine = engine
        self._deadline_s = deadline_s
        self._max_rows = max_rows
        self._waiting: deque[_Write] = deque()
        self._rows_waiting = 0
        self._regrets: list[_Write] = []
        self._wake = asyncio.Event()
        self._is_closing = False
        self._task = spawn(self._serve(), name="store.writer")

    async def write(
        self, run: Statements[T], *, rows: int = 1, undo: Statements[None] | None = None
    ) -> T:
        """Return the result of `run` after the commit.

        Raises StoreUnavailable if the queue is full, the deadline passes, or the store fails;
        nothing was written then. Only if the deadline passes during the commit itself, the
        result is unknown; with `undo` it is certain: `undo` is run as soon as that commit has
        succeeded.
        """
        if self._is_closing:
            raise StoreUnavailable("the store is closed")
        if self._waiting and self._rows_waiting + rows > self._max_rows:
            raise StoreUnavailable("too many writes are waiting")
        results: list[T] = []

        async def keep_result(connection: AsyncConnection) -> None:
            results[:] = [await run(connection)]

        write = _Write(keep_result, undo, rows)
        self._append(write)
        try:
            await wait_listening({write.done}, self._deadline_s)
        finally:
            # This decides, once, whether the write was given up or done; see _Write.
            is_given_up = write.done.cancel()
        if is_given_up:
            raise StoreUnavailable("no answer in time")
        write.done.result()
        return results[0]

    async def close(self) -> None:
        """Commit waiting writes, then stop; cancel a commit that is stuck."""
        self._is_closing = True
        self._wake.set()
        ended, _ = await asyncio.wait({self._task}, timeout=2 * self._deadline_s)
        if not ended:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=self._deadline_s)

    def _append(self, write: _Write) -> None:
        self._waiting.append(write)
        self._rows_waiting += write.rows
        self._wake.set()

    async def _serve(self) -> None:
        while self._waiting or not self._is_closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._commit(self._gather())

    def _gather(self) -> list[_Write]:
        batch, self._regrets = self._regrets, []
        rows = 0
        while self._waiting and (not batch or rows + self._waiting[0].rows <= _BATCH_ROWS):
            write = self._waiting.popleft()
            rows += write.rows
            batch.append(write)
        self._rows_waiting -= rows
        return batch

    async def _commit(self, batch: list[_Write]) -> None:
        batch = [write for write in batch if not write.done.done()]
        if not batch:
            return
        try:
            await self._transact(batch)
        except Exception as error:  # noqa: BLE001 - the task's edge: it must outlive any fault
            if len(batch) == 1:
                self._fail(batch[0], error)
                return
            for write in batch:
                await self._commit([write])
            return
        for write in batch:
            self._answer(write)

    async def _transact(self, batch: list[_Write]) -> None:
        with translated():
            async with self._engine.begin() as connection:
                for write in batch:
                    await write.run(connection)
                if any(write.done.cancelled() for write in batch):
                    raise StoreUnavailable("a caller gave up before the commit")

    def _answer(self, write: _Write) -> None:
        if not write.done.cancelled():
            write.done.set_result(None)
        elif write.undo is not None:
            self._append(_Write(write.undo, None, write.rows, is_regret=True))

    def _fail(self, write: _Write, error: Exception) -> None:
        if write.is_regret:
            self._regrets.append(write)  # goes with the next batch, until it succeeds
        elif not write.done.done():
            write.done.set_exception(error)


Values: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]]

_LOG_TRIES = 5


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
        seal: Seal | None = None,
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        for engine in (reading, writing):
            give_seal(engine, seal)
        self.dialect = dialect_of(writing)
        self._seal = seal
        self._reading = reading
        self._writing = writing
        self._deadline_s = deadline_s
        self._let_go = let_go
        self._is_closed = False
        self._reads: set[asyncio.Task[object]] = set()
        self.writer = BatchingWriter(writing, deadline_s=deadline_s, max_rows=_MAX_ROWS)

    async def read(
        self, run: Callable[[AsyncConnection], Awaitable[T]], *, within_s: float | None = None
    ) -> T:
        """Return what `run` returns, or raise StoreUnavailable at the deadline.

        `within_s` takes the place of the usual deadline, for what must read a whole table.
        """
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        # A task of its own, which is never cancelled: a cancelled driver waits for its thread,
        # and so for a disk that hangs. The pool bounds how many may hang.
        reading = spawn(self._outcome_of(run), name="store.read")
        self._reads.add(reading)
        reading.add_done_callback(self._reads.discard)
        await wait_listening({reading}, self._deadline_s if within_s is None else within_s)
        if not reading.done():
            raise StoreUnavailable("no answer in time")
        outcome = reading.result()
        if isinstance(outcome, StoreUnavailable):
            raise outcome
        return outcome

    async def rows(
        self, statement: sa.Executable, *, within_s: float | None = None
    ) -> Sequence[sa.RowMapping]:
        """Return every row of a bounded query by column name; `within_s` as for `read`."""
        return await self.read(partial(_all_rows, statement), within_s=within_s)

    async def first(self, statement: sa.Executable) -> sa.RowMapping | None:
        """Return the first row of a query, or None."""
        return next(iter(await self.rows(statement)), None)

    async def records(self, kind: Callable[..., T], statement: sa.Executable) -> list[T]:
        """Return every row of a bounded query as a `kind`: its fields are the columns."""
        return [kind(**row) for row in await self.rows(statement)]

    async def record(self, kind: Callable[..., T], statement: sa.Executable) -> T | None:
        """Return the first row of a query as a `kind`, or None."""
        return next(iter(await self.records(kind, statement)), None)

    async def change(
        self, statement: sa.Executable, values: Values | None = None, *, rows: int = 1
    ) -> int:
        """Execute a statement in a commit, with `values`; return how many rows it changed."""

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement, values)).rowcount

        return await self.writer.write(run, rows=rows)

    async def returned(self, statement: sa.Executable, *, rows: int = 1) -> Sequence[sa.RowMapping]:
        """Execute a statement in a commit; return the rows that it returns."""
        return await self.writer.write(partial(_all_rows, statement), rows=rows)

    async def empty_wal(self) -> bool:
        """Move the write-ahead log into the file and cut it off; tell whether that was done.

        For what was deleted: until then its octets stand there. Where somebody reads all the
        while, False is returned: the next call, or the last process that closes a file, does it.
        """
        with suppress(StoreUnavailable):  # what was deleted is deleted
            for _ in range(_LOG_TRIES):
                if await self.read(self.dialect.emptied_log):
                    return True
        return False

    async def used_octets(self) -> int:
        """Return the octets of the pages in use; those that are free again are not counted.

        Raises StoreUnavailable.
        """
        (row,) = await self.rows(self.dialect.used_octets)
        return int(row["octets"])

    @property
    def key_id(self) -> str:
        """Return the id of the key that it is sealed with, "" if it stands open."""
        return "" if self._seal is None else self._seal.key_id

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


async def _all_rows(
    statement: sa.Executable, connection: AsyncConnection
) -> Sequence[sa.RowMapping]:
    return (await connection.execute(statement)).mappings().all()


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
