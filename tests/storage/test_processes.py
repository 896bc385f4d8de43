"""Several processes at one database, and one that is killed."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import open_store

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.slow

# Hold messages by the dozen, many callers at once; say each id once it is acknowledged.
HOLDER = """
import asyncio, os, sys
from datetime import UTC, datetime, timedelta
from gateway.domain.quarantine import HeldMessage
from gateway.stores import open_store

NOW = datetime(2025, 11, 25, tzinfo=UTC)

def message(message_id):
    return HeldMessage(
        message_id, "sp1", "10690001", "13800138000", bytes(200), "CONTENT", "K", "fraud", "",
        "", True, NOW, NOW + timedelta(days=1),
    )

async def caller(stores, first, count):
    for start in range(first, first + count, 3):
        await stores.quarantine.hold([message(start + n) for n in range(3)])
        os.write(1, f"{start} {start + 1} {start + 2}\\n".encode())

async def main(url, first, count):
    stores = await open_store(url, deadline_s=30)
    await asyncio.gather(
        *(caller(stores, first + n * count, count) for n in range(10))
    )
    await stores.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""

# Try to move every message of the first hundred; say which moves succeeded.
MOVER = """
import asyncio, sys
from datetime import UTC, datetime
from gateway.domain.quarantine import HoldState
from gateway.stores import open_store

NOW = datetime(2025, 11, 25, tzinfo=UTC)

async def main(url, state):
    stores = await open_store(url, deadline_s=30)
    moves = await asyncio.gather(
        *(
            stores.quarantine.move(n, allowed=frozenset({HoldState.HELD}), to=state, at=NOW)
            for n in range(1, 101)
        )
    )
    print(*(held.message_id for held in moves if held))
    await stores.close()

asyncio.run(main(sys.argv[1], HoldState(sys.argv[2])))
"""


async def start(program: str, *arguments: object) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        *map(str, arguments),
        stdout=PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )


async def test_what_was_acknowledged_before_a_kill_is_there(sqlite_url: str) -> None:
    process = await start(HOLDER, sqlite_url, 1, 30_000)
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    lines += (await process.stdout.read()).splitlines()
    await process.wait()

    stores = await open_store(sqlite_url)
    kept = {message.message_id for message in await stores.quarantine.find(limit=1_000_000)}
    await stores.close()

    acknowledged = {int(number) for line in lines for number in line.split()}
    assert process.returncode == -signal.SIGKILL
    assert len(acknowledged) >= 900
    assert acknowledged <= kept


async def test_two_processes_that_write_at_once_lose_nothing(sqlite_url: str) -> None:
    processes = [await start(HOLDER, sqlite_url, first, 90) for first in (1, 1_000_001)]

    outputs = [await process.communicate() for process in processes]
    stores = await open_store(sqlite_url)
    kept = {message.message_id for message in await stores.quarantine.find(limit=10_000)}
    await stores.close()

    acknowledged = {int(number) for output, _ in outputs for number in output.split()}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(acknowledged) == 2 * 900
    assert kept == acknowledged


async def test_of_two_processes_exactly_one_moves_a_message(sqlite_url: str, held: Builder) -> None:
    stores = await open_store(sqlite_url)
    await stores.quarantine.hold([held(message_id=message_id) for message_id in range(1, 101)])
    states = (HoldState.DISCARDED, HoldState.RELEASE_REQUESTED)
    processes = [await start(MOVER, sqlite_url, state) for state in states]

    outputs = [await process.communicate() for process in processes]
    moved = [[int(number) for number in output.split()] for output, _ in outputs]
    counts = await stores.quarantine.count_by_state()
    changes = await stores.changes.changes(0)
    await stores.close()

    assert sorted(moved[0] + moved[1]) == list(range(1, 101))
    assert [counts[state] for state in states] == [len(moved[0]), len(moved[1])]
    assert [change.number for change in changes] == list(range(1, 101))


# Decide on held messages one after the other; say each id once the decision is acknowledged.
DECIDER = """
import asyncio, os, sys
from datetime import UTC, datetime
from gateway.stores import open_store
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk

async def main(url, by, first, last):
    stores = await open_store(url, deadline_s=30)
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))
    for number in range(first, last):
        await desk.discard(number, by, datetime(2025, 11, 25, tzinfo=UTC))
        os.write(1, f"{number}\\n".encode())
    await stores.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


async def test_the_audit_of_two_processes_is_one_chain_also_after_one_is_killed(
    sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url)
    await stores.quarantine.hold([held(message_id=number) for number in range(1, 1001)])
    killed = await start(DECIDER, sqlite_url, "lin", 1, 501)
    other = await start(DECIDER, sqlite_url, "wu", 501, 601)
    assert killed.stdout is not None

    lines = [await killed.stdout.readline() for _ in range(20)]
    killed.send_signal(signal.SIGKILL)
    lines += (await killed.stdout.read()).splitlines()
    await asyncio.gather(killed.wait(), other.communicate())

    counts = await stores.quarantine.count_by_state()
    entries = await stores.journals.accesses(10_000)
    state = (await stores.journals.states())[0]
    await stores.close()
    of_killed = {one.about for one in entries if one.by == "lin"}
    assert (other.returncode, killed.returncode) == (0, -signal.SIGKILL)
    assert (state.problem, state.rows) == ("", len(entries))
    # Each decision has its entry, and each entry its decision.
    assert counts[HoldState.DISCARDED] == len(entries)
    assert sum(one.by == "wu" for one in entries) == 100
    assert {f"message {int(line)}" for line in lines if line.strip()} <= of_killed
