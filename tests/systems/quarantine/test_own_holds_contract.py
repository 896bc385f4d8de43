"""What a subscriber's own rule holds, found by the subscriber's number (R50)."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import pytest
from sqlalchemy import Engine, event

from gateway.domain.msisdn import spellings_of
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Reason
from gateway.stores import Stores, open_store

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., HeldMessage]

MSISDN = 8613800138000
HELD = frozenset({HoldState.HELD})


@pytest.fixture
def own(held: Builder) -> Builder:
    """Build a message that a subscriber's own rule holds; give what should be otherwise."""
    return lambda **changes: held(**{"reason": Reason.USER_PREF.value, "rule": "R50", **changes})


async def test_r50_what_ones_own_rule_holds_is_found_newest_first(
    stores: Stores, own: Builder
) -> None:
    await stores.quarantine.hold([own(message_id=n) for n in (2, 3, 1)])

    found = await stores.quarantine.own_holds(MSISDN, 2)

    assert [one.message_id for one in found] == [3, 2]
    assert found[0] == own(message_id=3)


async def test_however_its_sender_writes_the_number_it_is_the_same_subscriber(
    stores: Stores, own: Builder
) -> None:
    spelled = spellings_of(MSISDN)
    await stores.quarantine.hold(
        [own(message_id=n, destination=one) for n, one in enumerate(spelled, 1)]
    )
    await stores.quarantine.hold([own(message_id=100, destination="13800138001")])

    found = await stores.quarantine.own_holds(MSISDN, 100)

    assert {one.destination for one in found} == set(spelled)
    assert [one.message_id for one in await stores.quarantine.own_holds(MSISDN + 1, 9)] == [100]


async def test_r50_what_a_policy_holds_and_what_is_over_is_not_among_them(
    stores: Stores, own: Builder, held: Builder
) -> None:
    others = [state for state in HoldState if state is not HoldState.HELD]
    await stores.quarantine.hold(
        [held(message_id=1), *(own(message_id=n, state=s) for n, s in enumerate(others, 2))]
    )

    assert await stores.quarantine.own_holds(MSISDN, 9) == []


async def test_that_a_subscriber_asked_for_a_message_stays_on_it(
    stores: Stores, own: Builder, noon: datetime
) -> None:
    store = stores.quarantine
    await store.hold([own(message_id=1), own(message_id=2), own(message_id=3)])

    asked = await store.move(
        1, allowed=HELD, to=HoldState.RELEASE_REQUESTED, at=noon, is_wanted=True
    )
    parts = await store.move_together(
        (2, 3), allowed=HELD, to=HoldState.RELEASE_REQUESTED, at=noon, is_wanted=True
    )
    later = await store.move(
        1, allowed=frozenset({HoldState.RELEASE_REQUESTED}), to=HoldState.HELD, at=noon
    )

    assert asked is not None
    assert (asked.is_wanted, asked.is_reviewed) == (True, False)
    assert [one.is_wanted for one in parts] == [True, True]
    assert later is not None
    assert later.is_wanted
    assert later == await store.get(1)


async def test_r50_what_is_kept_for_another_reason_by_now_is_not_moved_as_his(
    stores: Stores, own: Builder, held: Builder, noon: datetime
) -> None:
    store = stores.quarantine
    flagged = [held(message_id=1), held(message_id=2), held(message_id=4)]
    await store.hold([*flagged, own(message_id=3), own(message_id=5)])
    to, reason = HoldState.DISCARDED, Reason.USER_PREF

    one = await store.move(1, allowed=HELD, to=to, at=noon, held_for=reason)
    none = await store.move_together((2, 3), allowed=HELD, to=to, at=noon, held_for=reason)
    some = await store.move_together((5, 4), allowed=HELD, to=to, at=noon, held_for=reason)
    his = await store.move(3, allowed=HELD, to=to, at=noon, held_for=reason)

    assert (one, none) == (None, [])
    assert [moved.message_id for moved in some] == [5]
    assert his is not None
    assert his.state is to
    assert await store.get_many((1, 2, 4)) == flagged


async def test_a_subscribers_messages_are_found_from_an_index(
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
    await stores.quarantine.own_holds(MSISDN, 10)
    event.remove(Engine, "before_cursor_execute", listen)
    await stores.close()

    with closing(sqlite3.connect(database_file)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {asked[0][0]}", asked[0][1]).fetchall()
    assert "ix_held_messages_own_hold (state=? AND reason=? AND destination=?)" in steps[0][3]
    assert len(asked) == 1
