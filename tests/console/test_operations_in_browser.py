"""Pages of operations in Chromium: live traffic, sessions, traces and records."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.console import live_streams
from gateway.domain.permissions import UserRole
from gateway.stores import Stores
from tests.console.browsing import STATUS, Site
from tests.console.test_pages_in_browser import (
    LOOKS,
    Look,
    Screen,
    base,
    browser,
    pytestmark,
    screen_of,
    submit,
)
from tests.console.test_record_pages import write_records
from tests.console.test_sender_pages import FILED, NUMBER, keep_number
from tests.console.test_session_pages import SENDER, SESSION, SUSPENDED
from tests.real_time import until
from tests.systems.users.people import PASSWORD, StillClock, enrolled

__all__ = ["base", "pytestmark"]


@pytest.fixture
def site(stores: Stores, tmp_path: Path) -> Site:
    """Return a console that knows some records."""
    made = Site(stores, StillClock(datetime(2026, 3, 2, 9, tzinfo=UTC)))
    write_records(made, tmp_path)
    return made


async def signed_in(
    screen: Screen, site: Site, path: str = "/", role: UserRole = UserRole.OPERATOR
) -> None:
    person = await enrolled(site.stores, "lin", site.clock.at, role=role)
    await screen.page.goto(f"{screen.base}/sign-in?next={path}")
    await submit(screen, name="lin", password=PASSWORD, code=person.code(site.clock.at))
    await screen.page.wait_for_selector(f"a[aria-current=page][href='{path}']")


@LOOKS
async def test_live_traffic_is_watched_by_a_stream_with_charts_and_tables(
    site: Site, base: str, look: Look
) -> None:
    async with browser() as found:
        screen = await screen_of(found, base, look)
        page = screen.page
        await signed_in(screen, site)
        await page.wait_for_selector(".sw-chart canvas")
        await page.click("details:has(#live-history) summary")
        await page.wait_for_selector("#live-history td")
        await screen.see("overview-live")
        site.status = replace(STATUS, warnings=("an alarm by the stream",))
        await page.wait_for_selector("text=an alarm by the stream", timeout=30_000)
        is_open = await page.evaluate("document.querySelector('details').open")

    assert is_open  # a swap closes nothing that a person has opened
    assert screen.faults == []


async def test_a_page_asks_every_five_seconds_where_no_stream_comes_through(
    site: Site, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_streams, "MOST_STREAMS", 0)
    async with browser() as found:
        screen = await screen_of(found, base)
        await signed_in(screen, site)
        site.status = replace(STATUS, warnings=("an alarm by asking",))
        await screen.page.wait_for_selector("text=an alarm by asking", timeout=60_000)

    assert screen.faults == []


async def test_a_tab_in_the_background_has_no_stream(site: Site, base: str) -> None:
    async with browser() as found:
        screen = await screen_of(found, base)
        await signed_in(screen, site)
        await until(lambda: len(site.streams) > 0)
        # What a browser tells a page whose tab goes into the background.
        await screen.page.evaluate(
            "Object.defineProperty(document, 'hidden', {value: true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        await until(lambda: not len(site.streams))

    assert screen.faults == []


@LOOKS
async def test_a_sender_is_suspended_at_once_and_let_go_again(
    site: Site, base: str, look: Look
) -> None:
    long = replace(SENDER, system_id="marketing-1", name="一家名字很长的会员营销服务有限公司")
    sessions = [replace(SESSION, number=n, system_id="marketing-1") for n in (21, 22)]
    site.answers |= {
        "sessions": [SESSION, *sessions, replace(SESSION, number=23, has_smsc=False)],
        "senders": [SENDER, long, SUSPENDED, replace(SENDER, system_id="idle", sessions=0)],
        "sender suspend": SUSPENDED.suspended,
        "sender resume": SUSPENDED.suspended,
    }
    async with browser() as found:
        screen = await screen_of(found, base, look)
        page = screen.page
        await signed_in(screen, site, "/sessions")
        await screen.see("sessions")
        shop = page.locator("section[aria-label=shop]")
        await shop.locator(".card-header summary").click()
        await shop.locator(".card-header input[name=reason]").fill("工单 2026-118：疑似诈骗")
        await shop.locator(".card-header input[name=unbind]").check()
        await screen.see("sessions-suspending")
        await shop.locator(".card-header button[type=submit]").click()
        await page.wait_for_selector(".alert-success")
        await screen.see("sessions-suspended")

    (order,) = site.orders
    assert (order["do"], order["system_id"], order["unbind"]) == ("sender suspend", "shop", True)
    assert (order["by"], order["note"]) == ("user: lin", "工单 2026-118：疑似诈骗")
    assert screen.faults == []


@LOOKS
async def test_a_message_is_found_in_the_traffic_and_traced(
    site: Site, base: str, look: Look
) -> None:
    async with browser() as found:
        screen = await screen_of(found, base, look)
        page = screen.page
        await signed_in(screen, site, "/traffic")
        await screen.see("traffic")
        await page.click("section:has(a[href*='rule=R21']) a[href*='rule=R21']")
        await page.wait_for_selector(".sw-chips a")
        await screen.see("traffic-filtered")
        await page.click("a[href='/trace/ab12']")
        await page.wait_for_selector("text=DELIVRD")
        await screen.see("trace")
        await page.fill("#what", NUMBER)
        await page.press("#what", "Enter")
        await page.wait_for_selector("text=K-LOAN")
        assert NUMBER not in page.url
        await screen.see("trace-number")

    assert screen.faults == []


@LOOKS
async def test_senders_and_what_is_kept_of_a_number_are_looked_up(
    site: Site, base: str, look: Look
) -> None:
    site.answers["senders"] = [SENDER, SUSPENDED]
    await site.stores.filings.put(FILED)
    await keep_number(site.stores)
    async with browser() as found:
        screen = await screen_of(found, base, look)
        page = screen.page
        await signed_in(screen, site, "/senders", UserRole.ADMIN)
        await page.click("a[href='/senders?system_id=shop']")
        await page.wait_for_selector("section[aria-label=shop]")
        await screen.see("senders")
        await page.goto(f"{base}/numbers")
        await page.fill("#number", NUMBER)
        await page.press("#number", "Enter")
        await page.wait_for_selector("text=138****8000")
        await screen.see("numbers")

    assert screen.faults == []
