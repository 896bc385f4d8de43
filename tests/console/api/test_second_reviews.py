"""Programs are dealt second reviews as people are: unseen, and their decision is an opinion."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.systems.quarantine.decisions import UNDO_FOR
from gateway.systems.quarantine.model import NewReview, PersonDecision
from gateway.systems.quarantine.second_reviews import SHOWN_FOR
from tests.console.api.conftest import NOON, Ask, Desk
from tests.console.browsing import CAMPAIGN, FIRST, held_with

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED
PLAIN = FIRST + 1
WHY = {"reason": "疑似诈骗", "category": "fraud"}
AGAIN = {"If-Match": "*"}
LISTS = [
    *(f"/v1/quarantine?state={one}" for one in ("held", "release_requested", "discarded")),
    *("/v1/quarantine", f"/v1/quarantine?campaign={CAMPAIGN}", "/v1/quarantine?category=loan"),
    *("/v1/quarantine/counts", "/v1/quarantine/counts?system_id=shop", "/v1/campaigns"),
    f"/v1/quarantine/counts?campaign={CAMPAIGN}",
]


async def dealt(stores: Stores, decision: PersonDecision = RELEASED) -> None:
    """Let mei decide on the first of two messages, and deal that twice."""
    before = NOON - UNDO_FOR
    await stores.reviews.add(NewReview(FIRST, decision, "user: mei"), before, UNDO_FOR)
    await stores.reviews.take_up(NOON, dealt_twice=1.0)


@pytest.fixture
async def messages(stores: Stores) -> None:
    """Hold two messages of one text."""
    await stores.quarantine.hold([held_with("黑户贷款", message_id=one) for one in (FIRST, PLAIN)])


async def kept(stores: Stores) -> HeldMessage:
    held = await stores.quarantine.get(FIRST)
    assert held is not None
    return held


async def seen(ask: Ask, who: str = "reviewer") -> list[object]:
    """Return all that a client sees of held messages, with their ETags."""
    looks = [await ask(who, "GET", path) for path in LISTS]
    looks.append(await ask(who, "GET", f"/v1/quarantine/{FIRST}"))
    searches = ({"state": "held"}, {"message_id": str(FIRST)}, {"number": "13800138000"})
    looks += [await ask(who, "POST", "/v1/quarantine/search", json=one) for one in searches]
    return [(one.status_code, one.headers.get("ETag"), one.json()) for one in looks]


def alike(answers: Sequence[httpx.Response]) -> bool:
    """Tell whether answers about two messages differ in nothing but their numbers and ids."""
    texts = {re.sub(rf'{FIRST}|{PLAIN}|"number":\d+', "N", one.text) for one in answers}
    return len(texts) == 1 and len({one.status_code for one in answers}) == 1


@pytest.mark.usefixtures("messages")
async def test_what_a_program_sees_is_as_before_the_first_decision(
    ask: Ask, stores: Stores
) -> None:
    before = await seen(ask)

    await dealt(stores)

    assert await seen(ask) == before
    for who in ("admin", "auditor", "operator"):  # they read the audit, or decide on nothing
        held = (await ask(who, "GET", f"/v1/quarantine/{FIRST}")).json()
        assert held["state"] == "release_requested"
        counts = (await ask(who, "GET", "/v1/quarantine/counts")).json()["counts"]
        assert (counts["held"], counts["release_requested"]) == (1, 1)


@pytest.mark.usefixtures("messages")
async def test_the_next_message_may_be_one_that_is_dealt_twice(ask: Ask, stores: Stores) -> None:
    await dealt(stores)
    lease = f"/v1/quarantine/{FIRST}/lease"

    first = (await ask("reviewer", "POST", "/v1/quarantine/next")).json()
    older = await ask("reviewer", "POST", f"/v1/quarantine/next?before={PLAIN}")
    again = (await ask("senior_reviewer", "POST", f"/v1/quarantine/next?before={PLAIN}")).json()
    renewed = await ask("reviewer", "POST", lease)
    foreign = await ask("senior_reviewer", "POST", lease)
    back = await ask("reviewer", "DELETE", lease)
    to_admin = await ask("admin", "POST", lease)

    second = older.json()
    assert [one["message"]["id"] for one in (first, second)] == [str(PLAIN), str(FIRST)]
    assert second["message"] == first["message"] | {"id": str(FIRST)}
    assert second["lease"] == renewed.json()
    assert "mei" not in older.text
    assert again == {"message": None, "lease": None}
    assert "another reviewer is looking at it: api: reviewer" in foreign.text
    assert (back.status_code, to_admin.status_code) == (204, 409)


@pytest.mark.usefixtures("messages")
@pytest.mark.parametrize("act", ["release", "discard"])
async def test_its_decision_is_answered_as_any_other_and_changes_nothing(
    ask: Ask, desk: Desk, act: str
) -> None:
    await dealt(desk.stores, REJECTED)
    await desk.stores.quarantine.receipt_sent(FIRST)
    before = await kept(desk.stores)

    async def both(method: str, path: str, **more: object) -> list[httpx.Response]:
        return [await ask("reviewer", method, path.format(one), **more) for one in (FIRST, PLAIN)]

    etags = [{"If-Match": one.headers["ETag"]} for one in await both("GET", "/v1/quarantine/{}")]
    made = [
        await ask("reviewer", "POST", f"/v1/quarantine/{one}/{act}", json=WHY, headers=etag)
        for one, etag in zip((FIRST, PLAIN), etags, strict=True)
    ]
    waiting = await both("GET", "/v1/quarantine/{}")
    twice = await both("POST", f"/v1/quarantine/{{}}/{act}", json=WHY, headers=AGAIN)
    listed = [await ask("reviewer", "GET", path) for path in LISTS[:3]]
    desk.now += UNDO_FOR
    await desk.stores.reviews.take_up(desk.now)
    await desk.stores.quarantine.receipt_sent(PLAIN)
    later = await both("GET", "/v1/quarantine/{}")
    late = await both("POST", f"/v1/quarantine/{{}}/{act}", json=WHY, headers=AGAIN)
    own = (await ask("reviewer", "GET", "/v1/decisions")).json()["decisions"]
    counts = (await ask("reviewer", "GET", "/v1/quarantine/counts")).json()["counts"]

    assert [one.status_code for one in made] == [200, 200]
    assert all(map(alike, (made, waiting, twice)))
    assert made[0].json()["state"] == "waiting"
    assert made[0].json()["not_before"] == "2025-11-25T12:00:10Z"
    assert [len(one.json()["messages"]) for one in listed] == [2, 0, 0]
    assert [(one["state"], one["outcome"]) for one in own] == [("taken", "")] * 2
    assert await kept(desk.stores) == before
    if act == "discard":
        assert all(map(alike, (later, late)))
        assert counts["discarded"] == 2
    else:  # both wait for the gateway, as far as that person can see
        assert [one.json()["state"] for one in later] == ["release_requested"] * 2
        assert [one.json()["decision"] for one in later] == [
            "release asked by api: reviewer: 疑似诈骗"
        ] * 2
        assert (counts["release_requested"], counts["discarded"]) == (2, 0)
    changes = [one.action for one in await desk.stores.journals.accesses()]
    assert changes.count("quarantine opinion") == 1


@pytest.mark.usefixtures("messages")
async def test_it_is_undone_as_any_other_and_then_counts_for_nothing(ask: Ask, desk: Desk) -> None:
    await dealt(desk.stores)
    before = await seen(ask)
    path = f"/v1/quarantine/{FIRST}/discard"
    number = (await ask("reviewer", "POST", path, json=WHY, headers=AGAIN)).json()["number"]

    undone = await ask("reviewer", "POST", f"/v1/decisions/{number}/undo")
    again = await ask("reviewer", "POST", f"/v1/decisions/{number}/undo")

    assert (undone.status_code, undone.json()["state"]) == (200, "undone")
    assert (again.status_code, "it was undone before" in again.text) == (409, True)
    assert await seen(ask) == before
    desk.now += UNDO_FOR
    report = (await ask("senior_reviewer", "GET", "/v1/agreement")).json()
    assert (report["rate"]["compared"], report["waiting"]) == (0, 1)


@pytest.mark.usefixtures("messages")
async def test_it_counts_in_the_agreement(ask: Ask, desk: Desk) -> None:
    await dealt(desk.stores)
    path = f"/v1/quarantine/{FIRST}/discard"
    await ask("reviewer", "POST", path, json=WHY, headers=AGAIN)
    third = await ask("senior_reviewer", "POST", path, json=WHY, headers=AGAIN)
    desk.now += UNDO_FOR

    report = (await ask("senior_reviewer", "GET", "/v1/agreement")).json()
    (apart,) = (await ask("senior_reviewer", "GET", "/v1/agreement/disagreements")).json()[
        "disagreements"
    ]

    assert third.status_code == 409
    assert report["rate"] == report["rate"] | {"compared": 1, "agreed": 0}
    found = [(one["reviewer"], one["rejected_alone"]) for one in report["reviewers"]]
    assert sorted(found) == [("api: reviewer", 1), ("user: mei", 0)]
    assert (apart["first"]["decision"], apart["second"]["decision"]) == ("released", "rejected")
    assert apart["second"]["note"] == "疑似诈骗"


@pytest.mark.usefixtures("messages")
async def test_escalating_it_is_answered_as_any_other(ask: Ask, desk: Desk) -> None:
    await dealt(desk.stores)
    wanted = {"is_escalated": True}

    async def both() -> list[HoldState]:
        looks = [await ask("reviewer", "GET", f"/v1/quarantine/{one}") for one in (FIRST, PLAIN)]
        return [one.json()["state"] for one in looks]

    made = [
        await ask("reviewer", "POST", f"/v1/quarantine/{one}/escalate", json={"note": "新话术"})
        for one in (FIRST, PLAIN)
    ]
    mine = (await ask("reviewer", "POST", "/v1/quarantine/search", json=wanted)).json()
    theirs = (await ask("senior_reviewer", "POST", "/v1/quarantine/search", json=wanted)).json()
    meanwhile = await both()
    desk.now += SHOWN_FOR
    later = await both()

    assert alike(made)
    assert made[0].json()["is_open"] is True
    assert [one["id"] for one in mine["messages"]] == [str(PLAIN), str(FIRST)]
    assert [one["id"] for one in theirs["messages"]] == [str(PLAIN)]
    assert (meanwhile, later) == (["held", "held"], ["release_requested", "held"])
    report = (await ask("senior_reviewer", "GET", "/v1/agreement")).json()
    assert report["escalated"] == 1


async def choose(ask: Ask, numbers: Sequence[int], **more: object) -> httpx.Response:
    """Decide on messages that were read, at once."""
    looks = [(await ask("reviewer", "GET", f"/v1/quarantine/{one}")).json() for one in numbers]
    read = [{"message_id": one["id"], "seen": one["seen"]} for one in looks]
    body: dict[str, Any] = {"decision": "rejected", "messages": read, "note": "同一话术", **more}
    return await ask("reviewer", "POST", "/v1/quarantine/decide", json=body)


@pytest.mark.usefixtures("messages")
@pytest.mark.parametrize("numbers", [(FIRST, PLAIN), (FIRST,)])
async def test_among_chosen_messages_it_gets_an_opinion_and_counts_as_done(
    ask: Ask, desk: Desk, numbers: tuple[int, ...]
) -> None:
    await dealt(desk.stores)
    before = await kept(desk.stores)

    made = await choose(ask, numbers)
    twice = await choose(ask, numbers)
    where = f"/v1/campaigns/decisions/{made.json()['job']['number']}"
    single = (await ask("reviewer", "GET", "/v1/decisions")).json()
    held = (await ask("reviewer", "GET", f"/v1/quarantine/{FIRST}")).json()
    early = await desk.stores.agreement.report(NOON - timedelta(days=1), desk.now)
    desk.now += UNDO_FOR
    await desk.stores.campaigns.advance(desk.now)
    ended = (await ask("reviewer", "GET", where)).json()
    late = await choose(ask, numbers)
    report = await desk.stores.agreement.report(NOON - timedelta(days=1), desk.now)

    assert made.status_code == 202
    assert (made.json()["left"], made.json()["job"]["expected_count"]) == ([], len(numbers))
    assert (twice.status_code, late.status_code) == (409, 409)
    assert "another decision on it waits" in twice.text
    assert "it was discarded" in late.text
    assert single == {"decisions": []}
    assert held["state"] == "held"
    assert (ended["state"], ended["done"]) == ("done", len(numbers))
    assert await kept(desk.stores) == before
    assert (early.rate.compared, report.rate.compared, report.rate.agreed) == (0, 1, 0)


@pytest.mark.usefixtures("messages")
async def test_a_job_that_is_undone_takes_its_opinions_with_it(ask: Ask, desk: Desk) -> None:
    await dealt(desk.stores)
    before = await seen(ask)
    job = (await choose(ask, (FIRST, PLAIN))).json()["job"]
    alone = await ask("reviewer", "POST", "/v1/decisions/2/undo")  # the opinion's own number

    undone = await ask("reviewer", "POST", f"/v1/campaigns/decisions/{job['number']}/undo")

    assert (alone.status_code, undone.status_code) == (404, 200)
    assert undone.json()["state"] == "undone"
    assert await seen(ask) == before
    desk.now += UNDO_FOR
    assert await desk.stores.campaigns.advance(desk.now) is None
    assert (await desk.stores.agreement.report(NOON, desk.now)).rate.compared == 0
    assert (await choose(ask, (FIRST,))).status_code == 202


@pytest.mark.usefixtures("messages")
async def test_who_gets_no_second_reviews_leaves_it_as_it_is(ask: Ask, desk: Desk) -> None:
    await dealt(desk.stores)
    read = [{"message_id": str(FIRST), "seen": "0" * 16}]
    body = {"decision": "rejected", "messages": read, "note": "同一话术"}

    answer = await ask("admin", "POST", "/v1/quarantine/decide", json=body)

    assert (answer.status_code, "its release was asked for" in answer.text) == (409, True)


@pytest.mark.usefixtures("messages")
async def test_a_decision_on_a_whole_campaign_counts_it_and_gives_an_opinion(
    ask: Ask, desk: Desk
) -> None:
    await dealt(desk.stores)
    before = await kept(desk.stores)
    path, body = f"/v1/campaigns/{CAMPAIGN}/decide", {"decision": "rejected", "note": "同一话术"}

    async def decide(who: str, count: int) -> httpx.Response:
        return await ask(who, "POST", path, json=body | {"expected_count": count})

    (listed,) = (await ask("senior_reviewer", "GET", "/v1/campaigns")).json()["campaigns"]
    wrong, other = await decide("senior_reviewer", 1), await decide("admin", 2)
    first = await decide("senior_reviewer", 2)
    undo = f"/v1/campaigns/decisions/{first.json()['number']}/undo"
    undone = await ask("senior_reviewer", "POST", undo)
    second = await decide("senior_reviewer", 2)
    desk.now += UNDO_FOR
    await desk.stores.campaigns.advance(desk.now)
    where = f"/v1/campaigns/decisions/{second.json()['number']}"
    ended = (await ask("senior_reviewer", "GET", where)).json()
    report = await desk.stores.agreement.report(NOON, desk.now)

    assert listed["messages"] == 2
    answers = (wrong, other, first, undone, second)
    assert [one.status_code for one in answers] == [409, 409, 202, 200, 202]
    assert "another number of messages is held: 2" in wrong.text
    assert (ended["expected_count"], ended["state"], ended["done"]) == (2, "done", 2)
    assert await kept(desk.stores) == before
    assert (report.rate.compared, report.rate.agreed) == (1, 0)
