"""What the journals, legal holds and final messages promise, on every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.records import Access, JournalState, NewAccess, NewPurge, Purge
from gateway.stores import Stores
from gateway.systems.legal_holds.model import LegalHold

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

Builder: TypeAlias = Callable[..., HeldMessage]

FINAL = (
    HoldState.RELEASED,
    HoldState.REFUSED,
    HoldState.DISCARDED,
    HoldState.EXPIRED,
    HoldState.CANCELLED,
)
UNDER_WAY = tuple(state for state in HoldState if state not in FINAL)


@pytest.fixture
def hold(noon: datetime) -> LegalHold:
    since = noon - timedelta(days=30)
    return LegalHold(since, noon, "sp1", 8613800138000, "诈骗", "公(2025)7", "lin", noon)


@pytest.fixture
def purge(noon: datetime) -> NewPurge:
    return NewPurge("records", noon - timedelta(days=200), noon, 8, noon, "lin")


async def test_a_hold_comes_back_as_it_was_added(stores: Stores, hold: LegalHold) -> None:
    assert await stores.legal_holds.listed() == []

    number = await stores.legal_holds.add(hold)

    expected = replace(hold, number=1)
    assert number == 1
    assert await stores.legal_holds.listed() == [expected]


async def test_a_hold_may_be_on_every_sender_and_subscriber(
    stores: Stores, hold: LegalHold
) -> None:
    await stores.legal_holds.add(replace(hold, system_id=None, msisdn=None))

    (found,) = await stores.legal_holds.listed()
    assert (found.system_id, found.msisdn) == (None, None)


async def test_a_hold_is_lifted_once(stores: Stores, hold: LegalHold, noon: datetime) -> None:
    number = await stores.legal_holds.add(hold)
    await stores.legal_holds.add(hold)

    assert await stores.legal_holds.lift(number, "wu", noon)
    assert not await stores.legal_holds.lift(number, "he", noon + timedelta(days=1))
    assert not await stores.legal_holds.lift(99, "wu", noon)

    other, lifted = await stores.legal_holds.listed()
    assert (lifted.lifted_by, lifted.lifted_at) == ("wu", noon)
    assert (other.number, other.lifted_at) == (2, None)


async def test_purges_are_listed_the_newest_first(
    stores: Stores, purge: NewPurge, noon: datetime
) -> None:
    assert await stores.journals.note_purge(purge) == 1
    assert await stores.journals.note_purge(replace(purge, count=0)) == 2

    newest, oldest = await stores.journals.purges()
    assert newest.number == 2
    assert oldest == Purge("records", noon - timedelta(days=200), noon, 8, noon, "lin", number=1)
    assert await stores.journals.purges(limit=1) == [newest]


async def test_accesses_are_listed_the_newest_first(stores: Stores, noon: datetime) -> None:
    access = NewAccess("lin", "records show", "派单 12", "var/cdr", noon)

    assert await stores.journals.note_access(access) == 1
    assert await stores.journals.note_access(replace(access, by="wu")) == 2

    newest, oldest = await stores.journals.accesses()
    assert newest.by == "wu"
    assert oldest == Access("lin", "records show", "派单 12", "var/cdr", noon, number=1)
    assert await stores.journals.accesses(limit=1) == [newest]


async def test_only_messages_that_are_done_with_and_old_are_found(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    states = dict(enumerate((*UNDER_WAY, *FINAL), 1))
    messages = [
        held(message_id=number, state=state, receipt=ReceiptState.SENT)
        for number, state in states.items()
    ]
    await stores.quarantine.hold(
        [
            *messages,
            held(message_id=50, state=HoldState.EXPIRED, receipt=ReceiptState.DUE),
            held(message_id=51, state=HoldState.EXPIRED, held_at=noon + timedelta(seconds=1)),
        ]
    )

    later = noon + timedelta(seconds=1)
    found = await stores.quarantine.held_before(later)

    first = len(UNDER_WAY) + 1
    assert found == [message for message in messages if message.message_id >= first]
    assert await stores.quarantine.held_before(noon) == []
    page = await stores.quarantine.held_before(later, after=first, limit=2)
    assert [message.message_id for message in page] == [first + 1, first + 2]


async def test_what_is_forgotten_stands_in_the_journal_with_its_count(
    stores: Stores, held: Builder, purge: NewPurge
) -> None:
    done = [held(message_id=n, state=HoldState.DISCARDED) for n in (1, 2)]
    await stores.quarantine.hold([*done, held(message_id=3), held(message_id=4, state=FINAL[0])])

    assert await stores.quarantine.forget([1, 2, 2, 3, 99], purge) == 2

    (noted,) = await stores.journals.purges()
    assert noted.count == 2
    assert [message.message_id for message in await stores.quarantine.find()] == [4, 3]


async def test_nothing_forgotten_is_nothing_journaled(
    stores: Stores, held: Builder, purge: NewPurge
) -> None:
    await stores.quarantine.hold([held()])

    assert await stores.quarantine.forget([1], purge) == 0

    assert await stores.journals.purges() == []


async def test_r73_the_chain_of_both_journals_holds_and_its_head_moves_with_each_row(
    stores: Stores, purge: NewPurge, noon: datetime
) -> None:
    access = NewAccess("lin", "records show", "派单 12", "var/cdr", noon)
    empty = await stores.journals.states()
    await stores.journals.note_access(access)
    first = await stores.journals.states()
    await stores.journals.note_access(access)
    await stores.journals.note_purge(purge)
    second = await stores.journals.states()

    assert empty == [JournalState("access_log", 0, ""), JournalState("purge_log", 0, "")]
    assert [(one.journal, one.rows) for one in second] == [("access_log", 2), ("purge_log", 1)]
    assert len({empty[0].head, first[0].head, second[0].head}) == 3
    # The same on every store: known rows give known digests.
    assert first[0].head == "cd881f436446b1d3f71fe7cf29975e74d1d5f401b4f7e53dcf703254825493ea"
    assert all(one.broken is None and not one.problem for one in second)
