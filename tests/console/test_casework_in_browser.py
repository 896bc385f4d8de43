"""Warnings, sanctions, complaints and cases in Chromium. Pictures lie in build/screenshots."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.console.http_server import HttpServer
from gateway.domain.filings import PortScope
from gateway.domain.permissions import UserRole
from gateway.domain.sanction import SanctionLadder, SanctionStep
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.settings.gateway import LearningSettings
from gateway.stores import Stores
from gateway.systems.cases.model import CaseState
from gateway.systems.learning.model_directory import ModelChange, ModelDirectory
from tests.console.browsing import Site, complained
from tests.console.test_pages_in_browser import CHROMIUM, LOOKS, Look, browser, screen_of, submit
from tests.systems.learning.test_model_directory import model_octets
from tests.systems.users.people import PASSWORD, StillClock, enrolled

MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
CLOSES = replace(SanctionLadder(), automatic=frozenset({SanctionStep.CLOSE}))
TEXT = "【快贷】低息贷款请拨13800138001或4008208820，详情 http://evil.top/x"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="needs Debian's chromium"
    ),
]


@pytest.fixture
async def site(stores: Stores, tmp_path: Path) -> Site:
    models = ModelDirectory(tmp_path / "models")
    for score in (1, -1):
        models.install(model_octets(score), ModelChange(MORNING, "wu", "一月的短信"))
        if score > 0:
            models.promote(ModelChange(MORNING, "wu", "误拦更少"))
    for code, port, severity in (
        (WarningCode.W5, "10690001", Severity.MAJOR),
        (WarningCode.W7, "10690002", None),
    ):
        kind = WarningKind(code, "R21", "shop", port)
        count = WarningCount(kind, severity, 37, 4, MORNING, MORNING, ("4:101",), "loan")
        await stores.warnings.add([count])
    await stores.sanctions.propose(CLOSES, MORNING)
    senders = [f"10690001{number:02}" for number in range(6)]
    await complained(stores, TEXT, [*senders, "13911112222"], MORNING)
    clock = StillClock(MORNING + timedelta(hours=40))
    return Site(stores, clock, learning=LearningSettings(models=models.path, starter=False))


@pytest.fixture
async def base(site: Site) -> AsyncIterator[str]:
    server = HttpServer(("127.0.0.1", 0), site.app(), whom="for the test")
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop(at_once=True)


@LOOKS
async def test_an_administrator_works_on_warnings_and_cases(
    site: Site, base: str, look: Look
) -> None:
    person = await enrolled(site.stores, "lin", site.clock.at, role=UserRole.ADMIN)
    async with browser() as found:
        screen = await screen_of(found, base, look)
        page = screen.page
        await page.goto(f"{base}/sign-in?next=/warnings")
        await submit(screen, name="lin", password=PASSWORD, code=person.code(site.clock.at))
        await page.wait_for_selector("main table")
        await screen.see("warnings")
        for path, name in (
            ("/warnings/1", "warning"),
            ("/sanctions", "sanctions"),
            ("/sanctions/1", "sanction"),
            ("/complaints", "complaints"),
            ("/complaints/1", "complaint"),
            ("/cases", "cases"),
            ("/cases/1/graph", "case-graph"),
            ("/models", "models"),
        ):
            await page.goto(f"{base}{path}")
            await screen.see(name)
        await page.goto(f"{base}/cases/1")
        await page.fill("#to", "中国联通/广东")
        await page.click("form[action='/cases/1/act'] button")
        await page.wait_for_selector("option[value=accept]", state="attached")
        await screen.see("case")

    case = await site.stores.cases.get(1)
    assert case is not None
    assert case.state is CaseState.DISPATCHED
    assert screen.faults == []


async def test_an_authority_sees_the_totals_of_its_province_first(site: Site, base: str) -> None:
    ports = {one.port for one in await site.stores.complaints.find()} | {"10690001"}
    await site.stores.filings.put([PortScope("shop", one, "福建") for one in ports])
    role, province = UserRole.REGULATOR, "福建"
    people = [
        await enrolled(site.stores, name, site.clock.at, role=role, province=province)
        for name in ("wide", "narrow")
    ]
    faults: list[str] = []
    async with browser() as found:
        for person, name, width in zip(people, ("wide", "narrow"), (1280, 390), strict=True):
            screen = await screen_of(found, base, Look("zh", width))
            await screen.page.goto(f"{base}/sign-in")
            code = person.code(site.clock.at)
            await submit(screen, name=name, password=PASSWORD, code=code)
            await screen.page.wait_for_selector("h1:has-text('福建')")
            await screen.see("province")
            faults += screen.faults
            await screen.page.context.close()

    assert faults == []
