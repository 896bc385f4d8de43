"""Whose messages are taken up first when very many are due."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.proxy.release_sender import DueMessages
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.systems.quarantine.sql import QuarantineStore

OPENING = datetime(2013, 10, 2, tzinfo=UTC)
BOTH = ("sp1", "sp2")


class Frail(QuarantineStore):
    """A store that refuses whose messages it is told to."""

    refuses = ""

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        if self.refuses in system_ids:
            raise StoreUnavailable("no disk")
        return await super().take_due(now, system_ids, limit)


def deferred(message_id: int, system_id: str, due_at: datetime) -> HeldMessage:
    return HeldMessage(
        message_id=message_id,
        system_id=system_id,
        source="10690001",
        destination="13800138000",
        pdu=b"",
        reason="OUTSIDE_WINDOW",
        rule="R40",
        category="",
        evidence="",
        digest="",
        receipt_asked=False,
        held_at=OPENING,
        expires_at=OPENING + timedelta(days=1),
        state=HoldState.DEFERRED,
        due_at=due_at,
    )


@pytest.fixture
async def store(database: Database) -> Frail:
    """Keep 250 messages of sp1, and two of sp2 that are due a second later."""
    store = Frail(database)
    await store.hold([deferred(number, "sp1", OPENING) for number in range(1, 251)])
    later = OPENING + timedelta(seconds=1)
    await store.hold([deferred(number, "sp2", later) for number in (901, 902)])
    return store


async def test_r40_who_has_little_waiting_does_not_wait_for_who_has_much(store: Frail) -> None:
    due, noon = DueMessages(store), OPENING + timedelta(hours=4)

    turns = [await due.take(noon, BOTH) for _ in range(4)]

    assert [len(taken) for taken in turns] == [100, 100, 52, 0]
    assert [held.message_id for held in turns[1][:2]] == [901, 902]


async def test_what_was_taken_is_not_forgotten_when_the_store_fails_after_it(
    store: Frail,
) -> None:
    due, noon = DueMessages(store), OPENING + timedelta(hours=4)
    await due.take(noon, BOTH)

    store.refuses = "sp1"
    taken = await due.take(noon, BOTH)

    assert [held.message_id for held in taken] == [901, 902]


async def test_a_store_that_fails_at_once_is_heard_to_fail(store: Frail) -> None:
    store.refuses = "sp2"

    with pytest.raises(StoreUnavailable):
        await DueMessages(store).take(OPENING, BOTH)
