"""Programs review held messages: lists in pages, one in whole, and decisions on what was read."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.systems.quarantine.model import Replacement
from gateway.systems.quarantine.sql import TEXT_REPLACED
from tests.console.api.conftest import NOON, Ask, Desk
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
async def test_a_decision_is_on_what_was_read_and_waits_ten_seconds(
    ask: Ask, hold: Hold, desk: Desk, act: str, state: HoldState
) -> None:
    await hold()
    seen, path = await read(ask), f"/v1/quarantine/{FIRST}/{act}"

    without = await ask("reviewer", "POST", path, json=WHY)
    other = await ask("reviewer", "POST", path, json=WHY, headers={"If-Match": '"0"'})
    done = await ask("reviewer", "POST", path, json=WHY, headers=seen)
    again = await ask("admin", "POST", path, json=WHY, headers={"If-Match": "*"})

    assert [one.status_code for one in (without, other, done, again)] == [428, 412, 200, 409]
    decision = done.json()
    assert (decision["message_id"], decision["state"]) == (str(FIRST), "waiting")
    assert decision["by"] == "api: reviewer"
    assert "13900139000" not in done.text
    assert await desk.stores.reviews.take_up(NOON + timedelta(seconds=9)) == []
    await desk.stores.reviews.take_up(NOON + timedelta(seconds=10))
    held = await desk.stores.quarantine.get(FIRST)
    assert held is not None
    assert held.state is state
    late = await ask("reviewer", "POST", path, json=WHY, headers=seen)
    assert late.status_code == 412


async def test_a_decision_is_undone_by_who_decided_or_who_may_decide_on_campaigns(
    ask: Ask, hold: Hold, desk: Desk
) -> None:
    await hold()
    seen, path = await read(ask), f"/v1/quarantine/{FIRST}/release"
    first = (await ask("reviewer", "POST", path, json=WHY, headers=seen)).json()["number"]
    undone = await ask("reviewer", "POST", f"/v1/decisions/{first}/undo")
    again = await ask("reviewer", "POST", f"/v1/decisions/{first}/undo")
    second = (await ask("admin", "POST", path, json=WHY, headers=seen)).json()["number"]
    of_another = await ask("reviewer", "POST", f"/v1/decisions/{second}/undo")
    senior = await ask("senior_reviewer", "POST", f"/v1/decisions/{second}/undo")
    missing = await ask("reviewer", "POST", "/v1/decisions/99/undo")
    own = (await ask("reviewer", "GET", "/v1/decisions")).json()["decisions"]

    answers = (undone, again, of_another, senior, missing)
    assert [one.status_code for one in answers] == [200, 409, 409, 200, 404]
    assert undone.json()["state"] == senior.json()["state"] == "undone"
    assert [one["number"] for one in own] == [first]
    assert await desk.stores.reviews.take_up(NOON + timedelta(hours=1)) == []


async def test_an_act_with_a_key_is_done_once_and_told_again(ask: Ask, hold: Hold) -> None:
    await hold()
    headers = await read(ask) | {"Idempotency-Key": "release-1"}
    path = f"/v1/quarantine/{FIRST}/release"

    first = await ask("reviewer", "POST", path, json=WHY, headers=headers)
    again = await ask("reviewer", "POST", path, json=WHY, headers=headers)
    other = await ask("reviewer", "POST", path, json={"reason": "其他"}, headers=headers)
    another = await ask("admin", "POST", path, json=WHY, headers=headers)

    assert [one.status_code for one in (first, again, other, another)] == [200, 200, 422, 409]
    assert again.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.json()["type"] == "urn:smsward:problem:key-reused"


async def test_a_message_is_put_before_senior_reviewers(ask: Ask, hold: Hold) -> None:
    await hold()
    path = f"/v1/quarantine/{FIRST}/escalate"

    made = await ask("reviewer", "POST", path, json={"note": "疑似新话术，请复核"})
    missing = await ask(
        "reviewer", "POST", f"/v1/quarantine/{FIRST + 9}/escalate", json={"note": "x"}
    )

    assert (made.status_code, missing.status_code) == (200, 404)
    assert (made.json()["message_id"], made.json()["is_open"]) == (str(FIRST), True)


async def test_a_whole_campaign_is_decided_on_with_the_number_that_was_read(
    ask: Ask, hold: Hold, desk: Desk
) -> None:
    for number in range(3):
        await hold(message_id=FIRST + number, campaign=CAMPAIGN)
    path = f"/v1/campaigns/{CAMPAIGN}/decide"
    body = {"decision": "rejected", "expected_count": 3, "note": "同一话术"}

    (campaign,) = (await ask("reviewer", "GET", "/v1/campaigns")).json()["campaigns"]
    not_senior = await ask("reviewer", "POST", path, json=body)
    wrong = await ask("senior_reviewer", "POST", path, json=body | {"expected_count": 2})
    unknown = await ask("senior_reviewer", "POST", path, json=body | {"category": "x"})
    made = await ask("senior_reviewer", "POST", path, json=body)
    where = f"/v1/campaigns/decisions/{made.json()['number']}"
    undone = await ask("senior_reviewer", "POST", f"{where}/undo")
    second = await ask("senior_reviewer", "POST", path, json=body)
    await desk.stores.campaigns.advance(NOON + timedelta(seconds=10))
    where = f"/v1/campaigns/decisions/{second.json()['number']}"
    ended = await ask("reviewer", "GET", where)
    late = await ask("senior_reviewer", "POST", f"{where}/undo")
    listed = (await ask("reviewer", "GET", "/v1/campaigns/decisions")).json()["jobs"]
    missing = await ask("reviewer", "GET", "/v1/campaigns/decisions/99")

    assert (campaign["messages"], campaign["destination"]) == (3, "138****8000")
    answers = (not_senior, wrong, unknown, made, undone, second, late, missing)
    assert [one.status_code for one in answers] == [403, 409, 422, 202, 200, 202, 409, 404]
    assert (ended.json()["state"], ended.json()["done"]) == ("done", 3)
    assert [one["state"] for one in listed] == ["done", "undone"]
    held = await desk.stores.quarantine.get(FIRST)
    assert held is not None
    assert held.state is HoldState.DISCARDED


async def test_an_exception_is_made_of_a_message_and_revoked(ask: Ask, hold: Hold) -> None:
    await hold(campaign=CAMPAIGN)
    unread = {"message_id": str(FIRST), "until": "2025-12-25T12:00:00Z", "note": "已备案活动"}
    body = unread | {"rule": "K-LOAN"}
    path = "/v1/exceptions"

    without = await ask("senior_reviewer", "POST", path, json=unread)
    refused = await ask("reviewer", "POST", path, json=body)
    stale = await ask("senior_reviewer", "POST", path, json=body | {"rule": "K-OTHER"})
    made = await ask("senior_reviewer", "POST", path, json=body)
    again = await ask("senior_reviewer", "POST", path, json=body)
    too_long = await ask(
        "senior_reviewer", "POST", path, json=body | {"until": "2035-01-01T00:00:00Z"}
    )
    missing = await ask("senior_reviewer", "POST", path, json=body | {"message_id": str(FIRST + 9)})
    number = made.json()["number"]
    revoked = await ask("senior_reviewer", "POST", f"{path}/{number}/revoke")
    twice = await ask("senior_reviewer", "POST", f"{path}/{number}/revoke")
    (listed,) = (await ask("reviewer", "GET", path)).json()["exceptions"]

    assert (without.status_code, "rule" in without.text) == (422, True)
    answers = (refused, stale, made, again, too_long, missing, revoked, twice)
    assert [one.status_code for one in answers] == [403, 409, 201, 409, 422, 404, 200, 409]
    assert (listed["rule"], listed["campaign"]) == ("K-LOAN", CAMPAIGN)
    assert listed["revoked_by"] == "api: senior_reviewer"


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


async def test_chosen_messages_are_decided_on_as_one_job(ask: Ask, hold: Hold, desk: Desk) -> None:
    for number in range(3):
        await hold(message_id=FIRST + number)
    ids = [str(FIRST + number) for number in (0, 1, 9)]
    looks = [(await ask("reviewer", "GET", f"/v1/quarantine/{one}")).json() for one in ids[:2]]
    read = [{"message_id": one["id"], "seen": one["seen"]} for one in looks]
    read.append({"message_id": ids[2], "seen": "0" * 16})
    body = {"decision": "released", "messages": read, "note": "已致电 13900139000 核实"}
    path = "/v1/quarantine/decide"

    refused = [
        await ask("auditor", "POST", path, json=body),
        await ask("reviewer", "POST", path, json=body | {"messages": []}),
        await ask("reviewer", "POST", path, json=body | {"messages": read[:1] * 501}),
        await ask("reviewer", "POST", path, json=body | {"messages": ["x"]}),
        await ask("reviewer", "POST", path, json=body | {"category": "x"}),
        await ask("reviewer", "POST", path, json=body | {"messages": read[2:]}),
    ]
    made = await ask("reviewer", "POST", path, json=body)
    undo = f"/v1/campaigns/decisions/{made.json()['job']['number']}/undo"
    second = await ask("admin", "POST", path, json=body)
    undone = await ask("reviewer", "POST", undo)
    of_another = await ask("admin", "POST", path, json=body)
    number = of_another.json()["job"]["number"]
    foreign = await ask("reviewer", "POST", f"/v1/campaigns/decisions/{number}/undo")
    await desk.stores.campaigns.advance(NOON + timedelta(seconds=10))
    ended = (await ask("reviewer", "GET", f"/v1/campaigns/decisions/{number}")).json()

    assert [one.status_code for one in refused] == [403, 422, 422, 422, 422, 409]
    assert (made.status_code, second.status_code) == (202, 409)
    assert made.json()["left"] == [{"message_id": ids[2], "why": "there is no such message"}]
    assert "13900139000" not in made.text
    assert (undone.status_code, foreign.status_code) == (200, 409)
    assert (ended["campaign"], ended["state"], ended["done"]) == ("", "done", 2)


async def test_a_program_decides_at_once_only_on_texts_that_it_has_read(
    ask: Ask, hold: Hold, desk: Desk
) -> None:
    held = await hold()
    seen = (await ask("reviewer", "GET", f"/v1/quarantine/{FIRST}")).json()["seen"]
    listed = (await ask("reviewer", "GET", "/v1/quarantine")).json()["messages"][0]
    body = {"decision": "released", "note": "已致电核实"}
    path = "/v1/quarantine/decide"

    async def decide(message: dict[str, str]) -> httpx.Response:
        return await ask("reviewer", "POST", path, json=body | {"messages": [message]})

    unread = await decide({"message_id": str(FIRST)})
    why = held.reason, held.rule, held.category, held.evidence
    new = Replacement(
        held.pdu + b"!", *why, "0" * 64, receipt_asked=False, expires_at=held.expires_at
    )
    assert await desk.stores.quarantine.replace_pdu(FIRST, new)
    late = await decide({"message_id": str(FIRST), "seen": seen})

    assert "seen" not in listed
    assert unread.status_code == 422
    assert "/messages/0/seen" in unread.text
    assert (late.status_code, TEXT_REPLACED in late.text) == (409, True)


async def test_programs_that_review_have_each_another_message(ask: Ask, hold: Hold) -> None:
    for number in range(2):
        await hold(message_id=FIRST + number)
    lease = f"/v1/quarantine/{FIRST + 1}/lease"

    mine = (await ask("reviewer", "POST", "/v1/quarantine/next")).json()
    other = (await ask("admin", "POST", "/v1/quarantine/next")).json()
    nothing = (await ask("admin", "POST", f"/v1/quarantine/next?before={FIRST}")).json()
    renewed = await ask("reviewer", "POST", lease)
    foreign = await ask("admin", "POST", lease)
    decided = await ask(
        "admin", "POST", lease[:-5] + "discard", json=WHY, headers={"If-Match": "*"}
    )
    back = [await ask(name, "DELETE", lease) for name in ("admin", "reviewer")]
    taken = await ask("admin", "POST", lease)

    assert [one["message"]["id"] for one in (mine, other)] == [str(FIRST + 1), str(FIRST)]
    assert mine["lease"] == renewed.json()
    assert mine["lease"]["by"] == "api: reviewer"
    assert nothing == {"message": None, "lease": None}
    assert (foreign.status_code, decided.status_code) == (409, 409)
    assert "another reviewer is looking at it: api: reviewer" in foreign.text
    assert [one.status_code for one in back] == [204, 204]
    assert (taken.status_code, taken.json()["by"]) == (200, "api: admin")


async def test_what_is_not_held_is_not_leased(ask: Ask, hold: Hold) -> None:
    await hold(state=HoldState.DISCARDED)

    gone = await ask("reviewer", "POST", f"/v1/quarantine/{FIRST}/lease")
    unknown = await ask("reviewer", "POST", f"/v1/quarantine/{FIRST + 1}/lease")

    assert (gone.status_code, unknown.status_code) == (409, 404)
