"""Pages as people see them: in Chromium, in both languages, wide and narrow, light and dark.

What a page breaks of its Content-Security-Policy, and every message of the browser's console, ends
a test; so does what axe finds serious (WCAG 2.2, level AA). Pictures lie in build/screenshots.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright
from starlette.routing import compile_path

from gateway.console.http_server import HttpServer
from gateway.domain.permissions import UserRole
from gateway.stores import Stores
from gateway.systems.users.model import UserAct
from gateway.systems.users.service import UserDesk
from tests.console.browsing import Site
from tests.systems.users.people import PASSWORD, StillClock, code_of, enrolled

Theme: TypeAlias = Literal["light", "dark"]

CHROMIUM = shutil.which("chromium")
PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# Statuses of what is shown on purpose, which the browser notes.
EXPECTED = tuple(
    f"the server responded with a status of {status}" for status in (401, 404, 409, 422)
)

# Each page of the console, and under which name a test lets axe look at it.
SEEN = {
    "/": "overview",
    "/sessions": "sessions",
    "/trace": "trace-number",
    "/trace/{message_id}": "trace",
    "/traffic": "traffic",
    "/senders": "senders",
    "/numbers": "numbers",
    "/quarantine": "campaigns",
    "/quarantine/campaigns/{campaign}": "whole-campaign",
    "/quarantine/exceptions": "exceptions",
    "/quarantine/agreement": "agreement",
    "/quarantine/messages": "held-messages",
    "/quarantine/{message_id}": "held-message",
    "/quarantine/{message_id}/octets": "held-octets",
    "/complaints": "complaints",
    "/complaints/{number}": "complaint",
    "/cases": "cases",
    "/cases/{number}": "case",
    "/cases/{number}/graph": "case-graph",
    "/warnings": "warnings",
    "/warnings/{number}": "warning",
    "/sanctions": "sanctions",
    "/sanctions/{number}": "sanction",
    "/models": "models",
    "/policies": "policies",
    "/policies/new": "policy-new",
    "/policies/edit/{name:path}": "policy-mistake",
    "/policies/draft": "policy-draft",
    "/policies/files/{name:path}": "policy-file",
    "/policies/requests/{number}": "policy-activated",
    "/policies/versions/{number}": "policy-version",
    "/policies/versions/{number}/files/{name:path}": "policy-version-file",
    "/policies/replay": "policy-replay",
    "/policies/replay/{number}": "policy-replayed",
    "/policies/rules": "policy-rules",
    "/audit": "audit",
    "/approvals": "approvals",
    "/users": "users",
    "/users/{name}": "user",
    "/me": "own-settings",
    "/sign-in": "sign-in",
    "/enrol/{token}": "enrol",
}
ROUTE_OF = {name: path for path, name in SEEN.items()}

LOCALES = {"zh": "zh-CN", "en": "en-GB"}


class Look(NamedTuple):
    """How pages are shown: in which language, in how many pixels, in which themes."""

    language: str = "en"
    width: int = 1280
    themes: tuple[Theme, ...] = ("light", "dark")

    def __str__(self) -> str:
        return f"{self.language}-{self.width}"


ENGLISH = Look()
# In four looks there is each pair of language, width and theme.
LOOKS = pytest.mark.parametrize(
    "look",
    [
        Look("zh", 1280, ("light",)),
        Look("zh", 390, ("dark",)),
        Look("en", 1280, ("dark",)),
        Look("en", 390, ("light",)),
    ],
    ids=str,
)
TWO_LOOKS = pytest.mark.parametrize("look", [Look("zh", 390), Look("en", 1280)], ids=str)

pytestmark = [
    pytest.mark.slow,
    # On a person's machine it may be missing; .ci/run installs it, so that a skip hides nothing.
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="needs Debian's chromium"
    ),
]


@dataclass
class Screen:
    """One page in a browser, and what went wrong on it."""

    page: Page
    base: str
    look: Look
    faults: list[str] = field(default_factory=list)

    async def see(self, name: str) -> None:
        """Take a picture in each theme of its look, and let axe look at it."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        if name in ROUTE_OF:
            shown, _, _ = compile_path(ROUTE_OF[name])
            assert shown.match(urlsplit(self.page.url).path), f"{name} is {self.page.url}"
        for theme in self.look.themes:
            await self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            await self.page.wait_for_selector(f"html[data-bs-theme={theme}]")
            picture = PICTURES / f"{name}-{self.look}-{theme}.png"
            await self.page.screenshot(path=picture, full_page=True)
            found = await Axe().run(self.page, options=AXE)
            serious = (
                (one["id"], one["nodes"][0])
                for one in found.response["violations"]
                if one["impact"] in {"serious", "critical"}
            )
            self.faults += [
                f"{name} {theme}: {rule}: {node['html'][:100]}: {node['any'][:1]}"
                for rule, node in serious
            ]
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        if await self.page.evaluate(wide):
            self.faults.append(f"{name}: wider than the screen")

    def note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(
            one in message.text for one in EXPECTED
        ):
            self.faults.append(message.text)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        try:
            yield found
        finally:
            await found.close()


async def screen_of(found: Browser, base: str, look: Look = ENGLISH) -> Screen:
    """Return an empty page of somebody who has not been there before."""
    context = await found.new_context(
        viewport={"width": look.width, "height": 800}, locale=LOCALES[look.language]
    )
    screen = Screen(await context.new_page(), base, look)
    screen.page.on("console", screen.note)
    screen.page.on("pageerror", lambda error: screen.faults.append(str(error)))
    return screen


@pytest.fixture
def site(stores: Stores) -> Site:
    return Site(stores, StillClock(datetime(2026, 3, 2, 9, tzinfo=UTC)))


@pytest.fixture
async def base(site: Site) -> AsyncIterator[str]:
    server = HttpServer(("127.0.0.1", 0), site.app(), whom="for the test")
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop(at_once=True)


async def link(site: Site, name: str) -> str:
    act = UserAct("root", site.clock.at)
    return (await UserDesk(site.stores.users).add(name, UserRole.ADMIN, act)).token


async def submit(screen: Screen, **fields: str) -> None:
    for name, value in fields.items():
        await screen.page.fill(f"#{name}", value)
    await screen.page.click("main button[type=submit]")


async def enrol(screen: Screen, site: Site, name: str) -> str:
    """Set password and code by a link, with a wrong code first; return the secret."""
    await screen.page.goto(f"{screen.base}/enrol/{await link(site, name)}")
    secret = await screen.page.locator("p.sw-secret").inner_text()
    await screen.see("enrol")
    password = {"password": PASSWORD, "again": PASSWORD}
    await submit(screen, **password, code="000000")
    assert await screen.page.locator("p.sw-secret").inner_text() == secret
    await screen.see("enrol-refused")
    await submit(screen, **password, code=code_of(secret, site.clock.at))
    assert await screen.page.locator("li.sw-secret").count() == 10
    await screen.see("recovery-codes")
    return secret


@LOOKS
async def test_a_person_enrols_signs_in_looks_and_signs_out(
    site: Site, base: str, look: Look
) -> None:
    async with browser() as found:
        screen = await screen_of(found, base, look)
        page = screen.page
        secret = await enrol(screen, site, "lin")
        site.clock.move(90)

        await page.goto(f"{base}/")
        await screen.see("sign-in")
        await submit(screen, name="lin", password="not this one", code="000000")
        await screen.see("sign-in-refused")
        await submit(screen, name="lin", password=PASSWORD, code=code_of(secret, site.clock.at))
        await page.wait_for_selector("#live-alarms")
        await screen.see("overview")
        site.status = "no gateway runs on this store"
        await page.wait_for_selector("text=no gateway runs on this store", timeout=30_000)
        await screen.see("overview-without-gateway")
        await page.goto(f"{base}/nothing")
        await screen.see("not-found")
        await page.click("form[action='/sign-out'] button")
        await page.wait_for_selector("#name")
        await page.click("text=Dark" if look.language == "en" else "text=深色")
        await page.emulate_media(color_scheme="light")
        await page.reload()

        assert await page.get_attribute("html", "data-bs-theme") == "dark"
    assert screen.faults == []


async def test_htmx_obeys_no_attributes_that_were_slipped_into_a_page(
    site: Site, base: str
) -> None:
    asked: list[str] = []
    slipped = """
        document.querySelector("main").insertAdjacentHTML(
            "beforeend", '<p id="slipped" hx-post="/sign-out" hx-trigger="load">x</p>');
        htmx.process(document.querySelector("#slipped"));
    """
    person = await enrolled(site.stores, "lin", site.clock.at, role=UserRole.ADMIN)
    async with browser() as found:
        screen = await screen_of(found, base)
        page = screen.page
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{base}/")
        await submit(screen, name="lin", password=PASSWORD, code=person.code(site.clock.at))
        await page.wait_for_selector(".sw-chart canvas")
        await page.evaluate(slipped)
        await page.wait_for_selector("#slipped:not([hx-post])")
        site.status = "it is still shown what comes"
        await page.wait_for_selector("text=it is still shown what comes", timeout=30_000)

    assert f"{base}/sign-out" not in asked
    (fault,) = screen.faults
    assert "[hx-csp] blocked <p#slipped>: no hx-nonce attribute" in fault
