"""What people do in the console, from the browser to the wire: real processes on both sides.

A gateway with its console, a simulated SMSC, two SPs, and two people in Chromium at the same time:
one reads English on a wide light screen, the other Chinese on a narrow dark one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, Page, expect
from playwright.async_api import Error as BrowserError

from gateway.domain.permissions import UserRole
from gateway.domain.quarantine import HoldState
from gateway.runtime.clock import utcnow
from gateway.stores import open_store
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus
from tests.console.test_pages_in_browser import CHROMIUM, Look, Screen, browser, screen_of, submit
from tests.promises.deployment import FAULTS, Account, Deployment, GatewayProcess, source_of
from tests.promises.ledger import LISTS, text_of
from tests.real_time import WITHIN_S, eventually
from tests.systems.users.people import PASSWORD, enrolled

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="needs Debian's chromium"
    ),
]

PATIENCE_MS = WITHIN_S * 1000
CONSOLE = 'version: 1\naddress: "127.0.0.1:0"\n'
# On a machine that others load it would give way to all of them, and then give up its store.
PATIENT = """\
import sys
from gateway.app import console
from gateway.cli import main
from gateway.stores import open_store
console.give_way = bool
open_store.__kwdefaults__["deadline_s"] = 60.0
main(sys.argv[1:])
"""
ORDERED = "【示例商城】您的订单已发出，预计明天送达"
WARNING = "【江南农商行】凡自称无视征信黑白户的都是诈骗，本行贷款只在网点办理"
POLICE = "【城西反诈】近期有人群发无视征信黑白户的短信，接到请勿点击链接，可拨打96110"
LOANS = "【快易贷】无视征信黑白户，当天放款，拒收请回复R"
CREDIT = "【金元宝】凭身份证秒批三十万，无视征信黑白户，退订回T"
# An undo has ten seconds: on a machine that took longer the next of these is tried.
SPARES, CAMPAIGN = 4, 3


@dataclass
class Visit:
    """One person at a browser, one SP, and what this SP has submitted: text, number and id."""

    look: Look
    system_id: str
    prefix: str
    advert: str
    esme: RawEsme = field(init=False)
    screen: Screen = field(init=False)
    released: str = ""
    doubtful: list[str] = field(default_factory=list)
    undone: str = ""
    campaign: list[str] = field(default_factory=list)

    @property
    def page(self) -> Page:
        return self.screen.page

    async def send(self, text: str, tail: int) -> str:
        """Submit a text, and ask for its receipt; return the id that the SP hears."""
        source, number = source_of(self.system_id), f"{self.prefix}{tail:04}"
        answer = await self.esme.submit(source, number, text, registered_delivery=1)
        assert answer.is_ok
        return answer.message_id

    async def send_all(self) -> None:
        for tail in range(10):
            await self.send(ORDERED, tail)
        self.released = await self.send(WARNING, 10)
        self.doubtful = [await self.send(POLICE, 20 + tail) for tail in range(SPARES)]
        self.campaign = [await self.send(self.advert, 30 + tail) for tail in range(CAMPAIGN)]

    async def receipt_of(self, message_id: str) -> bytes:
        """Wait for the receipt of a message; return the PDU."""
        while message_id.encode() not in (octets := await self.esme.next_pdu(WITHIN_S)):
            pass
        return octets


def visits() -> tuple[Visit, Visit]:
    return (
        Visit(Look("en", 1280, ("light",)), "sp0", "1380013", LOANS),
        Visit(Look("zh", 390, ("dark",)), "sp1", "1390013", CREDIT),
    )


@asynccontextmanager
async def console_of(deployment: Deployment) -> AsyncIterator[str]:
    """Run the console of a deployment as a process; give its address."""
    (deployment.directory / "config/console.yaml").write_text(CONSOLE, encoding="utf-8")
    transport, process = await asyncio.get_running_loop().subprocess_exec(
        GatewayProcess,
        *(sys.executable, "-c", PATIENT, "console", "--config", "config", "--policies", "policies"),
        stdin=asyncio.subprocess.DEVNULL,
        cwd=deployment.directory,
    )
    process._transport = transport
    try:
        await process.logged("api.opened")
        yield f"http://127.0.0.1:{process.port_of('api.opened')}"
    finally:
        process.signal(signal.SIGTERM)
        await process.ended()
    assert [line for line in process.log if line["event"] in FAULTS] == []


@asynccontextmanager
async def signed_in(
    deployment: Deployment, base: str, found: Browser, visit: Visit
) -> AsyncIterator[None]:
    """Sign in with password and code; the overview is open then."""
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    try:
        person = await enrolled(
            stores, f"reviewer-{visit.look.language}", utcnow(), role=UserRole.ADMIN
        )
    finally:
        await stores.close()
    visit.screen = await screen_of(found, base, visit.look)
    context = visit.page.context
    context.set_default_timeout(PATIENCE_MS)
    await visit.page.goto(f"{base}/")
    await submit(visit.screen, name=person.name, password=PASSWORD, code=person.code(utcnow()))
    await visit.page.wait_for_selector("#live-alarms")
    try:
        yield
    finally:
        await context.close()


async def watch(visit: Visit, held: int) -> None:
    """See on the overview that was open before how messages pass and are held."""
    shown = visit.page.locator("#live-numbers .h1")
    await expect(shown.last).to_have_text(str(held), timeout=PATIENCE_MS)
    await expect(shown.first).not_to_have_text("0.0", timeout=PATIENCE_MS)
    await expect(visit.page.locator("#live-sessions")).to_contain_text(visit.system_id)
    await visit.screen.see("flow-1-overview")


async def find(visit: Visit, message_id: str) -> None:
    """Look a message up by its id, as an SP who asks names it."""
    page = visit.page
    try:
        await page.goto(f"{visit.screen.base}/quarantine/messages")
    except BrowserError:  # on a slow machine what was opened before may come only now
        await page.wait_for_load_state()
        await page.goto(f"{visit.screen.base}/quarantine/messages")
    if await page.get_attribute("#filters", "open") is None:
        await page.click("#filters summary")
    await page.fill("#number", message_id)
    async with page.expect_navigation():
        await page.press("#number", "Enter")
    await page.wait_for_selector("#decision")


async def release(visit: Visit) -> None:
    await find(visit, visit.released)
    await visit.screen.see("flow-2-message")
    await visit.page.fill("#reason", "银行的防骗提醒")
    async with visit.page.expect_navigation():
        await visit.page.click("[data-act=release]")
    await visit.screen.see("flow-3-released")


async def undo(visit: Visit) -> None:
    """Release a message and take that back, within ten seconds."""
    page = visit.page
    for message_id in visit.doubtful:
        await find(visit, message_id)
        async with page.expect_navigation():
            await page.click("[data-act=release]")
        button = page.locator(".sw-strip .sw-decided").first.locator("[data-act=undo]")
        if not await button.count():
            continue
        await button.click()
        await page.wait_for_selector(".sw-decided:first-child:not(:has([data-act=undo]))")
        if await page.locator("#decision [data-act=release]").count():  # in time: it is held again
            visit.undone = message_id
            break
    await visit.screen.see("flow-4-undone")


async def discard_campaign(visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{visit.screen.base}/quarantine")
    await page.locator(".sw-campaign", has_text=visit.advert[:6]).click()
    await page.click("[data-act=campaign]")
    await page.fill("#count", str(CAMPAIGN))
    await visit.screen.see("flow-5-whole-campaign")
    await page.click("[value=discard]")
    job = page.locator(".sw-job", has_text=f"reviewer-{visit.look.language}")
    await expect(job).to_contain_text(f"{CAMPAIGN} / {CAMPAIGN}", timeout=PATIENCE_MS)
    await visit.screen.see("flow-6-campaign-discarded")


async def suspend(visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{visit.screen.base}/sessions")
    order = page.locator(f"section[aria-label={visit.system_id}] .card-header")
    await order.locator("summary").click()
    await order.locator("input[name=reason]").fill("工单 2026-118：群发贷款广告")
    await order.locator("button[type=submit]").click()
    await page.wait_for_selector(".alert-success")
    await visit.screen.see("flow-7-suspended")


async def trace(visit: Visit) -> None:
    """Follow the released message from its submit to its receipt."""
    page = visit.page
    await page.goto(f"{visit.screen.base}/trace")

    async def is_traced() -> bool:
        await page.fill("#what", visit.released)
        async with page.expect_navigation():
            await page.press("#what", "Enter")
        return bool(await page.locator(".sw-steps", has_text="DELIVRD").count())

    await eventually(is_traced)  # records are written behind the messages
    await visit.screen.see("flow-8-trace")


async def review(visit: Visit) -> None:
    await release(visit)
    await undo(visit)
    await discard_campaign(visit)
    receipt = await visit.receipt_of(visit.released)
    await suspend(visit)
    refused = await visit.esme.submit(source_of(visit.system_id), f"{visit.prefix}0099", ORDERED)
    await trace(visit)

    assert b"stat:DELIVRD" in receipt
    assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert visit.undone


async def test_what_two_people_decide_in_the_console_is_what_reaches_smsc_and_sps(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    deployment = await deploy(Account("sp0"), Account("sp1"))
    deployment.write_policies(LISTS)
    await deployment.start()
    one, other = both = visits()
    for visit in both:
        visit.esme = await attach(deployment, visit.system_id)

    async with (
        console_of(deployment) as base,
        browser() as found,
        signed_in(deployment, base, found, one),
        signed_in(deployment, base, found, other),
    ):
        for visit in both:
            await visit.send_all()
        held = 2 * (1 + SPARES + CAMPAIGN)
        await asyncio.gather(*(watch(visit, held) for visit in both))
        await asyncio.gather(*(review(visit) for visit in both))

    kept = {str(message.message_id): message.state for message in await deployment.held()}
    arrived = [text_of(received.pdu) for received in smsc.journal]
    numbers = [received.destination for received in smsc.journal]
    assert arrived.count(WARNING) == 2
    assert len(set(zip(arrived, numbers, strict=True))) == len(arrived)
    for visit in both:
        assert kept[visit.released] is HoldState.RELEASED
        assert kept[visit.undone] is HoldState.HELD
        assert {kept[message_id] for message_id in visit.campaign} == {HoldState.DISCARDED}
        assert visit.advert not in arrived
        assert f"{visit.prefix}{20 + visit.doubtful.index(visit.undone):04}" not in numbers
        assert visit.screen.faults == []
    assert deployment.faults() == []
