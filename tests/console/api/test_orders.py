"""Orders over the API: asked for, never active without the subscriber (R24)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.subscriptions import order_requests

Ask = Callable[..., Awaitable[httpx.Response]]

NUMBER, SUBSCRIBER, PORT = "13800138000", 8613800138000, "10690001"
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
ORDER = {"number": NUMBER, "service": "weather", "channel": "web", "shown": "天气 5元/月 订购"}


async def test_r24_an_order_by_api_waits_and_has_the_subscriber_asked(
    ask: Ask, stores: Stores
) -> None:
    answer = await ask("shop", "POST", "/v1/orders", json=ORDER)

    assert answer.status_code == 202
    assert answer.json() == {
        "number": "138****8000",
        "service": "weather",
        "state": "pending",
        "is_running": False,
        "may_be_charged": False,
        "since": "2025-11-25T12:00:00Z",
        "asked_until": None,
        "asks_at": "2025-11-25T12:00:00Z",
        "price_fen": 500,
        "cycle": "month",
    }
    (outbound,) = await stores.outbound_messages.take_waiting(
        NOON, NOON + timedelta(minutes=1), [PORT], 9
    )
    assert outbound.msisdn == SUBSCRIBER
    assert "5元/月" in outbound.text


async def test_r40_an_order_at_night_is_told_that_the_subscriber_is_asked_in_the_morning(
    ask: Ask, at: Callable[[datetime], None]
) -> None:
    at(NOON + timedelta(hours=7))  # 03:00 in Beijing

    answer = await ask("shop", "POST", "/v1/orders", json=ORDER)

    assert answer.json()["asks_at"] == "2025-11-26T00:00:00Z"


async def test_r24_an_order_that_waits_is_told_as_a_conflict(ask: Ask) -> None:
    await ask("shop", "POST", "/v1/orders", json=ORDER)

    again = await ask("shop", "POST", "/v1/orders", json=ORDER)

    assert again.status_code == 409
    assert again.json()["detail"].startswith("waiting: ")


async def test_r37_an_order_for_a_subscriber_who_refused_is_told_as_a_conflict(
    ask: Ask, stores: Stores
) -> None:
    refusal = ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, NOON, "mo")
    await stores.consent.record([refusal])

    answer = await ask("shop", "POST", "/v1/orders", json=ORDER)

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("refused: ")
    assert NUMBER not in answer.text


async def test_r73_of_a_stranger_who_refused_every_sp_an_order_tells_no_reason(
    ask: Ask, stores: Stores
) -> None:
    refusal = ConsentAnswer(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED, NOON, "mo")
    await stores.consent.record([refusal])

    answer = await ask("shop", "POST", "/v1/orders", json=ORDER)

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("declined: this subscriber is not asked")
    assert "refused" not in answer.text


@pytest.mark.parametrize(
    ("client", "changes", "pointer"),
    [
        ("other", {}, "/service"),  # the service is another SP's
        ("shop", {"service": "jokes"}, "/service"),
        ("shop", {"number": "01062345678"}, "/number"),
        ("shop", {"number": "95588000"}, "/number"),
        ("shop", {"channel": ""}, "/channel"),
        ("shop", {"channel": "w" * 17}, "/channel"),
    ],
)
async def test_an_order_of_what_there_is_not_is_told_where(
    ask: Ask, stores: Stores, client: str, changes: dict[str, str], pointer: str
) -> None:
    answer = await ask(client, "POST", "/v1/orders", json={**ORDER, **changes})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["faults"]] == [pointer]
    assert await stores.outbound_messages.waiting_ports() == set()


async def test_an_sp_whose_requests_nobody_answers_is_told_to_wait(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_requests, "MAX_UNANSWERED", 1)
    await ask("shop", "POST", "/v1/orders", json=ORDER)

    answer = await ask("shop", "POST", "/v1/orders", json={**ORDER, "number": "13800138001"})

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "3600"


@pytest.mark.parametrize("client", ["营业厅", "app", "police"])
async def test_only_sps_bring_orders(ask: Ask, client: str) -> None:
    assert (await ask(client, "POST", "/v1/orders", json=ORDER)).status_code == 403
    assert (await ask(client, "POST", "/v1/orders/query", json={})).status_code in {403, 422}


async def test_an_sp_sees_its_own_orders_alone(ask: Ask) -> None:
    await ask("shop", "POST", "/v1/orders", json=ORDER)
    wanted = {"number": NUMBER}

    own = await ask("shop", "POST", "/v1/orders/query", json=wanted)
    named = await ask("shop", "POST", "/v1/orders/query", json={**wanted, "service": "jokes"})
    other = await ask("other", "POST", "/v1/orders/query", json=wanted)

    assert [one["state"] for one in own.json()["orders"]] == ["pending"]
    assert named.json() == other.json() == {"orders": []}


async def test_an_order_while_the_store_is_away_is_told_to_try_again(
    ask: Ask, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object) -> bool:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(stores.subscriptions, "keep", fail)

    assert (await ask("shop", "POST", "/v1/orders", json=ORDER)).status_code == 503
