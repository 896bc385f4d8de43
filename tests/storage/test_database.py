"""Reads that do not come back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import Database
from gateway.storage.dialects.sqlite import reading_engine, writing_engine
from gateway.storage.errors import StoreUnavailable


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a database that waits for nothing longer than 50 ms."""
    path = tmp_path / "test.db"
    opened = Database(
        reading=reading_engine(path, busy_s=1),
        writing=writing_engine(path, busy_s=1),
        deadline_s=0.05,
    )
    yield opened
    await opened.close()


async def test_a_read_that_hangs_is_given_up_and_others_go_on(hasty: Database) -> None:
    gate = asyncio.Event()

    async def hang(_connection: AsyncConnection) -> None:
        await gate.wait()

    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await hasty.read(hang)
    hasty._deadline_s = 30.0  # the next is given the time that a slow machine needs

    assert [row["one"] for row in await hasty.rows(text("SELECT 1 AS one"))] == [1]
    gate.set()


async def test_a_read_of_a_whole_table_may_take_longer_than_others(hasty: Database) -> None:
    one = text("SELECT 1 AS one")
    hasty._deadline_s = 0.0

    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await hasty.rows(one)
    assert [row["one"] for row in await hasty.rows(one, within_s=30.0)] == [1]
    hasty._deadline_s = 30.0


async def test_closing_lets_a_read_finish(hasty: Database) -> None:
    hasty._deadline_s = 30.0
    gate = asyncio.Event()

    async def read(connection: AsyncConnection) -> int:
        await gate.wait()
        return int((await connection.execute(text("SELECT 1"))).scalar_one())

    reading = asyncio.gather(hasty.read(read))
    await asyncio.sleep(0)
    closing = asyncio.gather(hasty.close())
    await asyncio.sleep(0)
    gate.set()

    assert list(await reading) == [1]
    await closing


async def test_the_callers_own_fault_is_told_as_it_is(hasty: Database) -> None:
    async def divide(_connection: AsyncConnection) -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        await hasty.read(divide)
