"""The batching writer, on a real file and with callers that give up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.storage.database import BatchingWriter, Statements
from gateway.storage.dialects.sqlite import writing_engine
from gateway.storage.errors import StoreUnavailable

MakeWriter: TypeAlias = Callable[..., BatchingWriter]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = writing_engine(tmp_path / "test.db", busy_s=1)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE notes (note INTEGER)"))
    yield engine
    await engine.dispose()


@pytest.fixture
async def make_writer(engine: AsyncEngine) -> AsyncIterator[MakeWriter]:
    writers: list[BatchingWriter] = []

    def make(*, deadline_s: float = 10, max_rows: int = 1000) -> BatchingWriter:
        writers.append(BatchingWriter(engine, deadline_s=deadline_s, max_rows=max_rows))
        return writers[-1]

    yield make
    for writer in writers:
        await writer.close()


@pytest.fixture
def commits(engine: AsyncEngine) -> list[Callable[[], object]]:
    """Return a list of what to do at the next commits, just before each."""
    acts: list[Callable[[], object]] = []

    def at_commit(_connection: Connection) -> None:
        if acts:
            acts.pop(0)()

    event.listen(engine.sync_engine, "commit", at_commit)
    return acts


def add(note: int) -> Statements[int]:
    async def run(connection: AsyncConnection) -> int:
        await connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})
        return note

    return run


def remove(note: int) -> Statements[None]:
    async def run(connection: AsyncConnection) -> None:
        await connection.execute(text("DELETE FROM notes WHERE note = :note"), {"note": note})

    return run


def wait_for(gate: asyncio.Event, note: int) -> Statements[int]:
    async def run(connection: AsyncConnection) -> int:
        await gate.wait()
        return await add(note)(connection)

    return run


async def notes(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as connection:
        return list(await connection.scalars(text("SELECT note FROM notes ORDER BY note")))


async def test_each_caller_gets_what_its_own_statements_returned(
    make_writer: MakeWriter, engine: AsyncEngine
) -> None:
    writer = make_writer()

    results = await asyncio.gather(*(writer.write(add(note)) for note in range(50)))

    assert results == list(range(50))
    assert await notes(engine) == results


async def test_callers_that_wait_together_share_a_commit(
    make_writer: MakeWriter, commits: list[Callable[[], object]]
) -> None:
    writer = make_writer()
    made: list[int] = []
    commits += [lambda: made.append(1)] * 100

    await asyncio.gather(*(writer.write(add(note)) for note in range(100)))

    assert len(made) == 1


async def test_a_commit_is_cut_at_five_hundred_rows(
    make_writer: MakeWriter, commits: list[Callable[[], object]]
) -> None:
    writer = make_writer()
    made: list[int] = []
    commits += [lambda: made.append(1)] * 100

    await asyncio.gather(*(writer.write(add(note), rows=200) for note in range(4)))

    assert len(made) == 2


async def test_a_fault_in_one_callers_statements_reaches_only_that_caller(
    make_writer: MakeWriter, engine: AsyncEngine
) -> None:
    async def faulty(connection: AsyncConnection) -> int:
        await connection.execute(text("INSERT INTO notes VALUES (666)"))
        raise ZeroDivisionError

    writer = make_writer()

    results = await asyncio.gather(
        writer.write(add(1)), writer.write(faulty), writer.write(add(2)), return_exceptions=True
    )

    assert [type(result) for result in results] == [int, ZeroDivisionError, int]
    assert await notes(engine) == [1, 2]


async def test_a_full_queue_refuses_at_once(make_writer: MakeWriter, engine: AsyncEngine) -> None:
    writer = make_writer(max_rows=10)

    results = await asyncio.gather(
        *(writer.write(add(note), rows=5) for note in range(4)), return_exceptions=True
    )

    assert results[:2] == [0, 1]
    assert [str(result) for result in results[2:]] == ["too many writes are waiting"] * 2
    assert await notes(engine) == [0, 1]
    assert await writer.write(add(9), rows=50) == 9


async def test_a_caller_that_gave_up_before_the_commit_wrote_nothing(
    make_writer: MakeWriter, engine: AsyncEngine
) -> None:
    gate = asyncio.Event()
    writer = make_writer(deadline_s=0.05)
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await asyncio.gather(writer.write(wait_for(gate, 1)), writer.write(add(2)))

    gate.set()
    await writer.close()

    assert await notes(engine) == []


async def test_a_caller_that_gave_up_takes_nobody_with_it(
    make_writer: MakeWriter, engine: AsyncEngine
) -> None:
    gate = asyncio.Event()
    writer = make_writer()
    hasty = asyncio.gather(writer.write(wait_for(gate, 1)))
    patient = asyncio.gather(writer.write(add(2)))
    await asyncio.sleep(0)
    hasty.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await hasty

    gate.set()

    assert list(await patient) == [2]
    assert await notes(engine) == [2]


async def test_what_was_committed_after_its_caller_gave_up_is_undone(
    make_writer: MakeWriter, engine: AsyncEngine, commits: list[Callable[[], object]]
) -> None:
    writer = make_writer()
    caller = asyncio.gather(writer.write(add(1), undo=remove(1)), writer.write(add(2)))
    commits.append(caller.cancel)

    with pytest.raises(asyncio.CancelledError):
        await caller
    await writer.close()

    assert await notes(engine) == [2]


async def test_an_undo_that_fails_is_tried_again_with_the_next_write(
    make_writer: MakeWriter, engine: AsyncEngine, commits: list[Callable[[], object]]
) -> None:
    faults = [StoreUnavailable("full"), StoreUnavailable("still full")]

    async def undo(connection: AsyncConnection) -> None:
        if faults:
            raise faults.pop()
        await remove(1)(connection)

    writer = make_writer()
    caller = asyncio.gather(writer.write(add(1), undo=undo))
    commits.append(caller.cancel)
    with pytest.raises(asyncio.CancelledError):
        await caller

    await writer.write(add(2))
    await writer.write(add(3))
    await writer.write(add(4))

    assert await notes(engine) == [2, 3, 4]
    assert not faults


async def test_closing_commits_what_waits_and_refuses_what_comes(
    make_writer: MakeWriter, engine: AsyncEngine
) -> None:
    writer = make_writer()
    waiting = asyncio.gather(writer.write(add(1)))
    await asyncio.sleep(0)

    await writer.close()

    assert list(await waiting) == [1]
    with pytest.raises(StoreUnavailable, match="closed"):
        await writer.write(add(2))
    assert await notes(engine) == [1]


async def test_closing_does_not_wait_for_ever(make_writer: MakeWriter) -> None:
    writer = make_writer(deadline_s=0.05)
    stuck = asyncio.gather(
        writer.write(wait_for(asyncio.Event(), 1)),
        writer.write(add(2), rows=1000),
        return_exceptions=True,
    )
    await asyncio.sleep(0)

    await writer.close()

    assert [type(result) for result in await stuck] == [StoreUnavailable] * 2
