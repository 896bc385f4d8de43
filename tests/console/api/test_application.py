"""What stands before every route."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from gateway.console.application import ALIVE, HEALTH, OPENAPI, READY
from gateway.domain.api_client import ApiClient, ApiRole
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.linkage.api import SCHEMAS
from gateway.web import access
from gateway.web.access import MAX_BODY_OCTETS, ClientAccess, Guard
from tests.console.api.conftest import token_of

Ask = Callable[..., Awaitable[httpx.Response]]
Log = list[dict[str, object]]

NUMBER = "13800138000"
OPEN = (HEALTH, ALIVE, READY, OPENAPI)


def kind_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].removeprefix("urn:smsward:problem:")


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Return method and path of every route."""
    paths = app.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


async def test_without_a_token_nobody_gets_to_any_route_but_health_and_schemas(
    ask: Ask, app: FastAPI, slept: list[float]
) -> None:
    closed = [route for route in routes_of(app) if route[1] not in {*OPEN, *SCHEMAS}]

    assert len(closed) > 5
    for method, path in closed[:9]:
        answer = await ask(None, method, path, content=b"not even JSON")
        assert kind_of(answer) == (401, "unknown-token")
    assert len(slept) == len(closed[:9])


@pytest.mark.parametrize("path", SCHEMAS)
async def test_everybody_reads_the_schemas_of_the_linkage(ask: Ask, path: str) -> None:
    answer = await ask(None, "GET", path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert kind_of(await ask(None, "POST", path))[0] == 405


async def test_strangers_do_not_learn_which_paths_there_are(ask: Ask) -> None:
    answer = await ask(None, "GET", "/v1/nothing-here")

    assert kind_of(answer) == (401, "unknown-token")


async def test_clients_hear_of_wrong_paths_and_methods_as_problems(ask: Ask) -> None:
    nowhere = await ask("shop", "GET", f"/v1/{NUMBER}")
    not_so = await ask("shop", "PUT", "/v1/optouts")

    assert kind_of(nowhere) == (404, "not-found")
    assert NUMBER not in nowhere.text
    assert kind_of(not_so) == (405, "method-not-allowed")
    assert not_so.headers["allow"]


@pytest.mark.parametrize("path", [HEALTH, READY])
async def test_health_needs_no_token(ask: Ask, path: str) -> None:
    answer = await ask(None, "GET", path)

    assert (answer.status_code, answer.json()) == (200, {"ready": True})


async def test_a_process_that_answers_is_alive_whatever_the_store_does(
    ask: Ask, stores: Stores
) -> None:
    await stores.close()

    answer = await ask(None, "GET", ALIVE)

    assert (answer.status_code, answer.json()) == (200, {"alive": True})
    assert (await ask(None, "GET", READY)).status_code == 503


async def test_everybody_reads_the_description_which_is_written_once(
    ask: Ask, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await ask(None, "GET", OPENAPI)
    monkeypatch.setattr(app, "openapi", lambda: pytest.fail("written again"))
    second = await ask(None, "GET", OPENAPI)

    assert first.json()["info"]["title"] == "smsward"
    assert second.content == first.content


@pytest.mark.parametrize(
    ("method", "headers", "kind"),
    [
        ("POST", {}, (405, "method-not-allowed")),
        ("DELETE", {}, (405, "method-not-allowed")),
        ("GET", {"Content-Length": "2000"}, (413, "too-large")),
        ("HEAD", {"Content-Length": "x"}, (413, "too-large")),
        ("GET", {"Transfer-Encoding": "chunked"}, (413, "too-large")),
    ],
)
async def test_of_a_public_path_no_body_is_read(
    app: FastAPI, method: str, headers: dict[str, str], kind: tuple[int, str]
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("it was read")

    async def send(message: Message) -> None:
        sent.append(message)

    given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": HEALTH, "headers": given}
    await app({**scope, "query_string": b""}, receive, send)

    assert sent[0]["status"] == kind[0]
    assert kind[1].encode() in sent[1]["body"]
    assert (b"connection", b"close") in sent[0]["headers"]


@pytest.mark.parametrize("client", ["shop", None])
async def test_nothing_between_keeps_an_answer(ask: Ask, client: str | None) -> None:
    answer = await ask(client, "GET", "/v1/notices")

    assert answer.headers["cache-control"] == "no-store"


async def test_a_store_that_does_not_answer_is_told_and_nothing_was_recorded(
    ask: Ask, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_arguments: object) -> int:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(ConsentStore, "record", unavailable)
    monkeypatch.setattr(stores.changes, "latest", unavailable)

    recorded = await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER]})
    health = await ask(None, "GET", "/v1/health")

    assert kind_of(recorded) == kind_of(health) == (503, "unavailable")
    assert recorded.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"numbers": ["13800138000"]',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        b"NaN",
        b"null",
        b'"\\ud800"',
        b'{"numbers": ["\\ud800"]}',
    ],
)
async def test_what_is_no_request_is_told_so_whatever_it_is(ask: Ask, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await ask("shop", "POST", "/v1/optouts", content=body, headers=headers)

    assert kind_of(answer) in {(400, "not-json"), (422, "not-as-described")}


async def test_a_body_that_is_announced_too_large_is_not_read(ask: Ask) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        raise AssertionError("it was read")

    headers = {"Content-Length": str(MAX_BODY_OCTETS + 1), "Content-Type": "application/json"}

    answer = await ask("shop", "POST", "/v1/optouts", content=endless(), headers=headers)

    assert kind_of(answer) == (413, "too-large")


@pytest.mark.parametrize("announced", [None, "1", "x", "-1", "9" * 5000])
async def test_a_body_that_grows_too_large_is_cut_off(ask: Ask, announced: str | None) -> None:
    read = 0

    async def growing() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * 65_536

    headers = {"Content-Type": "application/json"}
    if announced is not None:
        headers["Content-Length"] = announced

    answer = await ask("shop", "POST", "/v1/optouts", content=growing(), headers=headers)

    assert kind_of(answer) == (413, "too-large")
    assert read <= MAX_BODY_OCTETS // 65_536 + 1


async def test_a_body_that_does_not_come_is_not_waited_for(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_BODY_S", 0.01)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await ask("shop", "POST", "/v1/optouts", content=stuck())

    assert kind_of(answer) == (408, "too-slow")


async def test_who_hangs_up_is_not_answered(app: FastAPI) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {token_of('shop')}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/v1/notices", "headers": headers}
    await app({**scope, "query_string": b""}, receive, send)

    assert sent == []


async def test_behind_its_whole_body_a_route_hears_that_the_client_hung_up() -> None:
    brought: list[Message] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b"},
        {"type": "http.disconnect"},
    ]
    heard: list[Message] = []

    async def route(_scope: Scope, receive: Receive, _send: Send) -> None:
        heard.extend([await receive(), await receive()])

    async def receive() -> Message:
        return brought.pop(0)

    async def send(_message: Message) -> None:
        """Send nothing anywhere."""

    client = ApiClient("shop", ApiRole.SP, sha256(b"token").digest(), "sp1")
    guard_before = Guard(route, access=ClientAccess([client], lambda: 0.0), public=[])
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer token")]
    await guard_before({"type": "http", "path": "/", "headers": headers}, receive, send)

    assert heard == [
        {"type": "http.request", "body": b"ab", "more_body": False},
        {"type": "http.disconnect"},
    ]


async def test_every_answer_is_one_line_without_numbers_tokens_or_texts(ask: Ask, log: Log) -> None:
    await ask("shop", "POST", "/v1/optouts", json={"numbers": [NUMBER]})
    await ask("shop", "POST", "/v1/notices/17/ack", json={"numbers": [NUMBER]})
    await ask("shop", "GET", f"/v1/{NUMBER}?number={NUMBER}")
    await ask(None, f"GET{NUMBER}", "/v1/optouts")

    assert [
        (line["event"], line["client"], line["method"], line["route"], line["status"])
        for line in log
    ] == [
        ("api.answered", "shop", "POST", "/v1/optouts", 200),
        ("api.answered", "shop", "POST", "/v1/notices/{batch}/ack", 404),
        ("api.answered", "shop", "GET", "", 404),
        ("api.answered", "", "", "", 401),
    ]
    assert NUMBER not in str(log)


async def test_a_fault_of_ours_is_a_problem_that_tells_nothing(
    app: FastAPI, ask: Ask, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: object) -> int:
        raise ValueError(f"about {NUMBER}")

    monkeypatch.setattr(stores.changes, "latest", broken)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get(HEALTH)

    assert kind_of(answer) == (500, "broken")
    assert NUMBER not in answer.text
    with pytest.raises(ValueError, match="about"):  # the server's to log
        await ask(None, "GET", HEALTH)


async def test_the_description_says_who_may_and_shows_examples(ask: Ask) -> None:
    described = (await ask(None, "GET", OPENAPI)).json()

    for path, methods in described["paths"].items():
        for method in methods.values():
            assert method["summary"]
            assert bool(method.get("security")) is (path not in {*OPEN, *SCHEMAS})
    refusals = described["components"]["schemas"]["RefusalRequest"]["properties"]
    assert refusals["numbers"]["items"]["examples"] == [NUMBER]


@pytest.mark.parametrize(
    ("client", "path", "body"),
    [
        ("营业厅", "/v1/optouts", {"system_id": "sp1"}),
        ("营业厅", "/v1/optouts/query", {}),
        ("shop", "/v1/consents/query", {}),
        ("shop", "/v1/consents", None),
    ],
)
async def test_batches_are_charged_by_what_they_hold_before_anything_is_done(
    ask: Ask, stores: Stores, client: str, path: str, body: dict[str, object] | None
) -> None:
    numbers = [str(8613800138000 + place) for place in range(1000)]
    whole = {"items": [{"number": one} for one in numbers]} if body is None else body
    batch = whole if body is None else {**body, "numbers": numbers}

    statuses = [(await ask(client, "POST", path, json=batch)).status_code for _ in range(6)]
    last = await stores.changes.latest()
    refused = await ask(client, "POST", path, json=batch)

    assert statuses == [200] * 5 + [429]
    assert kind_of(refused) == (429, "too-many")
    assert refused.headers["retry-after"] == "1"
    assert await stores.changes.latest() == last


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_is_not_sent_as_json_is_answered_with_what_to_send(
    ask: Ask, kind: str | None
) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    body = b'{"numbers": ["13800138000"]}'

    answer = await ask("shop", "POST", "/v1/optouts", content=body, headers=headers)

    assert kind_of(answer) == (415, "not-sent-as-json")
    assert answer.json()["detail"] == "add the header Content-Type: application/json"


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.sp+json"]
)
async def test_a_body_that_is_sent_as_json_is_read(ask: Ask, kind: str) -> None:
    body, headers = b'{"numbers": ["13800138000"]}', {"Content-Type": kind}

    answer = await ask("shop", "POST", "/v1/optouts", content=body, headers=headers)

    assert answer.status_code == 200
