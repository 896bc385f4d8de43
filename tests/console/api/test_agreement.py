"""How reviewers agree, and until when messages are decided on, for programs."""

import httpx
import pytest

from gateway.stores import Stores
from gateway.systems.quarantine.decisions import UNDO_FOR
from gateway.systems.quarantine.model import NewReview, PersonDecision
from tests.console.api.conftest import NOON, Ask
from tests.console.browsing import FIRST, held_with

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED


@pytest.fixture
async def apart(stores: Stores) -> None:
    """Let two people decide on three messages, and otherwise on the last of them."""
    ids = [FIRST + number for number in range(3)]
    await stores.quarantine.hold([held_with("黑户贷款", message_id=one) for one in ids])
    decisions, before = stores.reviews, NOON - 2 * UNDO_FOR
    for one in ids:
        await decisions.add(NewReview(one, REJECTED, "user: lin"), before, UNDO_FOR)
    await decisions.take_up(before + UNDO_FOR, dealt_twice=1.0)
    for one, opinion in zip(ids, (REJECTED, REJECTED, RELEASED), strict=True):
        given = NewReview(one, opinion, "user: mei", note="no fraud", may_be_second=True)
        await decisions.add(given, before + UNDO_FOR, UNDO_FOR)


@pytest.mark.usefixtures("apart")
async def test_the_report_counts_each_reviewer_and_category(ask: Ask) -> None:
    found = (await ask("senior_reviewer", "GET", "/v1/agreement?days=7")).json()

    rate = {
        "compared": 3,
        "agreed": 2,
        "share": 0.667,
        "low": 0.208,
        "high": 0.939,
        "kappa": 0.0,
    }
    assert (found["dealt"], found["waiting"], found["escalated"], found["expired"]) == (3, 0, 0, 0)
    assert found["rate"] == rate
    assert found["categories"] == [{"category": "loan", **rate}]
    assert [
        (one["reviewer"], one["dealt_first"], one["released_alone"], one["rejected_alone"])
        for one in found["reviewers"]
    ] == [("user: lin", 3, 0, 1), ("user: mei", 0, 1, 0)]


@pytest.mark.usefixtures("apart")
async def test_disagreements_come_in_pages_with_numbers_masked(ask: Ask) -> None:
    first = (await ask("senior_reviewer", "GET", "/v1/agreement/disagreements?limit=1")).json()
    path = f"/v1/agreement/disagreements?limit=1&cursor={first['next']}"
    rest = (await ask("senior_reviewer", "GET", path)).json()

    (one,) = first["disagreements"]
    assert (one["message_id"], one["destination"]) == (str(FIRST + 2), "138****8000")
    assert [(one[which]["by"], one[which]["decision"]) for which in ("first", "second")] == [
        ("user: lin", "rejected"),
        ("user: mei", "released"),
    ]
    assert rest == {"disagreements": [], "next": None}


async def test_reviewers_do_not_read_it(ask: Ask) -> None:
    answers: list[httpx.Response] = [
        await ask("reviewer", "GET", path)
        for path in ("/v1/agreement", "/v1/agreement/disagreements")
    ]

    assert [one.status_code for one in answers] == [403, 403]


async def test_a_held_message_says_until_when_it_is_decided_on(ask: Ask, stores: Stores) -> None:
    await stores.quarantine.hold(
        [held_with("黑户贷款"), held_with("x", message_id=FIRST + 1, category="fraud")]
    )

    found = (await ask("reviewer", "GET", "/v1/quarantine")).json()["messages"]

    assert [(one["decide_by"], one["then"]) for one in found] == [
        (None, None),
        ("2025-11-25T16:00:00Z", "release"),
    ]
