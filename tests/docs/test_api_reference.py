"""docs/reference/api.md says what the API is like: its routes, who may use them, its problems."""

from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import httpx
import pytest
from fastapi import FastAPI

from gateway.app.console import ConsoleProcess, routers_of
from gateway.console.application import ALIVE, HEALTH, READY, build_api
from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.settings.console import ConsoleSettings
from gateway.settings.gateway import GatewaySettings
from gateway.settings.schema import Address
from gateway.stores import Stores
from gateway.systems.linkage.api import SCHEMAS
from gateway.web.access import ClientAccess
from gateway.web.problems import Problem

Rows = list[tuple[str, ...]]
Table = Callable[[str, str], Rows]

CLIENTS = [
    ApiClient(
        role,
        role,
        sha256(role.encode()).digest(),
        system_id="sp1" if role is ApiRole.SP else "",
        channels=(RefusalChannel.HALL,) if role is ApiRole.CLERK else (),
    )
    for role in ApiRole
]


@pytest.fixture
def app(stores: Stores) -> FastAPI:
    settings = ConsoleSettings(version=1, address=Address("127.0.0.1", 0), clients=())
    api = ConsoleProcess(settings, {"sp1"}, "memory://")
    api.gateway = GatewaySettings(version=1, listeners=(), smscs=())
    return build_api(ClientAccess(CLIENTS, lambda: 0.0), routers_of(stores, api))


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    paths = app.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


async def may_use(http: httpx.AsyncClient, role: ApiRole, method: str, path: str) -> bool:
    """Tell whether a client of `role` gets to a route, be its request as it may."""
    headers = {"Authorization": f"Bearer {role}"}
    answer = await http.request(method, path.replace("{", "").replace("}", ""), headers=headers)
    return answer.status_code != 403


async def test_every_route_stands_in_the_reference_with_its_roles(
    table: Table, app: FastAPI, http: httpx.AsyncClient
) -> None:
    found = {}
    for method, path in routes_of(app):
        roles = [role for role in ApiRole if await may_use(http, role, method, path)]
        open_to_all = path in {HEALTH, ALIVE, READY, *SCHEMAS}
        found[f"{method} {path}"] = "everybody" if open_to_all else ", ".join(roles) or "nobody"

    rows = table("reference/api.md", "# HTTP API")

    assert {row[0]: row[1] for row in rows} == found


def test_every_problem_stands_in_the_reference(table: Table) -> None:
    rows = table("reference/api.md", "## Problems")

    assert [(row[0], row[1], row[2]) for row in rows] == [
        (kind.code, str(int(kind.status)), kind.title) for kind in Problem
    ]
