"""Every path and every role, in one table: what docs/reference/api.md says is what happens."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from hashlib import sha256
from itertools import count

import httpx
import pytest
from fastapi import FastAPI

from gateway.app.console import ConsoleProcess, routers_of
from gateway.console.application import OPEN, build_api
from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.domain.permissions import CLIENT_PERMISSIONS, Permission
from gateway.settings.console import ConsoleSettings
from gateway.settings.gateway import GatewaySettings
from gateway.settings.schema import Address
from gateway.stores import Stores
from gateway.web.access import ClientAccess
from gateway.web.problems import Problem

Rows = list[tuple[str, ...]]
Table = Callable[[str, str], Rows]

LIMITED = {ApiRole.SP, ApiRole.REGULATOR}
CLIENTS = [
    ApiClient(
        role,
        role,
        sha256(role.encode()).digest(),
        system_id="sp1" if role is ApiRole.SP else "",
        channels=(RefusalChannel.HALL,) if role is ApiRole.CLERK else (),
        province="广东" if role is ApiRole.REGULATOR else "",
    )
    for role in ApiRole
]


@pytest.fixture
def app(stores: Stores) -> FastAPI:
    settings = ConsoleSettings(version=1, address=Address("127.0.0.1", 0), clients=())
    api = ConsoleProcess(settings, {"sp1"}, "memory://")
    api.gateway = GatewaySettings(version=1, listeners=(), smscs=())
    # No request is one too many here.
    access = ClientAccess(CLIENTS, partial(next, count(0.0, 60.0)))
    return build_api(access, routers_of(stores, api))


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def may_use(http: httpx.AsyncClient, role: ApiRole, method: str, path: str) -> bool:
    """Tell whether a client of `role` gets to a route, be its request as it may."""
    headers = {"Authorization": f"Bearer {role}"}
    answer = await http.request(method, path.replace("{", "").replace("}", ""), headers=headers)
    return answer.status_code != 403


def roles_of(told: str) -> set[ApiRole]:
    """Return the roles that a cell of the reference means: by a permission, or by their names."""
    if told in {"nobody", "everybody"}:
        return set(ApiRole) if told == "everybody" else set()
    first, _, limited = told.partition("; ")
    if first not in set(Permission):
        return {ApiRole(one) for one in told.split(", ")}
    kept = {ApiRole(one) for one in limited.split(", ") if one}
    may = {role for role, has in CLIENT_PERMISSIONS.items() if Permission(first) in has}
    assert kept <= may & LIMITED
    return may - (LIMITED - kept)


async def test_every_route_is_for_the_roles_that_the_reference_says(
    table: Table, app: FastAPI, http: httpx.AsyncClient
) -> None:
    routes = [
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    ]
    found = {}
    for method, path in routes:
        roles = {role for role in ApiRole if await may_use(http, role, method, path)}
        found[f"{method} {path}"] = roles

    rows = table("reference/api.md", "# HTTP API")
    told = {row[0]: roles_of(row[1]) for row in rows}
    assert len(told) == len(rows)

    assert told == found
    assert {path for _, path in routes} >= OPEN - {"/openapi.json"}


def test_every_permission_stands_in_the_reference_with_its_roles(table: Table) -> None:
    told = {row[0]: row[1] for row in table("reference/api.md", "## Who may what")}

    roles = {
        one.value: ", ".join(role for role, may in CLIENT_PERMISSIONS.items() if one in may)
        for one in Permission
    }
    assert told == {one: said for one, said in roles.items() if said}


def test_every_problem_stands_in_the_reference(table: Table) -> None:
    rows = table("reference/api.md", "## Problems")

    assert [(row[0], row[1], row[2]) for row in rows] == [
        (kind.code, str(int(kind.status)), kind.title) for kind in Problem
    ]
