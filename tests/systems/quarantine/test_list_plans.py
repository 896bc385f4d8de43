"""Every list that reviewers ask for is found by an index, among however many other messages."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState
from gateway.storage.tables import IS_UNSETTLED, held_messages
from gateway.stores import open_store
from gateway.systems.quarantine import sql
from gateway.systems.quarantine.service import HeldFilter, find_held
from tests.conftest import Builder

HELD = HoldState.HELD
# What is asked for, and the first columns of the indexes in which each step of it may look: those
# of two filters are in the index of either.
FILTERS = [
    (HeldFilter(), {"state"}),
    (HeldFilter(HELD), {"state"}),
    (HeldFilter(HELD, "sp1"), {"system_id"}),
    (HeldFilter(HELD, category="loan"), {"category"}),
    (HeldFilter(HELD, category="fraud"), {"category"}),
    (HeldFilter(HELD, campaign="c1"), {"campaign"}),
    (HeldFilter(HELD, source="10690001"), {"source"}),
    (HeldFilter(HELD, rule="R61"), {"rule"}),
    (HeldFilter(HELD, destinations=("13800138000", "8613800138000")), {"destination"}),
    (HeldFilter(HELD, "sp1", category="fraud"), {"system_id", "category"}),
    (HeldFilter(None, "sp1", category="loan"), {"system_id", "category"}),
    (HeldFilter(HELD, "sp1", "c1"), {"system_id", "campaign"}),
    (HeldFilter(HELD, "sp1", rule="R61"), {"system_id", "rule"}),
    (HeldFilter(HELD, source="10690001", rule="R61"), {"source", "rule"}),
    (HeldFilter(HELD, category="loan", rule="R61"), {"category", "rule"}),
    (HeldFilter(HELD, campaign="c1", rule="R61"), {"campaign", "rule"}),
    (HeldFilter(HELD, campaign="c1", source="10690001"), {"campaign", "source"}),
    (HeldFilter(HELD, campaign="c1", category="loan"), {"campaign", "category"}),
    (HeldFilter(HELD, "sp1", destinations=("13800138000",)), {"destination"}),
    (HeldFilter(HELD, category="loan", destinations=("13800138000",)), {"destination"}),
]
# How rows that were found by an index are read then.
_BY_KEY = "INTEGER PRIMARY KEY"


@pytest.mark.parametrize(("wanted", "firsts"), FILTERS)
@pytest.mark.parametrize("before_id", [None, 5])
async def test_a_list_looks_at_no_message_that_is_not_in_it(
    database_file: Path,
    sqlite_url: str,
    wanted: HeldFilter,
    firsts: set[str],
    before_id: int | None,
) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []

    def listen(*arguments: object) -> None:
        statement, parameters = arguments[2:4]
        assert isinstance(statement, str)
        assert isinstance(parameters, tuple)
        asked.append((statement, parameters))

    stores = await open_store(sqlite_url)
    event.listen(Engine, "before_cursor_execute", listen)
    await find_held(stores.quarantine, wanted, before_id, 50)
    event.remove(Engine, "before_cursor_execute", listen)
    await stores.close()

    of_state = "state=?)" if before_id is None else "state=? AND message_id<?)"
    expected = tuple(
        f"({'' if first == 'state' else f'{first}=? AND '}{of_state}" for first in firsts
    )
    with closing(sqlite3.connect(database_file)) as connection:
        for statement, values in asked:
            steps = [
                str(step[3])
                for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
            reads = [step for step in steps if step.startswith("SEARCH held_messages")]
            found = [step for step in reads if _BY_KEY not in step]
            assert found
            assert [step for step in found if not step.endswith(expected)] == []
            scans = [step for step in steps if step.startswith("SCAN")]
            assert [step for step in scans if "held_messages" in step] == []
    assert asked


def test_the_index_of_a_filter_has_the_columns_of_all_others() -> None:
    filters = {"campaign", "system_id", "source", "rule", "category"}
    indexes = {str(one.name): one.columns.keys() for one in held_messages.indexes}
    for first in filters:
        columns = indexes[f"ix_held_messages_by_{first}"]
        assert columns[:3] == [first, "state", "message_id"]
        assert set(columns[3:]) == filters - {first}


async def test_what_a_start_asks_for_is_found_without_a_look_at_other_messages(
    database_file: Path, sqlite_url: str
) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []

    def listen(*arguments: object) -> None:
        statement, parameters = arguments[2:4]
        assert isinstance(statement, str)
        assert isinstance(parameters, tuple)
        asked.append((statement, parameters))

    stores = await open_store(sqlite_url)
    event.listen(Engine, "before_cursor_execute", listen)
    await stores.quarantine.count_waiting()
    await stores.quarantine.due_receipts(None, 10)
    await stores.quarantine.released_ids()
    event.remove(Engine, "before_cursor_execute", listen)
    await stores.close()

    with closing(sqlite3.connect(database_file)) as connection:
        plans = [
            [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in asked
        ]
    assert plans == [
        ["SCAN held_messages USING INDEX ix_held_messages_unsettled"],
        [
            "SCAN held_messages USING INDEX ix_held_messages_receipt_due",
            "USE TEMP B-TREE FOR ORDER BY",
        ],
        ["SEARCH held_messages USING INDEX ix_held_messages_state_message_id (state=?)"],
    ]
    final = ", ".join(f"'{state}'" for state in sorted(FINAL_STATES))
    assert str(IS_UNSETTLED) == f"state NOT IN ({final})"


async def test_the_ids_of_released_messages_come_in_pages(
    sqlite_url: str, held: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_RELEASED_AT_ONCE", 3)
    stores = await open_store(sqlite_url)
    released = [
        held(message_id=number, state=HoldState.RELEASED, smsc_message_id=str(number))
        for number in range(1, 9)
    ]
    await stores.quarantine.hold(released)

    found = [
        [one.message_id for one in await stores.quarantine.released_ids(limit)]
        for limit in (100, 8, 7, 3, 1)
    ]
    await stores.close()

    newest = [8, 7, 6, 5, 4, 3, 2, 1]
    assert found == [newest, newest, newest[:7], newest[:3], newest[:1]]


async def test_a_list_of_several_categories_is_the_newest_of_all(
    sqlite_url: str, held: Builder
) -> None:
    names = ("fraud", "loan", "fraud_prize", "fraud")
    messages: list[HeldMessage] = [
        held(message_id=number, category=names[number % 4], state=HELD) for number in range(1, 41)
    ]
    stores = await open_store(sqlite_url)
    await stores.quarantine.hold(messages)

    page = await find_held(stores.quarantine, HeldFilter(HELD, category="fraud"), None, 10)
    after = await find_held(stores.quarantine, HeldFilter(HELD, category="fraud"), 30, 100)
    nothing = await stores.quarantine.find(categories=[])
    await stores.close()

    wanted = [one.message_id for one in reversed(messages) if one.category != "loan"]
    assert [one.message_id for one in page] == wanted[:10]
    assert [one.message_id for one in after] == [one for one in wanted if one < 30]
    assert nothing == []
