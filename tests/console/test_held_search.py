"""Held messages are found by the same on the page and over /v1, on every store."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlencode

import httpx
import pytest

from gateway.domain.quarantine import HoldState
from gateway.systems.quarantine.decisions import ReviewDesk
from gateway.systems.quarantine.model import NewReview, PersonDecision
from tests.console.api.conftest import Desk
from tests.console.browsing import CAMPAIGN, FIRST, Site, held_with, post, sign_in
from tests.systems.users.people import NOON

OTHER_NUMBER, OTHER_CAMPAIGN = "13900139000", "c" + "0" * 16
DAY = int(timedelta(days=1).total_seconds() * 1000) * 100_000  # of an id
Find = Callable[[dict[str, object]], Awaitable[list[str]]]

# What both are asked for, by the names of /v1, and which of the messages below that finds.
SEARCHES: list[tuple[dict[str, object], list[int]]] = [
    ({}, [7, 6, 5, 4, 3, 2, 1, 0]),
    ({"state": "held"}, [7, 5, 4, 3, 2, 1]),
    ({"state": "discarded"}, [6]),
    ({"state": "deferred"}, [8]),
    ({"system_id": "bank"}, [1]),
    ({"source": "10690077"}, [2]),
    ({"source": OTHER_NUMBER}, []),
    ({"rule": "K-FRAUD"}, [3]),
    ({"category": "fraud"}, [3]),
    ({"campaign": OTHER_CAMPAIGN}, [4]),
    ({"is_escalated": True}, [5]),
    ({"since": "2025-11-26"}, [7]),
    ({"until": "2025-11-25"}, [6, 5, 4, 3, 2, 1, 0]),
    ({"since": "2025-11-25", "until": "2025-11-25", "rule": "K-FRAUD"}, [3]),
    ({"number": OTHER_NUMBER}, [2, 1]),
    ({"number": "+86" + OTHER_NUMBER}, [2, 1]),
    ({"number": "13700137000"}, []),
    ({"message_id": str(FIRST + 8)}, [8]),
    ({"system_id": "%"}, []),
    ({"rule": "_-LOAN"}, []),
]


@pytest.fixture
async def ids(site: Site) -> dict[str, int]:
    """Hold messages that differ in one thing each; return the place of each id."""
    changes: list[dict[str, object]] = [
        {},  # a decision waits on it
        {"system_id": "bank", "destination": OTHER_NUMBER},
        {"source": "10690077", "destination": "86" + OTHER_NUMBER},
        {"rule": "K-FRAUD", "category": "fraud_prize"},
        {"campaign": OTHER_CAMPAIGN},
        {},  # escalated
        {"state": HoldState.DISCARDED},
        {"message_id": FIRST + DAY},
        {"state": HoldState.DEFERRED, "due_at": NOON + timedelta(hours=8)},
    ]
    usual = {"expires_at": NOON + timedelta(days=3), "campaign": CAMPAIGN}
    messages = [
        held_with("黑户贷款，当天放款", **{**usual, "message_id": FIRST + place, **one})
        for place, one in enumerate(changes)
    ]
    await site.stores.quarantine.hold(messages)
    desk = ReviewDesk(site.stores.reviews, str)
    await desk.decide(NewReview(FIRST, PersonDecision.RELEASED, "user: mei"), NOON)
    await desk.escalate(FIRST + 5, "user: mei", "疑似新话术", NOON)
    return {str(message.message_id): place for place, message in enumerate(messages)}


def on_page(browser: httpx.AsyncClient) -> Find:
    async def find(wanted: dict[str, object]) -> list[str]:
        searched = wanted.get("number") or wanted.get("message_id")
        if searched:
            led = await post(browser, "/quarantine/number", {"number": str(searched)})
            path = led.headers["location"]
            if "message_id" in wanted:
                return re.findall(r"8\d{18}", path)
        else:
            fields = {"state": "any", **wanted}
            if fields.pop("is_escalated", False):
                fields["escalated"] = "yes"
            path = f"/quarantine/messages?{urlencode(fields)}"
        assert not re.search(r"1[3-9]\d{9}(?!\d)", path) or "source" in wanted
        page = (await browser.get(path)).text
        return re.findall(r'list-group-item-action" href="/quarantine/(8\d{18})', page)

    return find


def by_api(desk: Desk) -> Find:
    async def find(wanted: dict[str, object]) -> list[str]:
        found: list[str] = []
        more: dict[str, object] = {} if "message_id" in wanted else {"limit": 2}
        while True:
            body = {**wanted, **more}
            answer = await desk.ask("reviewer", "POST", "/v1/quarantine/search", json=body)
            assert answer.status_code == 200, answer.text
            found += [one["id"] for one in answer.json()["messages"]]
            more["cursor"] = answer.json()["next"]
            if more["cursor"] is None:
                return found

    return find


@pytest.mark.every_store
async def test_page_and_api_find_the_same_held_messages(
    browser: httpx.AsyncClient, site: Site, ids: dict[str, int]
) -> None:
    await sign_in(browser, site)
    for find in (on_page(browser), by_api(Desk(site.stores))):
        for wanted, expected in SEARCHES:
            assert [ids[one] for one in await find(wanted)] == expected, wanted


async def test_r73_a_search_for_a_number_is_journaled_and_answers_show_it_masked(
    site: Site, ids: dict[str, int]
) -> None:
    desk = Desk(site.stores)
    wanted = {"number": OTHER_NUMBER}

    answer = await desk.ask("auditor", "POST", "/v1/quarantine/search", json=wanted)

    assert len(answer.json()["messages"]) == 2 < len(ids)
    assert OTHER_NUMBER not in answer.text
    look, *_ = await site.stores.journals.accesses()
    assert (look.by, look.action) == ("api: auditor", "quarantine number")


@pytest.mark.parametrize(
    "wanted",
    [
        {"number": "12"},
        {"number": 13800138000},
        {"message_id": str(FIRST), "state": "held"},
        {"message_id": "1"},
        {"since": "1999-12-31"},
        {"until": "9999-12-31"},
        {"state": "%"},
        {"campaign": "c%"},
        {"cursor": "abc"},
        {"limit": 0},
        {"to": "x"},
    ],
)
async def test_a_search_takes_nothing_else(site: Site, wanted: dict[str, object]) -> None:
    answer = await Desk(site.stores).ask("reviewer", "POST", "/v1/quarantine/search", json=wanted)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
