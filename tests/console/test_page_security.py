"""What strangers and other sites try on pages: planted sessions, guesses, bodies, paths, GETs."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway.console.application import Console
from gateway.console.pages import SIGN_INS_PER_MINUTE
from gateway.domain.permissions import UserRole
from gateway.systems.users.model import SessionLimits
from gateway.systems.users.sign_in_pages import is_public
from gateway.web import access
from gateway.web.pages import MAX_FORM_OCTETS, SESSION_COOKIE
from tests.console.browsing import SAME, Site, post, sign_in
from tests.console.test_pages_in_browser import SEEN
from tests.systems.users.people import PASSWORD, enrolled


def routes_of(site: Site) -> list[APIRoute]:
    """Return the routes of all pages; a stream goes on for ever and is left out."""
    console = site.app()
    assert isinstance(console, Console)
    pages = console._pages
    assert isinstance(pages, FastAPI)
    routes = [one for one in pages.routes if isinstance(one, APIRoute)]
    return [one for one in routes if "events" not in one.path]


def methods_of(route: APIRoute) -> set[str]:
    return set(route.methods or ())


def path_of(route: APIRoute) -> str:
    """Return a path of a route, with something for each parameter."""
    path = route.path
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", "x").replace(f"{{{name}:path}}", "x")
    return path


# What axe looks at: of these paths only the ones that are no page by themselves are left out.
PARTS = {
    "/live",
    "/quarantine/jobs",
    "/quarantine/new",
    "/policies/replay/{number}/state",
    "/audit/chain",
}


def test_axe_looks_at_every_page_that_there_is(site: Site) -> None:
    tests = Path(__file__).resolve().parents[1].rglob("test_*_in_browser.py")
    source = "".join(one.read_text(encoding="utf-8") for one in tests)
    seen = re.findall(r'\.see\("([a-z-]+)"\)|^ +\("/[^"]*", "([a-z-]+)"\),$', source, re.MULTILINE)
    names = {one for pair in seen for one in pair if one}

    paths = {one.path for one in routes_of(site) if "GET" in methods_of(one)}

    assert paths - PARTS == SEEN.keys()
    assert set(SEEN.values()) - names == set()


# Planted sessions


async def test_a_token_that_was_planted_before_the_sign_in_is_worth_nothing_after_it(
    browser: httpx.AsyncClient, site: Site
) -> None:
    planted = {"Cookie": f"{SESSION_COOKIE}=a-token-that-an-attacker-knows-of-forty-3-ch"}
    person = await enrolled(site.stores, "lin")
    fields = {"name": "lin", "password": PASSWORD, "code": person.code(site.clock.at)}

    answer = await post(browser, "/sign-in", fields, {**SAME, **planted})
    browser.cookies.clear()

    assert answer.cookies[SESSION_COOKIE] not in planted["Cookie"]
    assert (await browser.get("/", headers=planted)).status_code == 303


async def test_an_attackers_own_session_that_was_planted_ends_with_the_sign_in(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.VIEWER, name="mallory")
    planted = dict(browser.cookies)

    await sign_in(browser, site, UserRole.ADMIN, name="lin")
    victim = await browser.get("/me")
    browser.cookies.clear()
    browser.cookies.update(planted)

    assert "lin" in victim.text
    assert (await browser.get("/")).status_code == 303


# Guesses


async def test_who_guesses_is_locked_out_and_gets_no_session(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await enrolled(site.stores, "lin")
    guess = {"name": "lin", "password": "guess", "code": "000000"}

    answers = [await post(browser, "/sign-in", guess) for _ in range(SIGN_INS_PER_MINUTE + 2)]
    known = {**guess, "password": PASSWORD}
    right = await post(browser, "/sign-in", known)

    assert {one.status_code for one in answers[:SIGN_INS_PER_MINUTE]} == {401}
    assert [one.status_code for one in (*answers[-2:], right)] == [429] * 3
    assert not any(SESSION_COOKIE in one.cookies for one in (*answers, right))


# Bodies


@pytest.mark.parametrize("path", ["/sign-in", "/language", "/enrol/x"])
async def test_a_body_that_grows_too_large_is_cut_off(
    browser: httpx.AsyncClient, path: str
) -> None:
    read = 0

    async def growing() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"a" * 65_536

    answer = await browser.post(path, content=growing(), headers=SAME)

    assert answer.status_code == 413
    assert read <= MAX_FORM_OCTETS // 65_536 + 1


async def test_a_body_that_is_announced_too_large_is_not_read(browser: httpx.AsyncClient) -> None:
    async def unread() -> AsyncIterator[bytes]:
        yield b"a"
        raise AssertionError("it was read")

    headers = {**SAME, "Content-Length": str(MAX_FORM_OCTETS + 1)}

    assert (await browser.post("/sign-in", content=unread(), headers=headers)).status_code == 413


async def test_a_body_that_does_not_come_is_not_waited_for(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_BODY_S", 0.01)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"name="
        await asyncio.Event().wait()

    assert (await browser.post("/sign-in", content=stuck(), headers=SAME)).status_code == 408


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2fpages.py",
        "/static/%2e%2e%2fpages.py",
        "/static/vendor/..%2f..%2fpages.py",
        "/static/..%5cpages.py",
        "/static//etc/passwd",
        "/static/%00",
        "/users/..%2f..%2fetc%2fpasswd",
        "/quarantine/..%2fusers",
        "/%2e%2e/etc/passwd",
    ],
)
async def test_no_path_leads_out_of_what_there_is(
    browser: httpx.AsyncClient, site: Site, path: str
) -> None:
    await sign_in(browser, site)

    answer = await browser.get(path)

    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example/", "/\\evil.example"])
async def test_a_sign_in_leads_to_no_other_site(
    browser: httpx.AsyncClient, site: Site, where: str
) -> None:
    person = await enrolled(site.stores, "lin")
    fields = {"name": "lin", "password": PASSWORD, "code": person.code(site.clock.at)}

    answers = [
        await post(browser, "/language", {"language": "en", "next": where}),
        await post(browser, "/theme", {"theme": "dark", "next": where}),
        await post(browser, "/sign-in", {**fields, "next": where}),
    ]

    assert {one.headers["location"] for one in answers} == {"/"}
    page = (await browser.get("/sign-in", params={"next": where})).text
    assert set(re.findall(r'(?:href|action|src)="[^"]*evil', page)) == set()
    assert f'name="next" value="{where}' not in page


# Methods and strangers


async def test_a_get_never_acts(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    routes = routes_of(site)
    shown = {route.path for route in routes if "GET" in methods_of(route)}
    acts = [route for route in routes if route.path not in shown]
    before = await site.stores.journals.head()

    answers = {route.path: await browser.get(path_of(route)) for route in acts}

    assert len(answers) > 5
    assert {path: one.status_code for path, one in answers.items() if one.status_code != 404} == {}
    assert await site.stores.journals.head() == before


async def test_a_stranger_sees_no_page_and_does_no_act(
    browser: httpx.AsyncClient, site: Site
) -> None:
    routes = [one for one in routes_of(site) if not is_public(one.path)]

    found = {
        (method, route.path): (await browser.request(method, path_of(route), headers=SAME))
        for route in routes
        for method in methods_of(route)
    }

    assert len(found) > 10
    wrong = {
        asked: answer.status_code
        for asked, answer in found.items()
        if answer.status_code != (303 if asked[0] == "GET" else 401)
        or not (asked[0] != "GET" or answer.headers["location"].startswith("/sign-in"))
    }
    assert wrong == {}


async def test_an_act_that_another_site_sends_is_refused_everywhere(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    acts = [route for route in routes_of(site) if "POST" in methods_of(route)]
    before = await site.stores.journals.head()

    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        statuses = {
            (await browser.post(path_of(route), headers=headers)).status_code for route in acts
        }
        assert statuses == {403}

    assert await site.stores.journals.head() == before


async def test_a_cookie_lasts_as_long_as_its_session(site: Site) -> None:
    site.limits = SessionLimits(absolute=timedelta(hours=24))
    transport = httpx.ASGITransport(site.app(), raise_app_exceptions=True)
    person = await enrolled(site.stores, "lin")
    fields = {"name": "lin", "password": PASSWORD, "code": person.code(site.clock.at)}

    async with httpx.AsyncClient(transport=transport, base_url="http://console") as longer:
        answer = await post(longer, "/sign-in", fields)

    session, _ = answer.headers.get_list("set-cookie")
    assert f"Max-Age={24 * 3600}" in session


async def test_behind_a_proxy_with_tls_cookies_are_for_tls_alone(site: Site) -> None:
    console = site.app()
    assert isinstance(console, Console)
    behind = Console(console._api, console._pages, is_behind_tls=True)
    person = await enrolled(site.stores, "lin")
    fields = {"name": "lin", "password": PASSWORD, "code": person.code(site.clock.at)}

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(behind), base_url="http://console"
    ) as browser:
        answer = await post(browser, "/sign-in", fields)

    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all("Secure" in cookie for cookie in cookies)
