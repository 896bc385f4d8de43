"""Programs review held messages: lists in pages, one in whole, and decisions on what was read."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from tests.console.api.conftest import Ask, Desk
from tests.console.browsing import CAMPAIGN, FIRST, held_with

Hold = Callable[..., Awaitable[HeldMessage]]
WHY = {"reason": "已致电 13900139000 核实"}


@pytest.fixture
def hold(stores: Stores) -> Hold:
    """Return what puts a message into quarantine; give what should be otherwise."""

    async def hold(text: str = "黑户贷款，当天放款", **changes: object) -> HeldMessage:
        held = held_with(text, **changes)
        await stores.quarantine.hold([held])
        return held

    return hold


async def read(ask: Ask, number: int = FIRST) -> dict[str, str]:
    """Return the header that names what a reviewer has read."""
    answer = await ask("reviewer", "GET", f"/v1/quarantine/{number}")
    return {"If-Match": answer.headers["ETag"]}


async def test_a_list_comes_in_pages_that_what_comes_in_does_not_move(ask: Ask, hold: Hold) -> None:
    for number in range(3):
        await hold(message_id=FIRST + number)
    first = (await ask("reviewer", "GET", "/v1/quarantine?limit=2")).json()
    await hold(message_id=FIRST + 3)
    path = f"/v1/quarantine?limit=2&cursor={first['next']}"
    rest = (await ask("reviewer", "GET", path)).json()

    ids = [one["id"] for one in first["messages"] + rest["messages"]]
    assert ids == [str(FIRST + number) for number in (2, 1, 0)]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["state=held", "system_id=shop", f"campaign={CAMPAIGN}"])
async def test_a_list_is_narrowed(ask: Ask, hold: Hold, query: str) -> None:
    await hold(campaign=CAMPAIGN)
    await hold(
        message_id=FIRST + 1, system_id="sp2", state=HoldState.DISCARDED, campaign="c" + "0" * 16
    )

    found = (await ask("reviewer", "GET", f"/v1/quarantine?{query}")).json()["messages"]

    assert [one["id"] for one in found] == [str(FIRST)]


@pytest.mark.parametrize(
    "query",
    ["cursor=abc", "cursor=%2e%2e", "campaign=c%25", "state=%25", "limit=0", "system_id=%00"],
)
async def test_a_list_takes_nothing_else(ask: Ask, query: str) -> None:
    assert (await ask("reviewer", "GET", f"/v1/quarantine?{query}")).status_code == 422


@pytest.mark.parametrize("wild", ["%25", "_", "sp%25", "*", "' OR '1'='1"])
async def test_wildcards_of_sql_find_nothing(ask: Ask, hold: Hold, wild: str) -> None:
    await hold()

    by_sender = await ask("reviewer", "GET", f"/v1/quarantine?system_id={wild}")
    by_category = await ask("reviewer", "GET", f"/v1/quarantine?category={wild}")

    assert by_sender.json()["messages"] == by_category.json()["messages"] == []


async def test_a_look_is_journaled_and_shows_numbers_masked(
    ask: Ask, hold: Hold, desk: Desk
) -> None:
    await hold("加微信 13900139001", source="13900139000", evidence="13900139002")

    answer = await ask("auditor", "GET", f"/v1/quarantine/{FIRST}")

    assert "加微信" in answer.json()["texts"][0]
    assert answer.json()["destination"] == "138****8000"
    assert "1390013900" not in answer.text
    look, *_ = await desk.stores.journals.accesses()
    assert (look.by, look.about) == ("api: auditor", f"message {FIRST}")


@pytest.mark.parametrize(
    ("act", "state"),
    [("release", HoldState.RELEASE_REQUESTED), ("discard", HoldState.DISCARDED)],
)
async def test_a_decision_is_on_what_was_read(
    ask: Ask, hold: Hold, desk: Desk, act: str, state: HoldState
) -> None:
    await hold()
    seen, path = await read(ask), f"/v1/quarantine/{FIRST}/{act}"

    without = await ask("reviewer", "POST", path, json=WHY)
    other = await ask("reviewer", "POST", path, json=WHY, headers={"If-Match": '"0"'})
    done = await ask("reviewer", "POST", path, json=WHY, headers=seen)
    late = await ask("reviewer", "POST", path, json=WHY, headers=seen)
    again = await ask("reviewer", "POST", path, json=WHY, headers={"If-Match": "*"})

    answers = (without, other, done, late, again)
    assert [one.status_code for one in answers] == [428, 412, 200, 412, 409]
    (message,) = done.json()["messages"]
    assert (message["id"], message["state"]) == (str(FIRST), state)
    assert "api: reviewer" in message["decision"]
    assert "13900139000" not in done.text
    held = await desk.stores.quarantine.get(FIRST)
    assert held is not None
    assert held.state is state


async def test_an_act_with_a_key_is_done_once_and_told_again(ask: Ask, hold: Hold) -> None:
    await hold()
    headers = await read(ask) | {"Idempotency-Key": "release-1"}
    path = f"/v1/quarantine/{FIRST}/release"

    first = await ask("reviewer", "POST", path, json=WHY, headers=headers)
    again = await ask("reviewer", "POST", path, json=WHY, headers=headers)
    other = await ask("reviewer", "POST", path, json={"reason": "其他"}, headers=headers)
    another = await ask("admin", "POST", path, json=WHY, headers=headers)

    assert [one.status_code for one in (first, again, other, another)] == [200, 200, 422, 412]
    assert again.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.json()["type"] == "urn:smsward:problem:key-reused"


async def test_counts_are_of_all_or_of_one_sp(ask: Ask, hold: Hold) -> None:
    await hold()
    await hold(message_id=FIRST + 1, system_id="sp2")

    every = (await ask("reviewer", "GET", "/v1/quarantine/counts")).json()["counts"]
    own = (await ask("reviewer", "GET", "/v1/quarantine/counts?system_id=sp2")).json()["counts"]

    assert (every["held"], own["held"], own["released"]) == (2, 1, 0)


@pytest.mark.parametrize("number", ["1", str(FIRST + 9), "..", "%2e%2e", "8" * 40])
async def test_what_there_is_not_is_a_404_or_a_422(ask: Ask, number: str) -> None:
    answer: httpx.Response = await ask("reviewer", "GET", f"/v1/quarantine/{number}")

    assert answer.status_code in {404, 422}
