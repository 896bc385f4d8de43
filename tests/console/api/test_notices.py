"""The feed of notices."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.stores import Stores

Ask = Callable[..., Awaitable[httpx.Response]]

SUBSCRIBER = 8613800138000
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)


async def test_r36_an_sp_pulls_the_refusals_of_its_subscribers_and_acknowledges_them(
    ask: Ask, stores: Stores
) -> None:
    await stores.consent.record(
        [
            ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, NOON, "hall", "form 117"),
            ConsentAnswer(SUBSCRIBER, "sp2", Answer.REFUSED, NOON, "mo"),
            ConsentAnswer(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED, NOON, "web"),
            ConsentAnswer(SUBSCRIBER + 1, EVERY_SENDER, Answer.REFUSED, NOON, "web"),
        ]
    )

    first = await ask("shop", "GET", "/v1/notices")
    again = await ask("shop", "GET", "/v1/notices")
    batch = first.json()["batch"]
    heard = await ask("shop", "POST", f"/v1/notices/{batch}/ack")
    repeated = await ask("shop", "POST", f"/v1/notices/{batch}/ack")
    after = await ask("shop", "GET", "/v1/notices")

    assert first.json() == again.json()
    assert [
        (one["number"], one["answer"], one["channel"], one["all_senders"])
        for one in first.json()["notices"]
    ] == [
        (str(SUBSCRIBER), "refused", "web", True),
        (str(SUBSCRIBER), "refused", "hall", False),
    ]
    assert (heard.json(), repeated.json()) == ({"batch": batch}, {"batch": batch})
    assert after.json() == {"batch": None, "notices": [], "is_last": True}


async def test_r73_the_feed_tells_no_stranger_who_refused_every_sp(
    ask: Ask, stores: Stores
) -> None:
    await stores.consent.record(
        [ConsentAnswer(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED, NOON, "web")]
    )

    answer = await ask("shop", "GET", "/v1/notices")

    assert answer.json() == {"batch": None, "notices": [], "is_last": True}
    assert str(SUBSCRIBER) not in answer.text


async def test_a_batch_is_as_short_as_it_is_asked_for(ask: Ask, stores: Stores) -> None:
    await stores.consent.record(
        [ConsentAnswer(SUBSCRIBER + one, "sp1", Answer.REFUSED, NOON, "mo") for one in range(3)]
    )

    answer = await ask("shop", "GET", "/v1/notices", params={"limit": 2})

    assert (len(answer.json()["notices"]), answer.json()["is_last"]) == (2, False)


@pytest.mark.parametrize(
    ("batch", "status"), [("1", 404), ("0", 422), (str(2**63), 422), ("x", 422), ("9" * 5000, 422)]
)
async def test_a_batch_that_was_never_given_cannot_be_acknowledged(
    ask: Ask, batch: str, status: int
) -> None:
    answer = await ask("shop", "POST", f"/v1/notices/{batch}/ack")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("client", ["营业厅", "app", "police"])
async def test_only_sps_have_a_feed(ask: Ask, client: str) -> None:
    pulled = await ask(client, "GET", "/v1/notices")
    heard = await ask(client, "POST", "/v1/notices/1/ack")

    assert (pulled.status_code, heard.status_code) == (403, 403)
