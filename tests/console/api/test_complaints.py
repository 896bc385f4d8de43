"""Complaints over the API."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.domain.consent import Answer, scope_of
from gateway.stores import Stores
from gateway.systems.complaints.model import china_day

Ask = Callable[..., Awaitable[httpx.Response]]
At = Callable[[datetime], None]

SUBSCRIBER = 8613800138000
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
PATH = "/v1/complaints"
MARS = {
    "v": "1",
    "u": "ExampleOrg/Messages/2.3",
    "s": "106900010001",
    "r": "+8613800138000",
    "m": {"p": "sms", "t": "2025-11-25T11:15:22Z", "c": "Claim your prize"},
}


def form(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a complaint in our own JSON; None leaves a field out."""
    whole = {
        "source_id": f"r-{number}",
        "sender": "106900010001",
        "text": "低息贷款，加微信",
        "reported_at": "2025-11-25T19:30:00+08:00",
        "reporter": "13800138000",
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def batch(*items: object, **more: object) -> dict[str, object]:
    return {"complaints": items, **more}


def code_of(answer: httpx.Response) -> str:
    """Return the kind of a problem."""
    return str(answer.json()["type"]).removeprefix("urn:smsward:problem:")


async def ids_of(stores: Stores) -> list[int]:
    return [one.number for one in await stores.complaints.find(limit=1000)]


async def test_r81_one_complaint_is_acknowledged_with_an_id(ask: Ask, stores: Stores) -> None:
    answer = await ask("app", "POST", PATH, json=form())

    [item] = answer.json()["items"]
    kept = await stores.complaints.get(item["id"])
    assert answer.status_code == 202
    assert (item["status"], item["state"], item["is_new"], item["faults"]) == (
        202,
        "received",
        True,
        [],
    )
    assert kept is not None
    assert (kept.source, kept.source_id, kept.by, kept.reporter) == (
        "client",
        "app:r-1",
        "app",
        SUBSCRIBER,
    )


async def test_r81_the_same_batch_twice_has_the_same_ids_and_no_new_rows(
    ask: Ask, stores: Stores
) -> None:
    whole = batch(form(1), form(2), MARS, form(1))
    first = await ask("app", "POST", PATH, json=whole)
    before = await ids_of(stores)

    again = await ask("app", "POST", PATH, json=whole)

    ids = [[item["id"] for item in answer.json()["items"]] for answer in (first, again)]
    assert (first.status_code, again.status_code) == (202, 202)
    assert ids[0] == ids[1]
    assert ids[0][0] == ids[0][3]
    assert len(set(ids[0])) == 3
    assert await ids_of(stores) == before
    assert not any(item["is_new"] for item in again.json()["items"])


async def test_r81_a_complaint_without_a_sender_is_422_in_its_place_and_others_are_taken(
    ask: Ask, stores: Stores
) -> None:
    answer = await ask("app", "POST", PATH, json=batch(form(1), form(2, sender=None), MARS, 7))

    items = answer.json()["items"]
    assert answer.status_code == 202
    assert [item["status"] for item in items] == [202, 422, 202, 422]
    assert [(one["pointer"], one["problem"]) for one in items[1]["faults"]] == [
        ("/complaints/1/sender", "Field required")
    ]
    assert items[3]["id"] is None
    assert len(await ids_of(stores)) == 2


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (form(sender=None), ["/sender"]),
        (batch(form(sender=None), form(text=None)), ["/complaints/0/sender", "/complaints/1/text"]),
        (MARS | {"d": "legit"}, ["/d"]),
        (batch(), ["/complaints"]),
        (batch(*[form()] * 501), ["/complaints"]),
        (batch(form(), source="me"), ["/source"]),
        (batch(form(), more=1), [""]),
        ([form()], [""]),
    ],
)
async def test_r81_where_nothing_is_taken_the_answer_is_422(
    ask: Ask, stores: Stores, body: object, pointers: list[str]
) -> None:
    answer = await ask("app", "POST", PATH, json=body)

    assert (answer.status_code, code_of(answer)) == (422, "not-as-described")
    assert [fault["pointer"] for fault in answer.json()["faults"]] == pointers
    assert "13800138000" not in answer.text
    assert await ids_of(stores) == []


async def test_r81_a_batch_has_up_to_500_complaints(ask: Ask, stores: Stores) -> None:
    answer = await ask("app", "POST", PATH, json=batch(*map(form, range(500))))

    assert answer.status_code == 202
    assert len(await ids_of(stores)) == 500


@pytest.mark.parametrize(
    ("client", "source", "status"),
    [
        ("app", None, 202),
        ("app", "client", 202),
        ("app", "12321", 422),
        ("营业厅", None, 202),
        ("营业厅", "cs", 202),
        ("营业厅", "carrier", 422),
        ("12321", "12321", 202),
        ("12321", None, 422),
        ("shop", None, 403),
        ("police", None, 403),
    ],
)
async def test_r81_each_client_brings_complaints_of_its_own_sources(
    ask: Ask, client: str, source: str | None, status: int
) -> None:
    answer = await ask(client, "POST", PATH, json=form(source=source))

    assert answer.status_code == status


async def test_r81_an_id_of_12321_is_one_complaint_whoever_passes_it_on(
    ask: Ask, stores: Stores
) -> None:
    body = batch(form(), source="12321")
    first = await ask("12321", "POST", PATH, json=body)
    again = await ask("other desk", "POST", PATH, json=body)

    assert first.json()["items"][0]["id"] == again.json()["items"][0]["id"]
    assert len(await ids_of(stores)) == 1


async def test_the_same_id_of_two_apps_is_two_complaints(ask: Ask, stores: Stores) -> None:
    await ask("app", "POST", PATH, json=form())
    await ask("other app", "POST", PATH, json=form())

    assert len(await ids_of(stores)) == 2


async def test_what_an_app_says_of_numbers_that_it_does_not_prove_harms_nobody(
    ask: Ask, stores: Stores
) -> None:
    named = [form(number, reporter=f"1380000000{number}") for number in range(1, 8)]

    answer = await ask("app", "POST", PATH, json=batch(*named))

    assert answer.status_code == 202
    assert not any(item["is_shielded"] for item in answer.json()["items"])
    assert await stores.consent.answer_of(8613800000001, scope_of("sp1", "10690001")) is None
    assert not await stores.suspended_ports.in_force()


async def test_the_shield_of_a_reporter_is_told(ask: Ask, stores: Stores) -> None:
    answer = await ask("12321", "POST", PATH, json=form(sender="106900019", source="12321"))

    kept = await stores.consent.answer_of(SUBSCRIBER, scope_of("sp1", "10690001"))
    assert answer.json()["items"][0]["is_shielded"]
    assert kept is not None
    assert kept.answer is Answer.REFUSED


async def session_of(ask: Ask, number: str = "13900139000") -> dict[str, str]:
    """Return the header of a session that proves a number."""
    await ask("app", "POST", "/v1/subscribers/codes", json={"number": number})
    proof = {"number": number, "code": "482913"}
    session = (await ask("app", "POST", "/v1/subscribers/sessions", json=proof)).json()["token"]
    return {"Subscriber-Session": session}


async def test_a_session_proves_who_reports(ask: Ask, stores: Stores) -> None:
    headers = await session_of(ask)

    own = await ask("app", "POST", PATH, json=form(reporter=None), headers=headers)
    of_another = await ask("app", "POST", PATH, json=form(2), headers=headers)
    unproved = await ask("other app", "POST", PATH, json=form(3), headers=headers)

    kept = await stores.complaints.get(own.json()["items"][0]["id"])
    assert kept is not None
    assert kept.reporter == 8613900139000
    assert (of_another.status_code, unproved.status_code) == (422, 403)


async def test_the_status_of_a_complaint_is_masked(ask: Ask) -> None:
    body = form(sender="13700137000", category="loan")
    number = (await ask("app", "POST", PATH, json=body)).json()["items"][0]["id"]

    answer = await ask("police", "GET", f"{PATH}/{number}")

    assert answer.status_code == 200
    assert answer.json() == {
        "id": number,
        "source": "client",
        "state": "received",
        "invalid_reason": None,
        "sender": "137****7000",
        "reporter": "138****8000",
        "category": "loan",
        "reported_at": "2025-11-25T11:30:00Z",
        "taken_at": "2025-11-25T12:00:00Z",
        "case": None,
    }


async def test_r89_a_second_query_for_a_reporter_on_the_same_day_is_429(ask: Ask, at: At) -> None:
    answers = [await ask("app", "POST", PATH, json=form(number)) for number in (1, 2)]
    first, second = (answer.json()["items"][0]["id"] for answer in answers)
    asked = await ask("app", "GET", f"{PATH}/{first}")
    at(NOON + timedelta(hours=3, minutes=59))

    again = await ask("app", "GET", f"{PATH}/{second}")

    assert (asked.status_code, again.status_code) == (200, 429)
    assert code_of(again) == "asked-today"
    assert again.json()["title_zh"].startswith("操作过于频繁")
    assert again.headers["Retry-After"] == "60"
    at(NOON + timedelta(hours=4))
    assert (await ask("app", "GET", f"{PATH}/{second}")).status_code == 200


async def test_r89_the_count_holds_over_a_restart_and_for_every_way_to_ask(
    ask: Ask, stores: Stores
) -> None:
    headers = await session_of(ask)
    own = await ask("app", "POST", PATH, json=form(reporter=None), headers=headers)
    await stores.complaints.admit_query(8613900139000, china_day(NOON))  # by message, say

    answer = await ask("app", "GET", f"{PATH}/{own.json()['items'][0]['id']}")

    assert answer.status_code == 429


async def test_r89_an_app_uses_up_no_query_of_a_reporter_whom_it_only_names(
    ask: Ask, stores: Stores
) -> None:
    (item,) = (await ask("app", "POST", PATH, json=form())).json()["items"]
    (other,) = (await ask("other app", "POST", PATH, json=form(2))).json()["items"]
    clients = [("app", item), ("app", item), ("other app", other)]

    answers = [await ask(client, "GET", f"{PATH}/{one['id']}") for client, one in clients]

    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert await stores.complaints.admit_query(SUBSCRIBER, china_day(NOON))


async def test_r89_clerks_ask_as_often_as_they_are_asked(ask: Ask) -> None:
    number = (await ask("营业厅", "POST", PATH, json=form())).json()["items"][0]["id"]

    answers = [
        await ask(client, "GET", f"{PATH}/{number}") for client in ("营业厅", "营业厅", "police")
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize(
    ("client", "status"), [("other app", 404), ("shop", 403), ("app", 200), ("police", 200)]
)
async def test_an_app_sees_only_what_it_brought(ask: Ask, client: str, status: int) -> None:
    number = (await ask("app", "POST", PATH, json=form())).json()["items"][0]["id"]

    answer = await ask(client, "GET", f"{PATH}/{number}")

    assert answer.status_code == status


@pytest.mark.parametrize(("number", "status"), [("7", 404), ("0", 422), ("9" * 30, 422)])
async def test_what_is_no_complaint_has_no_status(ask: Ask, number: str, status: int) -> None:
    assert (await ask("police", "GET", f"{PATH}/{number}")).status_code == status
