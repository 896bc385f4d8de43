"""An import shares the database with a gateway that has to write."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage
from gateway.storage.database import Database
from gateway.storage.dialects.sqlite import reading_engine, writing_engine
from gateway.stores import open_store
from gateway.systems.consent.sql import ANSWERS_PER_COMMIT, ConsentLists, PlainAnswer

Builder: TypeAlias = Callable[..., HeldMessage]

ROW: PlainAnswer = (8613800138000, "sp1", "refused", 0, "import", "", None)

# Record answers without end; say it after each commit.
IMPORTER = """
import asyncio, os, sys
from itertools import count
from gateway.systems.consent.sql import ANSWERS_PER_COMMIT
from gateway.stores import open_store

def batches():
    for start in count(8613000000000, ANSWERS_PER_COMMIT):
        numbers = range(start, start + ANSWERS_PER_COMMIT)
        yield [(number, "sp1", "refused", 0, "import", "", None) for number in numbers]

async def main(url):
    stores = await open_store(url, deadline_s=30)
    async for recorded in stores.consent_lists.record_list(batches()):
        os.write(1, b"%d\\n" % recorded)

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
async def opened(sqlite_url: str, database_file: Path) -> AsyncIterator[Database]:
    await (await open_store(sqlite_url)).close()  # makes the tables
    opened = Database(
        reading=reading_engine(database_file, busy_s=1),
        writing=writing_engine(database_file, busy_s=1),
    )
    yield opened
    await opened.close()


async def test_an_import_rests_after_every_three_tenths_of_a_second(
    opened: Database, noon: datetime
) -> None:
    slept: list[tuple[float, float]] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append((now, seconds))
        now += seconds

    def batches() -> Iterator[list[PlainAnswer]]:
        nonlocal now
        for number in range(7):
            now += 0.11  # each batch and its commit
            yield [(ROW[0] + number, *ROW[1:])]

    lists = ConsentLists(opened, lambda: noon, lambda: now, sleep)
    recorded = [one async for one in lists.record_list(batches())]

    assert recorded == [1] * 7
    assert [round(at, 2) for at, _ in slept] == [0.33, 0.78]
    # Longer than the longest pause in which SQLite does not look for a lock: 100 ms.
    assert all(seconds > 0.1 for _, seconds in slept)


async def test_commits_of_one_long_batch_rest_as_well(opened: Database, noon: datetime) -> None:
    clock = count(0.0, 0.2)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    lists = ConsentLists(opened, lambda: noon, lambda: next(clock), sleep)
    recorded = [one async for one in lists.record_list([[ROW] * (3 * ANSWERS_PER_COMMIT)])]

    assert recorded == [ANSWERS_PER_COMMIT] * 3
    assert len(slept) == 1


@pytest.mark.slow
async def test_a_gateway_holds_messages_in_time_while_another_process_imports(
    sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url)  # with the deadline of a gateway
    importer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        IMPORTER,
        sqlite_url,
        stdout=PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    assert importer.stdout is not None
    await importer.stdout.readline()

    for message_id in range(1, 31):
        await stores.quarantine.hold([held(message_id=message_id)])
        await importer.stdout.readline()

    assert importer.returncode is None
    importer.kill()
    await importer.communicate()
    assert len(await stores.quarantine.find(limit=100)) == 30
    await stores.close()
