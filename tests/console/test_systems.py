"""What systems bring to the console is found by looking, and in no order that matters."""

import sys
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from gateway import systems
from gateway.app.console import ConsoleProcess, routers_of
from gateway.console import pages
from gateway.console.application import build_pages
from gateway.console.pages import LINKS
from gateway.settings.console import ConsoleSettings
from gateway.settings.gateway import GatewaySettings
from gateway.settings.schema import Address
from gateway.stores import Stores
from gateway.systems import declared_in_systems
from gateway.web.pages import Templates
from gateway.web.systems import SystemApi, SystemPages
from tests.console.browsing import Site
from tests.console.test_page_security import path_of

BRINGS: dict[str, tuple[str, type[object]]] = {
    "pages": ("SystemPages", SystemPages),
    "api": ("SystemApi", SystemApi),
}


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put one more system beside the others, for one test."""
    folder = tmp_path / "weather"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, (kind, _) in BRINGS.items():
        text = f"from gateway.web.systems import {kind}\nOWN = {kind}(())\n"
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(systems, "__path__", [*systems.__path__, str(tmp_path)])
    yield "gateway.systems.weather"
    for name in [one for one in sys.modules if one.startswith("gateway.systems.weather")]:
        del sys.modules[name]
    vars(systems).pop("weather", None)


@pytest.mark.parametrize("name", BRINGS)
def test_a_new_system_is_found_by_its_place(another: str, name: str) -> None:
    found = declared_in_systems(name, BRINGS[name][1])

    assert {another, "gateway.systems.audit", "gateway.systems.quarantine"} <= found.keys()
    assert "gateway.systems.legal_holds" not in found


def test_the_navigation_has_the_order_of_the_work() -> None:
    assert [link.path for link in LINKS] == [
        *("/", "/sessions", "/senders", "/traffic", "/trace", "/numbers", "/quarantine"),
        *("/complaints", "/cases", "/warnings", "/models", "/policies", "/approvals"),
        *("/users", "/audit"),
    ]
    assert len({link.order for link in LINKS}) == len(LINKS)


def overlapping(routers: list[APIRouter]) -> list[tuple[str, str]]:
    """Return paths of one router that a path of another router takes, too."""
    assert len(routers) > 15
    # Tests of permissions look at these: what is included in a router they would not see.
    assert all(isinstance(one, APIRoute) for router in routers for one in router.routes)
    return [
        (one.path, other.path)
        for ours, theirs in permutations(routers, 2)
        for one in ours.routes
        for other in theirs.routes
        if isinstance(one, APIRoute) and isinstance(other, APIRoute)
        if (one.methods or set()) & (other.methods or set())
        if compile_path(other.path)[0].match(path_of(one))
    ]


def test_the_order_of_routers_decides_on_no_path(
    site: Site, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_pages: list[APIRouter] = []

    def kept(templates: Templates, routers: Iterable[APIRouter], *more: Any) -> FastAPI:
        of_pages.extend(routers)
        return build_pages(templates, of_pages, *more)

    monkeypatch.setattr(pages, "build_pages", kept)
    site.app()
    settings = ConsoleSettings(version=1, address=Address("127.0.0.1", 0), clients=())
    console = ConsoleProcess(settings, {"sp1"}, "memory://")
    console.gateway = GatewaySettings(version=1, listeners=(), smscs=())

    assert overlapping(of_pages) == overlapping(routers_of(stores, console)) == []
