"""The policy in Chromium beside a running gateway: a mistake, a replay, activation, rollback.

Pictures lie in build/screenshots.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.app import policies
from gateway.app.gateway import Gateway
from gateway.console.http_server import HttpServer
from gateway.domain.permissions import UserRole
from gateway.domain.records import Row, Why
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.smpp.status import CommandStatus
from simulators.esme import RawEsme
from tests.console.browsing import Site
from tests.console.test_pages_in_browser import (
    CHROMIUM,
    LOOKS,
    Look,
    Screen,
    browser,
    screen_of,
    submit,
)
from tests.systems.users.people import PASSWORD, StillClock, enrolled

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

FILE = "local.d/keywords/loan.yaml"
MISTAKE = "version: 1\nid: K-LOAN\naction: rejct\nwords: [低息贷款]\n"
RIGHT = MISTAKE.replace("rejct", "reject")
HOUR = 383_480  # 2013-09-30, 08 UTC

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="needs Debian's chromium"
    ),
]


def record_loans(directory: Path, count: int = 40) -> None:
    """Write records of messages that wait for a person for what they offer."""
    why = Why("quarantine", "CONTENT", "K-LOAN", "", "digest")
    rows: list[Row] = [
        (
            *("d", HOUR * 3600.0 + number, (1, "sp1", 4), number),
            *(b"10690001", f"138001380{number:02}".encode(), why, 0),
            (8, "低息贷款，当天放款".encode("utf-16-be")),
        )
        for number in range(count)
    ]
    lines, files = RecordLines(), HourFiles(directory)
    for hour, _, octets in lines.by_hour(rows):
        files.append(hour, octets)
    files.close()


@pytest.fixture
async def gateway(start: Start, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setattr(policies, "_EVERY_S", 0.01)
    return await start()


@pytest.fixture
async def site(gateway: Gateway, tmp_path: Path) -> AsyncIterator[Site]:
    record_loans(tmp_path / "var/cdr")
    found = Site(
        gateway.stores,
        StillClock(datetime(2026, 3, 2, 9, tzinfo=UTC)),
        policies=tmp_path / "policies",
        config=tmp_path / "config",
        wait_s=30.0,
    )
    yield found
    await found.jobs.stop()


async def edit(screen: Screen) -> None:
    """Write a mistake, go to its place, write what is right, and see what it changes."""
    page = screen.page
    await page.goto(f"{screen.base}/policies")
    await screen.see("policies")
    await page.goto(f"{screen.base}/policies/files/keywords/fraud.yaml")
    await screen.see("policy-file")
    if screen.look.language == "zh":  # what differs little from that
        await page.goto(f"{screen.base}/policies/versions/1/files/keywords/fraud.yaml")
        await screen.see("policy-version-file")
        await page.goto(f"{screen.base}/policies/new?name=..")
        await screen.see("policy-new")
    await page.goto(f"{screen.base}/policies/edit/{FILE}")
    await page.fill("#text", MISTAKE)
    await page.click("main form button.btn-primary")
    await page.click(f"text={FILE}:3:9")
    await screen.see("policy-mistake")
    assert await page.locator("#caret output").inner_text() == "3:9"
    await page.fill("#text", RIGHT)
    await page.click("main form button.btn-primary")
    await page.click("main a[href='/policies/draft'].btn-primary")
    await screen.see("policy-draft")


async def replay(screen: Screen) -> None:
    page = screen.page
    await page.click("main a[href='/policies/replay']")
    await screen.see("policy-replay")
    await page.click("main form[action='/policies/replay'] button")
    await page.wait_for_selector("text=138****", timeout=120_000)
    await screen.see("policy-replayed")


async def activate(screen: Screen) -> None:
    page = screen.page
    await page.goto(f"{screen.base}/policies/draft")
    await page.fill("#reason", "贷款类直接拒绝")
    await page.click("form[action='/policies/activate'] button[type=submit]")
    await page.wait_for_selector("main .alert-success", timeout=60_000)
    await screen.see("policy-activated")


async def roll_back(screen: Screen) -> None:
    page = screen.page
    await page.goto(f"{screen.base}/policies/versions/1")
    await page.fill("#reason", "误拦")
    await screen.see("policy-version")
    await page.click("form[action='/policies/versions/1/rollback'] button[type=submit]")
    await page.wait_for_selector("main .alert-success", timeout=60_000)


async def count_hits(screen: Screen) -> None:
    page = screen.page
    await page.goto(f"{screen.base}/policies/rules")
    await page.click("main form button")
    while await page.locator("main form button[disabled]").count():
        await page.goto(f"{screen.base}/policies/rules")
    await screen.see("policy-rules")


@LOOKS
async def test_an_operator_edits_replays_activates_and_rolls_back(
    gateway: Gateway, site: Site, attach: Attach, look: Look
) -> None:
    server = HttpServer(("127.0.0.1", 0), site.app(), whom="for the test")
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    person = await enrolled(site.stores, "lin", site.clock.at, role=UserRole.OPERATOR)
    async with browser() as found:
        screen = await screen_of(found, base, look)
        await screen.page.goto(f"{base}/sign-in?next=/policies")
        await submit(screen, name="lin", password=PASSWORD, code=person.code(site.clock.at))
        await screen.page.wait_for_selector("form[action='/policies/new']")
        await edit(screen)
        await replay(screen)
        await activate(screen)
        sp = await attach(gateway)
        answer = await sp.submit("10690001", "13800138000", "低息贷款，当天放款")
        await roll_back(screen)
        await count_hits(screen)
    await server.stop(at_once=True)

    newest, activated, _ = await site.stores.policies.versions()
    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert (activated.by, activated.note) == ("user: lin", "贷款类直接拒绝")
    assert (newest.by, newest.note) == ("user: lin", "rollback to 1: 误拦")
    assert not await asyncio.to_thread((site.policies / FILE).exists)
    assert screen.faults == []
