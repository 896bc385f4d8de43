"""Staff see what goes between carriers; what events say is not shown."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.stores import Stores
from gateway.systems.linkage.envelope import EventSigner, VerifiedEvent
from gateway.systems.linkage.model import EventDraft, EventType
from tests.systems.linkage.conftest import Node, dispatched

Ask = Callable[..., Awaitable[httpx.Response]]

NOW = datetime(2025, 11, 25, 12, tzinfo=UTC)
NOTE = "督办，请尽快答复"


async def send(stores: Stores, count: int) -> None:
    signer = EventSigner("a-1", Ed25519PrivateKey.generate())
    for number in range(1, count + 1):
        draft = EventDraft(f"s{number}", EventType.SUPERVISED, f"b.{number}", "b", {"note": NOTE})
        await stores.linkage_outbox.add(draft, signer, "urn:smsward:member:a", NOW)


async def test_events_to_others_are_listed_in_pages(ask: Ask, stores: Stores) -> None:
    await send(stores, 3)

    first = (await ask("officer", "GET", "/v1/linkage/sent?limit=2")).json()
    rest = (await ask("police", "GET", f"/v1/linkage/sent?limit=2&before={first['next']}")).json()

    assert [one["case"] for one in first["events"] + rest["events"]] == ["b.3", "b.2", "b.1"]
    assert rest["next"] is None
    assert first["events"][0]["state"] == "waiting"
    assert NOTE not in str(first)


async def test_dead_letters_are_asked_for_alone(ask: Ask, stores: Stores) -> None:
    await send(stores, 2)
    entry, *_ = await stores.linkage_outbox.listed()
    await stores.linkage_outbox.bury(entry, "refused: unknown_peer")

    answer = (await ask("officer", "GET", "/v1/linkage/sent?state=dead")).json()

    assert [(one["case"], one["said"]) for one in answer["events"]] == [
        ("b.2", "refused: unknown_peer")
    ]


async def test_events_of_others_and_what_is_missing_are_listed(ask: Ask, stores: Stores) -> None:
    node = Node("a")
    for sequence in (1, 3):
        event = dispatched(id=f"e-{sequence}", sequence=sequence)
        verified = VerifiedEvent(event, node.member, f"digest {sequence}", b"{}")
        await stores.linkage_inbox.take(verified, b"{}", NOW)

    received = (await ask("officer", "GET", "/v1/linkage/received?case=case-7")).json()
    other = (await ask("officer", "GET", "/v1/linkage/received?case=case-8")).json()
    gaps = (await ask("officer", "GET", "/v1/linkage/gaps")).json()

    assert [(one["sequence"], one["is_applied"]) for one in received["events"]] == [
        (3, False),
        (1, False),
    ]
    assert other["events"] == []
    assert [(one["case"], one["first_missing"], one["highest"]) for one in gaps["gaps"]] == [
        ("case-7", 2, 3)
    ]


@pytest.mark.parametrize("path", ["sent", "received", "gaps"])
@pytest.mark.parametrize("client", ["shop", "营业厅", "app"])
async def test_no_sp_and_no_app_sees_them(ask: Ask, client: str, path: str) -> None:
    assert (await ask(client, "GET", f"/v1/linkage/{path}")).status_code == 403


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "before=0", "before=x", "state=lost"])
async def test_what_is_no_question_is_told(ask: Ask, query: str) -> None:
    assert (await ask("officer", "GET", f"/v1/linkage/sent?{query}")).status_code == 422
