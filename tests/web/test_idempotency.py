"""Requests with a key are done once."""

from collections.abc import Callable
from hashlib import sha256

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.domain.api_client import ApiClient, ApiRole
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.web.access import REQUESTS_BURST, ClientAccess, Guard
from gateway.web.idempotency import MAX_KEPT_OCTETS

KEY = {"Idempotency-Key": "7f3a"}


class World:
    """An application that counts what it does, behind the guard."""

    def __init__(self, stores: Stores) -> None:
        self.done = 0
        self.answer: Callable[[Request], Response] = lambda _: JSONResponse({"done": self.done})
        app = Starlette(routes=[Route("/v1/{path:path}", self.act, methods=["POST", "GET"])])
        clients = [
            ApiClient(name, ApiRole.ADMIN, sha256(name.encode()).digest()) for name in ("a", "b")
        ]
        access = ClientAccess(clients, lambda: 0.0)
        guard = Guard(app, access=access, public=(), answers=stores.api_answers)
        self.transport = httpx.ASGITransport(guard, raise_app_exceptions=False)

    async def act(self, request: Request) -> Response:
        self.done += 1
        return self.answer(request)

    async def ask(
        self, path: str = "/v1/x", client: str = "a", method: str = "POST", **more: object
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {client}"} | KEY
        async with httpx.AsyncClient(transport=self.transport, base_url="http://api") as http:
            return await http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]


@pytest.fixture
def world(stores: Stores) -> World:
    return World(stores)


async def test_the_same_again_is_told_what_was_done(world: World) -> None:
    first, again = await world.ask(json={"n": 1}), await world.ask(json={"n": 1})

    assert world.done == 1
    assert (first.json(), first.status_code) == (again.json(), again.status_code)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["RateLimit"] == f'"client";r={REQUESTS_BURST - 2};t=1'


async def test_a_key_stands_for_method_path_query_and_body_of_one_client(world: World) -> None:
    await world.ask(json={"n": 1})

    other_body = await world.ask(json={"n": 2})
    other_path = await world.ask("/v1/y", json={"n": 1})
    other_query = await world.ask("/v1/x?z=1", json={"n": 1})
    of_another = await world.ask(client="b", json={"n": 1})

    refused = (other_body, other_path, other_query)
    assert [one.status_code for one in refused] == [422, 422, 422]
    assert other_body.json()["type"] == "urn:smsward:problem:key-reused"
    assert (of_another.status_code, world.done) == (200, 2)


@pytest.mark.parametrize("status", [400, 404, 409, 412, 422, 429, 503])
async def test_what_changed_nothing_leaves_the_key_free(world: World, status: int) -> None:
    world.answer = lambda _: JSONResponse({}, status)
    await world.ask(json={"n": 1})
    world.answer = lambda _: JSONResponse({"fine": True})

    assert (await world.ask(json={"n": 2})).json() == {"fine": True}


async def test_what_was_broken_off_is_not_done_again(world: World) -> None:
    def fail(_: Request) -> Response:
        raise RuntimeError("broken off")

    world.answer = fail
    broken = await world.ask()
    again = await world.ask()

    assert (broken.status_code, again.status_code, world.done) == (500, 409, 1)
    assert again.json()["type"] == "urn:smsward:problem:conflict"


async def test_an_answer_that_is_secret_or_too_long_is_not_kept(world: World) -> None:
    def secret(request: Request) -> Response:
        request.state.is_secret = True
        return JSONResponse({"token": "s3cret"})

    world.answer = secret
    told = [(await world.ask()).status_code for _ in range(2)]
    world.answer = lambda _: JSONResponse("x" * (MAX_KEPT_OCTETS + 1))
    long = [(await world.ask(client="b")).status_code for _ in range(2)]

    assert (told, long) == ([200, 409], [200, 409])


async def test_a_get_needs_no_key_and_has_none(world: World) -> None:
    for _ in range(2):
        assert (await world.ask(method="GET")).status_code == 200

    assert world.done == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "\x7f"])
async def test_a_key_is_visible_ascii(world: World, key: str) -> None:
    headers = {"Authorization": "Bearer a", "Idempotency-Key": key}
    async with httpx.AsyncClient(transport=world.transport, base_url="http://api") as http:
        answer = await http.post("/v1/x", headers=headers)

    assert (answer.status_code, world.done) == (422, 0)
    assert answer.json()["faults"][0]["pointer"] == "/Idempotency-Key"


async def test_without_the_store_nothing_is_done(
    world: World, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(type(stores.api_answers), "reserve", fail)
    answer = await world.ask()

    assert (answer.status_code, answer.headers["Retry-After"], world.done) == (503, "1", 0)


async def test_an_answer_goes_out_also_where_it_cannot_be_kept(
    world: World, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(type(stores.api_answers), "keep", fail)

    assert (await world.ask()).status_code == 200
    assert (await world.ask()).status_code == 409


async def test_the_share_of_a_client_stands_in_each_answer(world: World) -> None:
    answers = [await world.ask(method="GET") for _ in range(REQUESTS_BURST + 1)]

    assert answers[0].headers["RateLimit-Policy"] == '"client";q=100;w=5'
    assert answers[0].headers["RateLimit"] == '"client";r=99;t=1'
    assert answers[-1].status_code == 429
    assert answers[-1].headers["RateLimit"] == '"client";r=0;t=5'
    assert answers[-1].headers["Retry-After"] == "1"
