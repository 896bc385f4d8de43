"""Refusals over the API."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.stores import Stores
from gateway.systems.approvals.service import TwoPersonRule
from tests.console.api.conftest import Desk

Ask = Callable[..., Awaitable[httpx.Response]]
At = Callable[[datetime], None]

SUBSCRIBER = 8613800138000
NUMBER = "13800138000"
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)


def code_of(answer: httpx.Response) -> str:
    """Return the kind of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["title"]
    assert body["title_zh"]
    assert body["status"] == answer.status_code
    return str(body["type"]).removeprefix("urn:smsward:problem:")


async def test_r36_a_clerk_records_a_refusal_with_channel_and_operator(
    ask: Ask, stores: Stores
) -> None:
    body = {"numbers": [NUMBER], "system_id": "sp1", "channel": "hall", "operator": "op17"}

    answer = await ask("营业厅", "POST", "/v1/optouts", json=body)

    assert answer.status_code == 200
    assert answer.json() == {"recorded": 1, "change": 1}
    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") == ConsentAnswer(
        SUBSCRIBER, "sp1", Answer.REFUSED, NOON, "hall", "营业厅/op17"
    )


async def test_r36_a_clerk_records_a_refusal_of_every_sender(ask: Ask, stores: Stores) -> None:
    body = {"numbers": [NUMBER], "all_senders": True, "reference": "form 117"}

    answer = await ask("营业厅", "POST", "/v1/optouts", json=body)

    kept = await stores.consent.answer_of(SUBSCRIBER, EVERY_SENDER)
    assert answer.status_code == 200
    assert kept is not None
    assert (kept.answer, kept.channel, kept.evidence) == (
        Answer.REFUSED,
        "hall",
        "营业厅; form 117",
    )


async def test_r36_an_sp_records_refusals_of_itself(ask: Ask, stores: Stores) -> None:
    answer = await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER, f"+86{NUMBER}"]})

    kept = await stores.consent.answer_of(SUBSCRIBER, "sp1")
    assert answer.json()["recorded"] == 1
    assert kept is not None
    assert (kept.channel, kept.evidence) == ("sp", "shop")


@pytest.mark.parametrize(
    ("client", "more"),
    [
        ("shop", {"system_id": "sp2"}),
        ("shop", {"all_senders": True}),
        ("shop", {"channel": "hall"}),
        ("营业厅", {"system_id": "sp1", "channel": "linkage"}),
        ("app", {"system_id": "sp1"}),
        ("police", {"all_senders": True}),
    ],
)
async def test_nobody_records_refusals_that_are_not_theirs_to_record(
    ask: Ask, stores: Stores, client: str, more: dict[str, object]
) -> None:
    answer = await ask(client, "POST", "/v1/optouts", json={"numbers": [NUMBER], **more})

    assert (answer.status_code, code_of(answer)) == (403, "forbidden")
    assert await stores.consent.answers_of({SUBSCRIBER}) == []


@pytest.mark.parametrize(
    ("client", "more", "pointer"),
    [
        ("营业厅", {}, "/system_id"),
        ("营业厅", {"system_id": "sp1", "all_senders": True}, "/system_id"),
        ("营业厅", {"system_id": "sp9"}, "/system_id"),
        ("客服", {"system_id": "sp1"}, "/channel"),
        ("营业厅", {"all_senders": True, "operator": "o" * 65}, "/operator"),
        ("营业厅", {"all_senders": True, "operator": "\x1b[2J"}, "/operator"),
        ("营业厅", {"all_senders": True, "operator": " "}, "/operator"),
        ("营业厅", {"all_senders": True, "channel": "mo"}, "/channel"),
        ("营业厅", {"all_senders": True, "13800138000": 1}, ""),
    ],
)
async def test_a_refusal_that_is_not_clear_is_not_recorded_and_the_place_is_told(
    ask: Ask, stores: Stores, client: str, more: dict[str, object], pointer: str
) -> None:
    answer = await ask(client, "POST", "/v1/optouts", json={"numbers": [NUMBER], **more})

    assert (answer.status_code, code_of(answer)) == (422, "not-as-described")
    assert [fault["pointer"] for fault in answer.json()["faults"]] == [pointer]
    assert await stores.consent.answers_of({SUBSCRIBER}) == []


@pytest.mark.parametrize(
    "number", ["", "12345", "1380013800x", 13800138000, None, "1" * 40, "٣" * 9]
)
async def test_one_number_that_is_none_refuses_the_whole_list_and_is_not_repeated(
    ask: Ask, stores: Stores, number: object
) -> None:
    answer = await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER, number]})

    assert (answer.status_code, code_of(answer)) == (422, "not-as-described")
    assert [fault["pointer"] for fault in answer.json()["faults"]] == ["/numbers/1"]
    assert str(number or "13800138000") not in answer.text
    assert await stores.consent.answers_of({SUBSCRIBER}) == []


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1000, 200), (1001, 422)])
async def test_a_request_has_from_one_to_a_thousand_numbers(
    ask: Ask, count: int, status: int
) -> None:
    numbers = [str(SUBSCRIBER + one) for one in range(count)]

    answer = await ask("shop", "POST", "/v1/optouts", json={"numbers": numbers})

    assert answer.status_code == status


async def test_recording_again_is_harmless(ask: Ask, stores: Stores, at: At) -> None:
    await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER]})
    at(NOON + timedelta(hours=1))

    again = await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER]})

    assert again.status_code == 200
    [kept] = await stores.consent.answers_of({SUBSCRIBER})
    assert (kept.answer, kept.since) == (Answer.REFUSED, NOON + timedelta(hours=1))


@pytest.mark.parametrize("client", ["shop", "营业厅", "app", "police"])
@pytest.mark.parametrize("body", [{"numbers": [NUMBER]}, None])
async def test_r37_an_sp_cannot_delete_a_refusal(
    ask: Ask, stores: Stores, client: str, body: object
) -> None:
    await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER]})

    answer = await ask(client, "DELETE", "/v1/optouts", json=body)

    assert (answer.status_code, code_of(answer)) == (403, "only-the-subscriber")
    [kept] = await stores.consent.answers_of({SUBSCRIBER})
    assert kept.answer is Answer.REFUSED


async def test_r73_refusals_are_looked_up_masked(ask: Ask, stores: Stores) -> None:
    await stores.consent.record(
        [
            ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, NOON, "mo", "from 13800138000"),
            ConsentAnswer(SUBSCRIBER, "sp2", Answer.AGREED, NOON, "web"),
            ConsentAnswer(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED, NOON, "hall"),
        ]
    )

    answer = await ask("营业厅", "POST", "/v1/optouts/query", json={"numbers": [NUMBER]})

    assert NUMBER not in answer.text
    shown = [
        (one["number"], one["system_id"], one["channel"], one["evidence"])
        for one in answer.json()["refusals"]
    ]
    assert shown == [
        ("138****8000", None, "hall", ""),
        ("138****8000", "sp1", "mo", "from 138****8000"),
    ]
    assert await stores.journals.accesses() == []


async def test_r73_an_investigator_with_a_reason_sees_whole_numbers_and_is_journaled(
    ask: Ask, stores: Stores
) -> None:
    await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER]})
    wanted = {"numbers": [NUMBER], "unmask": True, "reason": "case 117"}

    answer = await ask("police", "POST", "/v1/optouts/query", json=wanted)

    assert [one["number"] for one in answer.json()["refusals"]] == [str(SUBSCRIBER)]
    [access] = await stores.journals.accesses()
    assert (access.by, access.action) == ("api: police", "optouts query")
    assert (access.reason, access.about) == ("case 117", "refusals of 1 numbers: 138****8000")


async def test_a_program_sees_no_more_whole_numbers_than_one_person_may(
    ask: Ask, desk: Desk
) -> None:
    desk.rule = TwoPersonRule(unmask_in_bulk_above=3)
    numbers = [f"1380013800{last}" for last in range(4)]

    async def query(count: int) -> int:
        wanted = {"numbers": numbers[:count], "unmask": True, "reason": "case 117"}
        return (await ask("police", "POST", "/v1/optouts/query", json=wanted)).status_code

    answers = [await query(4), await query(2), await query(2), await query(1)]

    assert answers == [409, 200, 409, 200]
    looks = await desk.stores.journals.accesses()
    assert [one.about.partition(":")[0] for one in looks] == [
        "refusals of 1 numbers",
        "refusals of 2 numbers",
    ]


@pytest.mark.parametrize(
    ("client", "more"),
    [
        ("police", {"unmask": True}),
        ("police", {"reason": "case 117"}),
        ("营业厅", {"unmask": True, "reason": "case 117"}),
        ("shop", {}),
        ("app", {}),
    ],
)
async def test_r73_without_role_and_reason_nobody_sees_a_whole_number(
    ask: Ask, stores: Stores, client: str, more: dict[str, object]
) -> None:
    answer = await ask(client, "POST", "/v1/optouts/query", json={"numbers": [NUMBER], **more})

    assert (answer.status_code, code_of(answer)) == (403, "forbidden")
    assert await stores.journals.accesses() == []


async def test_r22_a_refusal_of_a_port_or_a_category_is_recorded_and_looked_up(ask: Ask) -> None:
    of_port = {"numbers": [NUMBER], "system_id": "sp1", "port": "10690001"}
    await ask("营业厅", "POST", "/v1/optouts", json=of_port | {"channel": "hall"})
    await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER], "category": "房产"})

    found = await ask("police", "POST", "/v1/optouts/query", json={"numbers": [NUMBER]})
    known = await ask("shop", "POST", "/v1/consents/query", json={"numbers": [NUMBER]})

    assert [
        (one["system_id"], one["port"], one["category"]) for one in found.json()["refusals"]
    ] == [
        ("sp1", "", "real_estate"),
        ("sp1", "10690001", ""),
    ]
    assert known.json()["items"][0]["refused"] == ["#real_estate", "10690001"]


@pytest.mark.parametrize(
    "part",
    [{"port": "999"}, {"category": "fraud"}, {"port": "10690001", "category": "loan"}],
)
async def test_r22_what_is_no_part_of_the_sp_is_not_recorded(
    ask: Ask, stores: Stores, part: dict[str, str]
) -> None:
    answer = await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER], **part})

    assert answer.status_code == 422
    assert await stores.consent.answers_of({SUBSCRIBER}) == []
