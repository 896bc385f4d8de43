"""Who sees which page of operations: one table of pages and roles."""

import httpx
import pytest

from gateway.domain.permissions import SCOPES, UserRole, UserScope
from tests.console.browsing import Site, post, sign_in

V, R, SR, O, S, G, A, M = (  # noqa: E741 - as wide as a column
    UserRole.VIEWER,
    UserRole.REVIEWER,
    UserRole.SENIOR_REVIEWER,
    UserRole.OPERATOR,
    UserRole.SENDER,
    UserRole.REGULATOR,
    UserRole.AUDITOR,
    UserRole.ADMIN,
)
SEEN_BY = {
    "/live": {V, R, SR, O, A, M},
    "/sessions": {V, R, SR, O, S, A, M},
    "/senders": {V, R, SR, O, S, G, A, M},
    "/traffic": {R, SR, O, S, A, M},
    "/trace": {R, SR, O, S, A, M},
    "/trace/ab12": {R, SR, O, S, A, M},
    "/numbers": {SR, M},
}
DONE_BY = {
    "/sessions/17/close": {O, M},
    "/senders/suspend": {O, M},
    "/senders/resume": {O, M},
    "/trace": {R, SR, O, S, A, M},
    "/numbers": {SR, M},
}
LIMITS = {UserScope.SYSTEM_ID: {"system_id": "sp1"}, UserScope.PROVINCE: {"province": "福建"}}


@pytest.mark.parametrize("role", UserRole)
async def test_each_role_sees_its_pages_and_does_its_acts_and_no_others(
    browser: httpx.AsyncClient, site: Site, role: UserRole
) -> None:
    scope = SCOPES.get(role)
    await sign_in(browser, site, role, **(LIMITS[scope] if scope is not None else {}))

    seen = {page for page in SEEN_BY if (await browser.get(page)).status_code != 403}
    done = {act for act in DONE_BY if (await post(browser, act)).status_code != 403}
    links = (await browser.get("/senders")).text

    assert seen == {page for page, roles in SEEN_BY.items() if role in roles}
    assert done == {act for act, roles in DONE_BY.items() if role in roles}
    for page in ("/sessions", "/traffic", "/trace", "/numbers"):
        assert (f'class="nav-link" href="{page}"' in links) is (role in SEEN_BY[page])


@pytest.mark.parametrize(("role", "path"), [(V, ""), (M, ""), (S, "/sessions"), (G, "")])
async def test_the_first_page_of_a_role_is_one_that_it_may_see(
    browser: httpx.AsyncClient, site: Site, role: UserRole, path: str
) -> None:
    scope = SCOPES.get(role)
    await sign_in(browser, site, role, **(LIMITS[scope] if scope is not None else {}))

    page = await browser.get("/")
    led = await browser.get(path or "/")

    assert page.headers.get("location", "") == path
    assert led.status_code == 200


@pytest.mark.parametrize("path", [*SEEN_BY, "/", "/live/events"])
async def test_a_stranger_sees_none(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", DONE_BY)
async def test_what_acts_comes_from_a_page_of_this_console(
    browser: httpx.AsyncClient, site: Site, path: str
) -> None:
    await sign_in(browser, site)

    answer = await post(browser, path, {}, {"Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, site.orders) == (403, [])
