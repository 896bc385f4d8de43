"""A sign-in at a provider of another site, in Chromium: its cookies, its redirects, its pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.console.http_server import HttpServer
from gateway.domain.permissions import UserRole
from gateway.systems.users.model import UserAct
from gateway.systems.users.oidc import OidcProvider
from gateway.systems.users.service import UserDesk
from tests.console import test_pages_in_browser as shared
from tests.console.browsing import Site
from tests.console.test_oidc import CLIENT, Provider
from tests.console.test_pages_in_browser import TWO_LOOKS, Look, screen_of

pytestmark = shared.pytestmark
site = shared.site


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    server = HttpServer(("127.0.0.1", 0), app, whom="for the test")
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop(at_once=True)


@asynccontextmanager
async def console_and_provider(site: Site) -> AsyncIterator[tuple[str, Provider]]:
    """Serve both: to a browser, localhost and 127.0.0.1 are two sites."""
    made: list[ASGIApp] = []

    async def console(scope: Scope, receive: Receive, send: Send) -> None:
        await made[0](scope, receive, send)

    provider = Provider(site.clock)
    async with served(console) as port, served(provider.app()) as other:
        base = f"http://127.0.0.1:{port}"
        provider.issuer = f"http://localhost:{other}"
        provider.redirect_uri = f"{base}/sign-in/oidc/done"
        client = replace(
            CLIENT,
            issuer=provider.issuer,
            redirect_uri=provider.redirect_uri,
            label="员工统一认证",
        )
        clocks = site.clock.clocks
        site.oidc = OidcProvider(client, clocks.now, clocks.utcnow)
        made.append(site.app())
        yield base, provider


@TWO_LOOKS
async def test_a_person_goes_to_the_provider_and_is_in_when_back(site: Site, look: Look) -> None:
    act = UserAct("root", site.clock.at)
    await UserDesk(site.stores.users).add("lin", UserRole.REVIEWER, act)
    async with console_and_provider(site) as (base, provider), shared.browser() as found:
        screen = await screen_of(found, base, look)
        page, context = screen.page, screen.page.context
        await page.goto(f"{base}/quarantine")
        await page.wait_for_selector("a[href='/sign-in/oidc?next=/quarantine']")
        await screen.see("sign-in-provider")

        await page.click("a[href^='/sign-in/oidc']")
        await page.wait_for_selector("#yes")
        await page.click("#yes")
        await page.wait_for_url(f"{base}/quarantine")
        title = await page.title()
        provider.claims["preferred_username"] = "wu"
        await context.clear_cookies()
        await page.goto(f"{base}/sign-in/oidc")
        await page.click("#yes")
        await page.wait_for_selector(".alert-danger")
        await screen.see("sign-in-provider-refused")

        faults = [one for one in screen.faults if "403" not in one]
        assert faults == []
        assert {"zh": "隔离短信", "en": "Held messages"}[look.language] in title
        await context.close()
