"""The outbox sends each event until its recipient has signed for it, or a person must look."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.linkage import EventRefusal, Member, MemberRegistry, OutboxState, RefusalReason
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, stores_of
from gateway.systems.linkage.envelope import VerifiedEvent, open_event
from gateway.systems.linkage.model import EventDraft, EventType, OutboxEntry
from gateway.systems.linkage.service import GIVE_UP_AFTER, LinkageOutbox, retry_at
from gateway.systems.linkage.sql import KEPT, add_event
from tests.systems.linkage.conftest import DATA, NOW, Node

Nodes = dict[str, Node]
DRAFT = EventDraft("e-1", EventType.DISPATCHED, "case-7", "b", DATA)
SECOND = timedelta(seconds=1)


@pytest.fixture
def registry(nodes: Nodes) -> MemberRegistry:
    return MemberRegistry("a", tuple(one.member for one in nodes.values()))


@pytest.fixture
def outbox(stores: Stores, registry: MemberRegistry) -> LinkageOutbox:
    return LinkageOutbox(stores.linkage_outbox, registry)


@pytest.fixture
async def entry(stores: Stores, nodes: Nodes) -> OutboxEntry:
    a = nodes["a"]
    await stores.linkage_outbox.add(DRAFT, a.signer, a.member.source, NOW)
    (entry,) = await stores.linkage_outbox.listed()
    return entry


def receipt_of(entry: OutboxEntry, node: Node, registry: MemberRegistry) -> bytes:
    opened = open_event(entry.envelope.encode(), registry, NOW)
    assert isinstance(opened, VerifiedEvent)
    return node.signer.sign_receipt(opened, node.member.source, NOW)


async def test_a_peer_that_does_not_answer_holds_up_no_other(
    outbox: LinkageOutbox, stores: Stores, nodes: Nodes, registry: MemberRegistry
) -> None:
    a, store = nodes["a"], stores.linkage_outbox
    for number, recipient in enumerate(("b", "b", "b", "hub", "hub")):
        draft = replace(DRAFT, id=f"e-{number}", recipient=recipient)
        await store.add(draft, a.signer, a.member.source, NOW)
    entries = {one.envelope.encode(): one for one in await store.listed()}
    posted: list[str] = []
    is_other_told = asyncio.Event()

    async def post(peer: Member, envelope: bytes) -> bytes | None:
        posted.append(peer.name)
        if peer.name == "b":
            await is_other_told.wait()
            return None
        is_other_told.set()
        return receipt_of(entries[envelope], nodes["hub"], registry)

    assert await outbox.deliver(post, NOW, lambda: 0.5) == 2
    assert sorted(posted) == ["b", "hub", "hub"]
    assert await store.due(NOW, 10) == []
    assert len(await store.due(NOW + timedelta(minutes=1), 10)) == 3


async def test_a_store_that_fails_while_events_are_sent_is_told(
    outbox: LinkageOutbox, entry: OutboxEntry, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object) -> None:
        raise StoreUnavailable("full")

    async def post(_peer: Member, _envelope: bytes) -> None:
        return None

    monkeypatch.setattr(stores.linkage_outbox, "postpone", fail)

    with pytest.raises(StoreUnavailable):
        await outbox.deliver(post, NOW, lambda: 0.5)
    assert entry.attempts == 0


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_an_entry_of_the_journal_has_one_event_and_the_cursor_is_in_its_commit(
    stores: Stores, nodes: Nodes
) -> None:
    a, store = nodes["a"], stores.linkage_outbox

    made = [
        await store.add_of_entry(number, draft, a.signer, a.member, NOW)
        for number, draft in ((5, DRAFT), (5, DRAFT), (3, DRAFT), (9, None))
    ]

    assert made == [True, False, False, True]
    assert len(await store.listed()) == 1
    assert await stores.linkage_inbox.pulled_to("a") == 9


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_an_event_is_delivered_once_its_recipient_has_signed(
    outbox: LinkageOutbox,
    entry: OutboxEntry,
    nodes: Nodes,
    registry: MemberRegistry,
    stores: Stores,
) -> None:
    posted: list[str] = []

    async def post(peer: Member, envelope: bytes) -> bytes:
        posted.append(peer.name)
        assert envelope == entry.envelope.encode()
        return receipt_of(entry, nodes["b"], registry)

    assert await outbox.deliver(post, NOW, lambda: 0.5) == 1
    assert await outbox.deliver(post, NOW, lambda: 0.5) == 0

    assert posted == ["b"]
    (after,) = await stores.linkage_outbox.listed(OutboxState.DELIVERED)
    assert after.receipt


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_with_a_hub_everything_goes_to_it(
    stores: Stores, entry: OutboxEntry, nodes: Nodes, registry: MemberRegistry
) -> None:
    outbox = LinkageOutbox(stores.linkage_outbox, registry, nodes["hub"].member)

    async def post(peer: Member, _envelope: bytes) -> bytes:
        assert peer.name == "hub"
        return receipt_of(entry, nodes["hub"], registry)

    assert await outbox.deliver(post, NOW, lambda: 0.5) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda _entry, _nodes, _registry: None,
        lambda _entry, _nodes, _registry: b"{}",
        lambda entry, _nodes, _registry: entry.envelope.encode(),
        lambda entry, nodes, registry: receipt_of(entry, nodes["hub"], registry),
    ],
)
async def test_without_a_receipt_of_its_own_recipient_an_event_is_sent_again(
    outbox: LinkageOutbox,
    entry: OutboxEntry,
    nodes: Nodes,
    registry: MemberRegistry,
    stores: Stores,
    answer: Callable[..., bytes | None],
) -> None:
    said = answer(entry, nodes, registry)

    assert not await outbox.settle(entry, nodes["b"].member, said, NOW, 1.0)

    assert await stores.linkage_outbox.due(NOW + SECOND, 10) == []
    (again,) = await stores.linkage_outbox.due(NOW + 2 * SECOND, 10)
    assert (again.attempts, again.said) == (1, "no_answer")


@pytest.mark.parametrize("reason", RefusalReason)
async def test_a_refusal_that_will_not_change_makes_a_dead_letter(
    outbox: LinkageOutbox, entry: OutboxEntry, nodes: Nodes, stores: Stores, reason: RefusalReason
) -> None:
    passing = {"unknown_key", "key_not_yet_valid", "clock_skew", "unknown_peer", "wrong_peer"}
    passing |= {"newer_schema", "unknown_type", "too_many"}

    await outbox.settle(entry, nodes["b"].member, EventRefusal(reason), NOW, 0.5)

    (after,) = await stores.linkage_outbox.listed()
    expected = OutboxState.WAITING if reason in passing else OutboxState.DEAD
    assert (after.state, after.said) == (expected, reason)


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_after_two_weeks_without_an_answer_an_event_is_a_dead_letter_and_can_be_resent(
    outbox: LinkageOutbox, entry: OutboxEntry, nodes: Nodes, stores: Stores
) -> None:
    late, b = NOW + GIVE_UP_AFTER, nodes["b"].member
    await outbox.settle(entry, b, None, late - SECOND, 0.5)
    assert len(await stores.linkage_outbox.listed(OutboxState.WAITING)) == 1
    await outbox.settle(entry, b, None, late, 0.5)
    dead = await stores.linkage_outbox.listed(OutboxState.DEAD)

    assert await outbox.resend(dead, nodes["a"].signer, late) == 1
    assert await outbox.resend(dead, nodes["a"].signer, late) == 0

    (again,) = await stores.linkage_outbox.due(late, 10)
    assert (again.number, again.digest, again.attempts) == (entry.number, entry.digest, 0)


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_what_is_resent_is_signed_with_the_key_in_use(
    outbox: LinkageOutbox, entry: OutboxEntry, stores: Stores
) -> None:
    await stores.linkage_outbox.bury(entry, "key_revoked")
    new = Node("a")
    new.signer.kid = "a-2"

    await outbox.resend(await stores.linkage_outbox.listed(), new.signer, NOW)

    (again,) = await stores.linkage_outbox.due(NOW, 10)
    assert again.envelope != entry.envelope
    assert again.digest == entry.digest


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_an_event_for_a_member_that_is_gone_is_a_dead_letter(
    stores: Stores, entry: OutboxEntry, nodes: Nodes
) -> None:
    outbox = LinkageOutbox(stores.linkage_outbox, MemberRegistry("a", (nodes["a"].member,)))

    async def post(_peer: Member, _envelope: bytes) -> bytes:
        raise AssertionError("there is nobody to ask")

    assert await outbox.deliver(post, NOW, lambda: 0.5) == 0
    (dead,) = await stores.linkage_outbox.listed(OutboxState.DEAD)
    assert (dead.number, dead.said) == (entry.number, "wrong_recipient")


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_events_of_a_case_are_counted_for_each_recipient(
    stores: Stores, nodes: Nodes
) -> None:
    a, store = nodes["a"], stores.linkage_outbox
    drafts = [("b", "case-1"), ("b", "case-1"), ("hub", "case-1"), ("b", "case-2")]
    for at, (recipient, subject) in enumerate(drafts):
        draft = EventDraft(f"e-{at}", EventType.ACCEPTED, subject, recipient, {})
        await store.add(draft, a.signer, a.member.source, NOW)

    assert [one.sequence for one in await store.listed()][::-1] == [1, 2, 1, 1]
    assert [one.sequence for one in await store.after("b", 1, 1)] == [2]


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_an_event_is_written_with_what_it_tells_of_or_not_at_all(
    database: Database, nodes: Nodes
) -> None:
    a, stores = nodes["a"], stores_of(database)

    async def fail(connection: object) -> None:
        await add_event(connection, DRAFT, a.signer, a.member.source, NOW)  # type: ignore[arg-type]
        raise RuntimeError("what the event tells of")

    with pytest.raises(RuntimeError, match="tells of"):
        await database.writer.write(fail)
    await stores.linkage_outbox.add(DRAFT, a.signer, a.member.source, NOW)

    (entry,) = await stores.linkage_outbox.listed()
    assert entry.sequence == 1


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_what_is_over_is_forgotten_and_what_waits_is_not(
    outbox: LinkageOutbox,
    entry: OutboxEntry,
    nodes: Nodes,
    registry: MemberRegistry,
    stores: Stores,
) -> None:
    store = stores.linkage_outbox
    assert await store.forget_old(NOW + KEPT + SECOND) == 0
    receipt = receipt_of(entry, nodes["b"], registry)
    await outbox.settle(entry, nodes["b"].member, receipt, NOW, 0.5)

    assert await store.forget_old(NOW + KEPT) == 0
    assert await store.forget_old(NOW + KEPT + SECOND) == 1
    assert await store.find([entry.number]) == []


def test_retries_come_later_each_time_up_to_an_hour_and_not_together() -> None:
    waits = [retry_at(attempts, NOW, 1.0) - NOW for attempts in range(100)]

    assert waits[:3] == [2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert waits == sorted(waits)
    assert max(waits) == timedelta(hours=1)
    assert retry_at(99, NOW, 0.0) - NOW == timedelta(minutes=30)
