"""The review of held messages as reviewers work with it: in Chromium, by the keyboard."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from gateway.domain.permissions import UserRole
from gateway.domain.policy import ContentRule, OverdueAction, ReviewLimit
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.systems.quarantine.decisions import UNDO_FOR
from gateway.systems.quarantine.model import NewReview, PersonDecision
from tests.console.browsing import CAMPAIGN, FIRST, Site, held_with
from tests.console.test_pages_in_browser import (
    ENGLISH,
    LOOKS,
    TWO_LOOKS,
    Look,
    Screen,
    base,
    browser,
    pytestmark,
    screen_of,
    site,
    submit,
)
from tests.systems.users.people import PASSWORD, enrolled

__all__ = ["base", "pytestmark", "site"]

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED
HOSTILE = (
    "【贷速达】黑\u200b户贷款\u202e <b>当天</b>放款，点 http://evil.example/x 或致电 13900139000"
)


def held_now(site: Site, **changes: object) -> HeldMessage:
    """Return a held message that ends a day after the clock of the site."""
    return held_with(HOSTILE, expires_at=site.clock.at + timedelta(days=1), **changes)


@asynccontextmanager
async def reviewer(site: Site, base: str, look: Look = ENGLISH) -> AsyncIterator[Screen]:
    """Give the list of held messages as a reviewer sees it who has just signed in."""
    person = await enrolled(site.stores, "lin", site.clock.at, role=UserRole.SENIOR_REVIEWER)
    async with browser() as found:
        screen = await screen_of(found, base, look)
        await screen.page.goto(f"{base}/sign-in?next=/quarantine/messages")
        await submit(screen, name="lin", password=PASSWORD, code=person.code(site.clock.at))
        await ready(screen)
        yield screen


async def ready(screen: Screen) -> None:
    """Wait until keys that decide are taken: a moment after a message came up."""
    await screen.page.wait_for_selector("html[data-keys=ready]")


async def press(screen: Screen, key: str) -> None:
    """Press a key that leads to another message, and wait for that."""
    async with screen.page.expect_navigation():
        await screen.page.keyboard.press(key)
    await ready(screen)


async def choose_two_and_undo(screen: Screen) -> None:
    """Choose the message that is shown and the next, call them spam, undo: by the keyboard."""
    page = screen.page
    await page.keyboard.press("x")
    await press(screen, "j")
    await page.keyboard.press("x")
    assert await page.inner_text("#choosing-count") == "2"
    await page.keyboard.press("b")
    await page.keyboard.type("same words as yesterday")
    await page.keyboard.press("Enter")  # decides nothing
    await screen.see("held-chosen")
    for _ in range(3):
        await page.keyboard.press("Tab")
    await press(screen, "Enter")
    assert "0 / 2" in await page.inner_text("#jobs")
    assert await page.locator(".sw-held a").count() == 9
    await screen.see("held-chosen-waits")
    await press(screen, "z")
    assert await page.locator(".sw-held a").count() == 11


@LOOKS
async def test_a_reviewer_decides_with_plain_keys_which_rest_while_somebody_types(
    site: Site, base: str, look: Look
) -> None:
    await site.stores.quarantine.hold(
        [held_now(site, message_id=FIRST + number, score=93) for number in range(12)]
    )
    async with reviewer(site, base, look) as screen:
        page = screen.page
        await screen.see("held-messages")
        await press(screen, "j")
        assert f"/{FIRST + 11}?" in page.url
        await screen.see("held-message")
        await page.fill("#reason", "d")
        await page.press("#reason", "r")
        await page.press("#reason", "Enter")
        await page.locator("#reason").blur()
        await press(screen, "d")
        assert f"/{FIRST + 10}?" in page.url
        await screen.see("held-message-next")
        await choose_two_and_undo(screen)
        await press(screen, "j")
        assert f"/{FIRST + 10}?" in page.url
        await page.keyboard.press("v")
        await page.wait_for_selector(".sw-octets")
        await screen.see("held-message-octets")
        await page.keyboard.press("u")
        await page.keyboard.type("case 2013-118")
        await screen.see("held-message-unmask")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert "13800138000" in await page.inner_text("main [role=status]")
        assert "13800138000" not in page.url
        await page.keyboard.press("?")
        await screen.see("held-message-keys")
        await page.uncheck("#keys-on")
        await page.keyboard.press("Escape")
        await page.keyboard.press("r")
        await page.goto(f"{base}/quarantine/{FIRST + 10}")
        await page.wait_for_selector("#keys-on:not(:checked):not([disabled])", state="attached")

    untouched = await site.stores.quarantine.get(FIRST + 10)
    assert untouched is not None
    assert untouched.state is HoldState.HELD
    assert screen.faults == []


async def test_keys_can_be_given_to_other_acts(site: Site, base: str) -> None:
    await site.stores.quarantine.hold(
        [held_now(site, message_id=FIRST + number) for number in range(3)]
    )
    async with reviewer(site, base) as screen:
        page = screen.page
        await page.keyboard.press("?")
        assert await page.locator("dialog[open] input:focus").count() == 0
        await page.fill("#key-next", "k")  # is another act's
        await page.press("#key-next", "Tab")
        assert await page.is_visible("#keys-problem")
        await page.fill("#key-next", "n")
        await page.press("#key-next", "Tab")
        assert not await page.is_visible("#keys-problem")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("body:not(:has(:focus))")
        await page.keyboard.press("j")
        await press(screen, "n")

        assert f"/{FIRST + 2}?" in page.url
        await page.keyboard.press("?")
        await page.click("#keys-reset")
        assert await page.input_value("#key-next") == "j"
        await page.goto(f"{base}/quarantine/{FIRST}/octets")
        await screen.see("held-octets")
    assert screen.faults == []


async def test_twenty_messages_are_reviewed_by_the_keyboard_alone(site: Site, base: str) -> None:
    await site.stores.quarantine.hold(
        [held_now(site, message_id=FIRST + number, campaign="") for number in range(20)]
    )
    async with reviewer(site, base) as screen:
        page = screen.page
        await press(screen, "j")
        assert f"/{FIRST + 19}?" in page.url
        await page.keyboard.press("1")
        await press(screen, "s")
        await press(screen, "z")  # a slip: what was decided last comes back
        assert f"/{FIRST + 19}?" in page.url
        await press(screen, "d")
        for _ in range(9):
            await press(screen, "r")
        await page.keyboard.press("e")
        await page.keyboard.type("looks like a bank")
        await press(screen, "Enter")
        for _ in range(9):
            await page.keyboard.press("5")
            await press(screen, "s")
        assert await page.locator(".sw-held a").count() == 1  # what was escalated stays held
        await screen.see("held-reviewed")

    await site.stores.reviews.take_up(site.clock.at + UNDO_FOR)
    found = await site.stores.quarantine.find()
    states = Counter(one.state for one in found)
    assert states == {
        HoldState.DISCARDED: 10,
        HoldState.RELEASE_REQUESTED: 9,
        HoldState.HELD: 1,
    }
    assert screen.faults == []


async def test_a_message_is_kept_for_its_reviewer_until_the_page_is_left(
    site: Site, base: str
) -> None:
    held = held_now(site)
    await site.stores.quarantine.hold([held])
    async with reviewer(site, base) as screen:
        page = screen.page
        await page.clock.install()
        await press(screen, "j")
        site.clock.at += timedelta(seconds=40)
        async with page.expect_response("**/quarantine/lease"):
            await page.clock.fast_forward(30_000)
        leases = await site.stores.leases.of([held], site.clock.at)
        await page.goto(f"{base}/quarantine")
        async with asyncio.timeout(30):
            while await site.stores.leases.of([held], site.clock.at):
                await page.evaluate("1")

    assert leases[FIRST].until == site.clock.at + timedelta(seconds=90)
    assert screen.faults == []


async def test_keys_that_decide_rest_for_a_moment_after_a_message_came_up(
    site: Site, base: str
) -> None:
    await site.stores.quarantine.hold(
        [held_now(site, message_id=FIRST + number) for number in range(3)]
    )
    async with reviewer(site, base) as screen:
        page = screen.page
        # The clock of the page stands still: no matter how slow the machine is, it came up now.
        await page.add_init_script("window.now_ms = 0; performance.now = () => window.now_ms;")
        await page.goto(f"{base}/quarantine/{FIRST + 2}")
        await ready(screen)
        for key in "rsde":
            await page.keyboard.press(key)
        assert await page.locator("dialog[open]").count() == 0
        await page.evaluate("window.now_ms = 400")
        async with page.expect_navigation():
            await page.keyboard.press("r")

    decided = await site.stores.reviews.latest("user: lin", site.clock.at)
    assert [one.decision.message_id for one in decided] == [FIRST + 2]


@LOOKS
async def test_a_whole_campaign_is_discarded_and_undone(site: Site, base: str, look: Look) -> None:
    await site.stores.quarantine.hold(
        [
            held_now(
                site,
                message_id=FIRST + number,
                campaign="c0123456789abcdee" if number % 3 else CAMPAIGN,
                system_id=f"shop{number % 2}",
            )
            for number in range(30)
        ]
    )
    async with reviewer(site, base, look) as screen:
        page = screen.page
        await page.goto(f"{base}/quarantine")
        await screen.see("campaigns")
        await page.click(".sw-campaign")
        await ready(screen)
        await screen.see("campaign-messages")
        await press(screen, "j")
        async with page.expect_navigation():
            await page.keyboard.press("c")
        await page.fill("#count", "19")
        await page.click("[value=discard]")
        await page.wait_for_selector("[role=alert]")
        await page.fill("#count", "20")
        await screen.see("whole-campaign")
        async with page.expect_navigation():
            await page.click("[value=discard]")
        await page.wait_for_selector("progress")
        await screen.see("campaign-waits")
        async with page.expect_navigation():
            await page.click("[data-act=undo]")
        async with page.expect_navigation():
            await page.click(".sw-campaign")
        assert await page.locator(".sw-held a").count() == 20
    assert screen.faults == []


@TWO_LOOKS
async def test_such_messages_are_let_go_from_now_on(site: Site, base: str, look: Look) -> None:
    back = {
        "is_reviewed": True,
        "note": "judged again: CONTENT",
        "decision": "release asked by user: mei: the bank's own notice",
        "found": "F\tK-LOAN\t黑户贷款\nF\tR61\tloan\n",
        "overruled": "F\tK-LINK\tlinks to what is blocked: evil.example\n",
    }
    await site.stores.quarantine.hold([held_now(site, **back)])
    async with reviewer(site, base, look) as screen:
        page = screen.page
        await press(screen, "j")
        await screen.see("held-message-back")
        await page.click("[commandfor=exception]")
        await page.fill("#exception-note", "agreed with the bank")
        await screen.see("exception-dialog")
        async with page.expect_navigation():
            await page.press("#exception-note", "Enter")
        await screen.see("exception-before")
        await page.fill("#count", "1")
        async with page.expect_navigation():
            await page.click("button[value=release]")
        await page.goto(f"{base}/quarantine/exceptions")
        await screen.see("exceptions")
        async with page.expect_navigation():
            await page.click("main form button")
        await screen.see("exceptions-revoked")

    (one,) = await site.stores.exceptions.listed()
    (job,) = await site.stores.campaigns.latest()
    assert one.revoked_by == "user: lin"
    assert (job.rule, job.system_id, job.expected_count) == (one.rule, one.system_id, 1)
    assert screen.faults == []


async def test_what_is_dealt_twice_is_decided_by_keys_and_compared(site: Site, base: str) -> None:
    limit = ReviewLimit(12 * 3600, OverdueAction.DISCARD)
    site.content = ContentRule(review={"commercial": limit})
    kinds, numbers = ("loan", "education"), range(4)
    held = [
        held_now(site, message_id=FIRST + one, category=kinds[one % 2], held_at=site.clock.at)
        for one in numbers
    ]
    await site.stores.quarantine.hold(held)
    decisions, at = site.stores.reviews, site.clock.at - UNDO_FOR
    for number, decided in enumerate((RELEASED, REJECTED, REJECTED, REJECTED)):
        await decisions.add(NewReview(FIRST + number, decided, "user: mei", note="x"), at, UNDO_FOR)
    await decisions.take_up(site.clock.at, dealt_twice=1.0)
    before = [await site.stores.quarantine.get(FIRST + one) for one in numbers]
    async with reviewer(site, base) as screen:
        page = screen.page
        assert await page.locator(".sw-held a").count() == len(before)
        await press(screen, "j")
        await screen.see("dealt-twice")
        for key in "rsd":
            await press(screen, key)
        assert await page.locator(".sw-strip [data-act=undo]").count() == 3
        await press(screen, "z")
        await press(screen, "r")
        site.clock.at += UNDO_FOR
        for screen.look in (ENGLISH, Look("zh", 390)):
            language, width, _ = screen.look
            await page.set_viewport_size({"width": width, "height": 800})
            await page.context.add_cookies([{"name": "language", "value": language, "url": base}])
            await page.goto(f"{base}/quarantine/agreement")
            await screen.see("agreement")

    assert [await site.stores.quarantine.get(FIRST + one) for one in numbers] == before
    report = await site.stores.agreement.report(at - UNDO_FOR, site.clock.at)
    assert (report.dealt, report.rate.compared) == (4, 3)
    assert screen.faults == []
