"""The inbox takes each event once, from who made it, and says by name what it refuses."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.domain.linkage import (
    MAX_SKEW,
    EventRefusal,
    Member,
    MemberKey,
    MemberRegistry,
    MemberRole,
    RefusalReason,
)
from gateway.stores import Stores
from gateway.systems.linkage import service as linkage_service
from gateway.systems.linkage import sql as linkage_sql
from gateway.systems.linkage.envelope import VerifiedEvent, open_event, open_receipt
from gateway.systems.linkage.model import EventGap, EventType
from gateway.systems.linkage.service import LinkageInbox
from gateway.systems.linkage.sql import KEPT
from tests.systems.linkage.conftest import DATA, NOW, Node, dispatched
from tests.systems.linkage.test_envelope import changed

Nodes = dict[str, Node]
SECOND = timedelta(seconds=1)


@pytest.fixture
def inbox(stores: Stores, registry: MemberRegistry, nodes: Nodes) -> LinkageInbox:
    return LinkageInbox(stores.linkage_inbox, registry, nodes["b"].signer)


async def taken(
    inbox: LinkageInbox, envelope: bytes, peer: Member | None, sent_at: datetime = NOW
) -> bytes | RefusalReason:
    answer = await inbox.take(envelope, peer, sent_at, NOW)
    return answer.reason if isinstance(answer, EventRefusal) else answer


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_an_event_is_on_record_once_and_its_receipt_stays_the_same(
    inbox: LinkageInbox, nodes: Nodes, registry: MemberRegistry, stores: Stores
) -> None:
    a = nodes["a"]
    envelope = a.signer.sign_event(dispatched())

    receipt = await inbox.take(envelope, a.member, NOW, NOW)
    again = await inbox.take(envelope, a.member, NOW + SECOND, NOW + SECOND)

    assert isinstance(receipt, bytes)
    assert receipt == again
    assert not isinstance(open_receipt(receipt, registry, NOW), EventRefusal)
    (entry,) = await stores.linkage_inbox.listed()
    assert entry.envelope.encode() == envelope
    assert (entry.subject, entry.sequence, entry.conflicts) == ("case-7", 1, 0)


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_a_replay_with_another_body_is_a_conflict_and_an_alarm(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    a = nodes["a"]
    await taken(inbox, a.signer.sign_event(dispatched()), a.member)
    other = a.signer.sign_event(dispatched(data=DATA | {"complaints": 4}))

    with capture_logs() as logged:
        answer = await taken(inbox, other, a.member)

    assert answer is RefusalReason.CONFLICT
    assert [one["event"] for one in logged] == ["linkage.conflict"]
    (entry,) = await stores.linkage_inbox.listed()
    assert entry.conflicts == 1


async def test_another_event_in_the_same_place_of_a_case_is_a_conflict(
    inbox: LinkageInbox, nodes: Nodes
) -> None:
    a = nodes["a"]
    await taken(inbox, a.signer.sign_event(dispatched()), a.member)

    other = a.signer.sign_event(dispatched(id="e-2"))

    assert await taken(inbox, other, a.member) is RefusalReason.CONFLICT


async def test_two_deliveries_at_once_have_one_receipt(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    a = nodes["a"]
    envelope = a.signer.sign_event(dispatched())

    answers = await asyncio.gather(
        *(inbox.take(envelope, a.member, NOW, NOW + SECOND * at) for at in range(5))
    )

    assert len(set(answers)) == 1
    assert len(await stores.linkage_inbox.listed()) == 1


async def test_an_event_of_a_over_the_certificate_of_c_is_refused(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched())

    assert await taken(inbox, envelope, nodes["b"].member) is RefusalReason.WRONG_PEER
    assert await taken(inbox, envelope, None) is RefusalReason.UNKNOWN_PEER
    assert await stores.linkage_inbox.listed() == []


async def test_a_hub_brings_events_of_others(inbox: LinkageInbox, nodes: Nodes) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched())

    assert isinstance(await taken(inbox, envelope, nodes["hub"].member), bytes)


async def test_what_is_for_another_is_refused(inbox: LinkageInbox, nodes: Nodes) -> None:
    a = nodes["a"]
    envelope = a.signer.sign_event(dispatched(recipient="a"))

    assert await taken(inbox, envelope, a.member) is RefusalReason.WRONG_RECIPIENT


@pytest.mark.parametrize("off", [MAX_SKEW, -MAX_SKEW])
async def test_a_peer_whose_clock_is_off_by_15_minutes_is_refused(
    inbox: LinkageInbox, nodes: Nodes, off: timedelta
) -> None:
    a = nodes["a"]
    envelope = a.signer.sign_event(dispatched())
    bearable = off * 0.99

    assert await taken(inbox, envelope, a.member, NOW + off) is RefusalReason.CLOCK_SKEW
    assert isinstance(await taken(inbox, envelope, a.member, NOW + bearable), bytes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"not_after": NOW - SECOND}, RefusalReason.KEY_EXPIRED),
        ({"not_before": NOW + SECOND}, RefusalReason.KEY_NOT_YET_VALID),
        ({"revoked": NOW}, RefusalReason.KEY_REVOKED),
    ],
)
async def test_an_expired_or_revoked_key_is_refused(
    stores: Stores, nodes: Nodes, change: dict[str, datetime], reason: RefusalReason
) -> None:
    a, b = nodes["a"], nodes["b"]
    key: MemberKey = replace(a.key, **change)  # type: ignore[arg-type]
    registry = MemberRegistry("b", (replace(a.member, keys=(key,)), b.member))
    inbox = LinkageInbox(stores.linkage_inbox, registry, b.signer)

    assert await taken(inbox, a.signer.sign_event(dispatched()), a.member) is reason
    assert await stores.linkage_inbox.listed() == []


async def test_strangers_wrong_signatures_unknown_types_and_newer_schemas_are_refused(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    a = nodes["a"].member
    refused = {
        Node("stranger").signer.sign_event(dispatched()): RefusalReason.UNKNOWN_KEY,
        changed(nodes["b"]): RefusalReason.WRONG_SIGNATURE,
        changed(nodes["a"], type="smsward.case.sung"): RefusalReason.UNKNOWN_TYPE,
        changed(
            nodes["a"], dataschema="urn:smsward:schema:linkage-event:2"
        ): RefusalReason.NEWER_SCHEMA,
        b"{": RefusalReason.MALFORMED,
    }

    answers = [await taken(inbox, envelope, a) for envelope in refused]

    assert answers == list(refused.values())
    assert await stores.linkage_inbox.listed() == []


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_gaps_are_found_and_what_lies_behind_them_waits(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    a, store = nodes["a"], stores.linkage_inbox
    events = {
        number: a.signer.sign_event(dispatched(id=f"e-{number}", sequence=number))
        for number in (1, 2, 3, 4)
    }

    for number in (4, 2):
        await taken(inbox, events[number], a.member)
    gaps, ready = await store.gaps(10), await store.ready("b", 10)
    await taken(inbox, events[1], a.member)
    between = [one.sequence for one in await store.ready("b", 10)]
    await taken(inbox, events[3], a.member)

    assert gaps == [EventGap(a.member.source, "b", "case-7", 1, 4)]
    assert ready == []
    assert between == [1, 2]
    assert await store.gaps(10) == []
    assert [one.sequence for one in await store.ready("b", 10)] == [1, 2, 3, 4]


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_what_was_applied_is_not_ready_again_and_is_forgotten_in_time(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    a, store = nodes["a"], stores.linkage_inbox
    for number in (1, 2):
        event = dispatched(id=f"e-{number}", sequence=number)
        await taken(inbox, a.signer.sign_event(event), a.member)
    first, second = await store.ready("b", 10)

    await store.mark_applied([first.number])

    assert await store.ready("b", 10) == [second]
    assert await store.forget_old(NOW + KEPT) == 0
    assert await store.forget_old(NOW + KEPT + SECOND) == 1
    assert await store.listed() == [second]
    again = first.envelope.encode()
    assert await taken(inbox, again, a.member) is RefusalReason.CONFLICT


async def test_many_events_that_came_before_their_turn_are_ready_at_once(
    stores: Stores, nodes: Nodes, registry: MemberRegistry
) -> None:
    a, last = nodes["a"], 1_003
    for number in range(last, 0, -1):
        event = dispatched(
            id=f"e-{number}", sequence=number, type=EventType.ACCEPTED, data={"n": number}
        )
        opened = open_event(a.signer.sign_event(event), registry, NOW)
        assert isinstance(opened, VerifiedEvent)
        await stores.linkage_inbox.take(opened, b"{}", NOW)

    assert len(await stores.linkage_inbox.ready("b", 2_000)) == last
    assert await stores.linkage_inbox.gaps(10) == []


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_a_hub_forwards_the_same_octets(stores: Stores, nodes: Nodes) -> None:
    members = tuple(one.member for one in nodes.values())
    inbox = LinkageInbox(stores.linkage_inbox, MemberRegistry("hub", members), nodes["hub"].signer)
    a = nodes["a"]
    envelope = changed(a, later={"unknown": "field"})

    answers = [await taken(inbox, envelope, a.member) for _ in range(2)]

    assert answers[0] == answers[1]
    (entry,) = await stores.linkage_outbox.after("b", 0, 10)
    assert entry.envelope.encode() == envelope
    assert entry.source == a.member.source


async def test_only_a_hub_forwards_and_only_to_members(stores: Stores, nodes: Nodes) -> None:
    hub = nodes["hub"]
    assert hub.member.role is MemberRole.HUB
    inbox = LinkageInbox(
        stores.linkage_inbox, MemberRegistry("hub", (hub.member, nodes["a"].member)), hub.signer
    )
    envelope = nodes["a"].signer.sign_event(dispatched())

    assert await taken(inbox, envelope, nodes["a"].member) is RefusalReason.WRONG_RECIPIENT


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_a_node_that_was_down_for_a_week_catches_up_by_pulling(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    a, late = nodes["a"], NOW + timedelta(days=7)
    there = [
        (number, a.signer.sign_event(dispatched(id=f"e-{number}", sequence=number)))
        for number in range(1, 6)
    ]
    asked: list[int] = []

    async def fetch(_peer: Member, after: int) -> Sequence[tuple[int, bytes]]:
        asked.append(after)
        return [one for one in there if one[0] > after][:2]

    assert await inbox.pull(a.member, fetch, late) == 5
    assert await inbox.pull(a.member, fetch, late) == 0

    assert asked == [0, 2, 4, 5, 5]
    assert len(await stores.linkage_inbox.ready("b", 10)) == 5


async def test_a_pull_stops_before_what_may_be_taken_later_and_passes_what_never_is(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores
) -> None:
    a = nodes["a"]
    there = [
        (1, b"{"),
        (2, a.signer.sign_event(dispatched())),
        (3, changed(a, id="e-2", type="smsward.case.sung")),
        (4, a.signer.sign_event(dispatched(id="e-3", sequence=2))),
    ]

    async def fetch(_peer: Member, after: int) -> Sequence[tuple[int, bytes]]:
        return [one for one in there if one[0] > after]

    assert await inbox.pull(a.member, fetch, NOW) == 2
    assert await stores.linkage_inbox.pulled_to("a") == 2
    assert [one.id for one in await stores.linkage_inbox.listed()] == ["e-1"]


async def test_a_member_does_not_fill_the_store_and_is_taken_up_again_later(
    inbox: LinkageInbox, nodes: Nodes, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkage_sql, "MOST_UNAPPLIED", 1)
    a = nodes["a"]
    await taken(inbox, a.signer.sign_event(dispatched()), a.member)
    more = a.signer.sign_event(dispatched(id="e-2", sequence=2))

    assert await taken(inbox, more, a.member) is RefusalReason.TOO_MANY
    (entry,) = await stores.linkage_inbox.listed()
    await stores.linkage_inbox.mark_applied([entry.number])

    assert isinstance(await taken(inbox, more, a.member), bytes)


async def test_a_member_that_says_too_much_in_an_hour_waits_for_the_next(
    inbox: LinkageInbox, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkage_service, "MOST_PER_HOUR", 1)
    a, later = nodes["a"], NOW + timedelta(hours=1)
    await taken(inbox, a.signer.sign_event(dispatched()), a.member)
    more = a.signer.sign_event(dispatched(id="e-2", sequence=2))

    assert await taken(inbox, more, a.member) is RefusalReason.TOO_MANY
    assert isinstance(await inbox.take(more, a.member, later, later), bytes)


@pytest.mark.every_store
@pytest.mark.postgresql
async def test_a_member_with_many_events_delays_no_other(
    nodes: Nodes, registry: MemberRegistry, stores: Stores
) -> None:
    inbox = LinkageInbox(stores.linkage_inbox, registry, nodes["b"].signer)
    for name, count in (("a", 5), ("hub", 2)):
        node = nodes[name]
        for number in range(count):
            event = dispatched(
                id=f"e-{number}",
                source=node.member.source,
                subject=f"{name}.{number // 2}",
                sequence=1 + number % 2,
            )
            await taken(inbox, node.signer.sign_event(event), node.member)

    found = await stores.linkage_inbox.ready("b", 5)

    assert [(one.subject, one.sequence) for one in found] == [
        ("a.0", 1),
        ("hub.0", 1),
        ("a.0", 2),
        ("hub.0", 2),
        ("a.1", 1),
    ]


async def test_a_peer_whose_outbox_never_ends_leaves_others_their_turn(
    inbox: LinkageInbox, nodes: Nodes
) -> None:
    asked: list[int] = []

    async def endless(_peer: Member, after: int) -> list[tuple[int, bytes]]:
        asked.append(after)
        return [(after + 1, b"junk")]

    await inbox.pull(nodes["a"].member, endless, NOW)

    assert asked == list(range(len(asked)))
    assert len(asked) < 100
