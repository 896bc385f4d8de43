"""The contract of gateway.systems.quarantine.model for messages that wait for their hour."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from sqlalchemy import Connection, Engine, event

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores, open_store

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., HeldMessage]
Deferred: TypeAlias = Callable[..., HeldMessage]

SP1 = frozenset({"sp1"})


@pytest.fixture
def deferred(held: Builder, noon: datetime) -> Deferred:
    """Build a message that is due at noon; give what should be otherwise."""
    return lambda **changes: held(**{"state": HoldState.DEFERRED, "due_at": noon, **changes})


async def test_a_deferred_message_comes_back_with_its_hour(
    stores: Stores, deferred: Deferred
) -> None:
    message = deferred(is_reviewed=True)

    await stores.quarantine.hold([message])

    assert await stores.quarantine.get(1) == message
    assert (await stores.quarantine.count_by_state())[HoldState.DEFERRED] == 1


async def test_what_is_due_is_taken_oldest_hour_first(
    stores: Stores, deferred: Deferred, noon: datetime
) -> None:
    first = deferred(message_id=9, due_at=noon - timedelta(hours=1))
    second, third = deferred(message_id=3), deferred(message_id=4)
    early = deferred(message_id=1, due_at=noon + timedelta(microseconds=1))
    await stores.quarantine.hold([third, early, second, first])

    taken = await stores.quarantine.take_due(noon, SP1, 2)
    rest = await stores.quarantine.take_due(noon, SP1, 2)
    nothing = await stores.quarantine.take_due(noon, SP1, 2)

    requested = [replace(one, state=HoldState.RELEASE_REQUESTED) for one in (first, second, third)]
    assert taken == requested[:2]
    assert rest == requested[2:]
    assert nothing == []
    assert await stores.quarantine.get(9) == requested[0]
    assert await stores.quarantine.get(1) == early


async def test_only_what_is_deferred_and_still_valid_is_taken(
    stores: Stores, deferred: Deferred, noon: datetime
) -> None:
    others = [
        deferred(message_id=10 + place, state=state)
        for place, state in enumerate(sorted(set(HoldState) - {HoldState.DEFERRED}))
    ]
    await stores.quarantine.hold([deferred(expires_at=noon), *others])

    assert await stores.quarantine.take_due(noon, SP1, 100) == []
    assert await stores.quarantine.find(limit=100) == [*reversed(others), deferred(expires_at=noon)]


async def test_who_is_away_is_passed_over(
    stores: Stores, deferred: Deferred, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [deferred(message_id=1, system_id="away"), deferred(message_id=2), deferred(message_id=3)]
    )

    taken = await stores.quarantine.take_due(noon, SP1, 1)
    nobody = await stores.quarantine.take_due(noon, (), 1)

    assert [one.message_id for one in taken] == [2]
    assert nobody == []


async def test_of_many_takers_at_once_each_message_goes_to_one(
    stores: Stores, deferred: Deferred, noon: datetime
) -> None:
    await stores.quarantine.hold([deferred(message_id=place) for place in range(1, 21)])

    takers = await asyncio.gather(*(stores.quarantine.take_due(noon, SP1, 5) for _ in range(8)))

    taken = [one.message_id for messages in takers for one in messages]
    assert sorted(taken) == list(range(1, 21))


async def test_due_messages_are_found_without_a_look_at_the_others(
    database_file: Path, sqlite_url: str, deferred: Deferred, noon: datetime
) -> None:
    stores = await open_store(sqlite_url)
    await stores.quarantine.hold([deferred()])
    asked: list[tuple[str, tuple[str | int, ...]]] = []

    def note(
        _connection: Connection,
        _cursor: object,
        statement: str,
        values: tuple[str | int, ...],
        *_rest: object,
    ) -> None:
        if not statement.startswith("BEGIN"):
            asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    await stores.quarantine.take_due(noon, SP1, 5)
    event.remove(Engine, "before_cursor_execute", note)
    await stores.close()

    with closing(sqlite3.connect(database_file)) as connection:
        for statement, values in asked:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            steps = [step[3] for step in plan]
            assert any("ix_held_messages_deferred (state=? AND due_at<?)" in s for s in steps)
            assert not any("SCAN" in step or "ORDER BY" in step for step in steps)
    assert len(asked) == 2
