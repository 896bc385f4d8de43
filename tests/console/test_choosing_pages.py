"""Messages chosen in the list of held ones and decided on at once, and who has which message."""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from urllib.parse import urlencode

import httpx
import pytest

from gateway.domain.permissions import UserRole
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.systems.approvals.service import TwoPersonRule
from gateway.systems.quarantine.campaign_pages import choice_of
from gateway.systems.quarantine.campaigns import FEWER_ALONE
from gateway.systems.quarantine.decisions import LEASED, UNDO_FOR
from gateway.systems.quarantine.leases.store import LEASE_FOR
from gateway.systems.quarantine.model import MOST_CHOSEN
from tests.console.browsing import FIRST, SAME, Site, held_with, post, sign_in

Hold = Callable[..., Awaitable[list[HeldMessage]]]
CHOSEN, LEASE = "/quarantine/chosen", "/quarantine/lease"


@pytest.fixture
def site(site: Site) -> Site:
    """Return a console in which one person alone releases two chosen messages at most."""
    site.rule = TwoPersonRule(release_campaign_above=2)
    return site


@pytest.fixture
def hold(stores: Stores) -> Hold:
    """Return what puts so many messages into quarantine."""

    async def hold(count: int, **changes: object) -> list[HeldMessage]:
        texts = [f"黑户贷款，当天放款 {number}" for number in range(count)]
        messages = [
            held_with(text, **{"message_id": FIRST + number, **changes})
            for number, text in enumerate(texts)
        ]
        await stores.quarantine.hold(messages)
        return messages

    return hold


async def choose(
    browser: httpx.AsyncClient, choices: Sequence[str], path: str = CHOSEN, **fields: str
) -> httpx.Response:
    """Send the form as a browser without scripts does: a field for each box."""
    given = [
        *(("m", one) for one in choices),
        *({"act": "spam", "note": "case 7"} | fields).items(),
    ]
    return await browser.post(path, content=urlencode(given).encode(), headers=SAME)


async def states(site: Site) -> list[HoldState]:
    return [one.state for one in reversed(await site.stores.quarantine.find())]


async def test_chosen_messages_are_one_decision_with_progress_that_can_be_undone(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(4)

    page = (await browser.get("/quarantine/messages?rule=K-LOAN")).text
    boxes = re.findall(r'type="checkbox" form="choosing" name="m" value="([^"]+)"', page)
    made = await choose(browser, boxes[:3], f"{CHOSEN}?rule=K-LOAN", category="fraud")
    after = (await browser.get(made.headers["location"])).text
    (undo,) = re.findall(r'action="(/quarantine/jobs/[0-9]+/undo[^"]*)"', after)
    got = await browser.get(undo)
    undone = await post(browser, undo)
    again = await choose(browser, boxes[:3])
    await site.stores.campaigns.advance(site.clock.at + UNDO_FOR)
    part = (await browser.get("/quarantine/jobs?own=2")).text
    late = await post(browser, "/quarantine/jobs/2/undo")

    # The script keeps a choice by this name: who signs in next in this tab has not chosen it.
    assert 'data-user="lin"' in page
    assert "${form.dataset.user}`;" in (await browser.get("/static/choosing.js")).text
    assert len(boxes) == 4
    assert made.headers["location"] == "/quarantine/messages?rule=K-LOAN&own=1&left=0"
    assert after.count("list-group-item-action") == 1
    assert "0 / 3" in after
    assert "were left as they are" not in after
    assert (got.status_code, undone.status_code, late.status_code) == (404, 303, 409)
    assert undone.headers["location"] == "/quarantine/messages?rule=K-LOAN"
    assert again.status_code == 303
    assert "3 / 3" in part
    assert "<html" not in part
    held, gone = HoldState.HELD, HoldState.DISCARDED
    assert await states(site) == [held, gone, gone, gone]
    job = await site.stores.campaigns.job(1)
    assert job is not None
    assert (job.reason, job.note, job.category) == ("spam confirmed", "case 7", "fraud")


async def test_what_is_refused_keeps_what_was_chosen(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    first, second = await hold(2)
    elsewhere = f"{FIRST + 7}.{'0' * 16}"
    choices = [choice_of(first), choice_of(second), elsewhere]
    many = [f"{FIRST + number}.{'0' * 16}" for number in range(MOST_CHOSEN + 1)]

    silent = await choose(browser, choices, note=" ")
    large = await choose(browser, choices, act="release")
    unknown = await choose(browser, [elsewhere])
    answers = [
        await choose(browser, []),
        await choose(browser, many),
        await choose(browser, ["8' OR 1=1"]),
        await choose(browser, choices, act="keep"),
    ]

    assert (silent.status_code, large.status_code, unknown.status_code) == (422, 409, 409)
    assert silent.text.count('autocomplete="off" checked') == 2
    assert f'<input type="hidden" name="m" value="{elsewhere}">' in silent.text
    assert FEWER_ALONE in large.text
    assert [one.status_code for one in answers] == [422, 422, 400, 400]
    assert await site.stores.campaigns.latest() == []


async def test_what_others_have_or_changed_is_left_and_told(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    first, second, third = await hold(3)
    await site.stores.leases.take(second, "user: mei", site.clock.at)

    page = (await browser.get("/quarantine/messages?pick=all")).text
    made = await choose(browser, [choice_of(first), choice_of(second), f"{FIRST + 2}.{'0' * 16}"])
    after = (await browser.get(made.headers["location"])).text
    refused = await choose(browser, [choice_of(second)])

    assert page.count('autocomplete="off" checked') == 2
    assert choice_of(second) not in page
    assert "Of the chosen messages 2 were left" in after
    assert "0 / 1" in after
    assert (refused.status_code, LEASED in refused.text) == (409, True)
    assert third.state is HoldState.HELD


@pytest.mark.parametrize("role", [UserRole.REVIEWER, UserRole.AUDITOR])
async def test_only_who_may_decide_chooses(
    browser: httpx.AsyncClient, site: Site, hold: Hold, role: UserRole
) -> None:
    await sign_in(browser, site, role)
    (held,) = await hold(1)
    is_offered = role is UserRole.REVIEWER
    about = {"message": str(FIRST)}

    page = (await browser.get("/quarantine/messages")).text
    paths = [LEASE, f"{LEASE}/end", "/quarantine/jobs/9/undo"]
    answers = [
        await choose(browser, [choice_of(held)]),
        *[await post(browser, path, about) for path in paths],
    ]
    got = [await browser.get(path) for path in (CHOSEN, LEASE, f"{LEASE}/end")]
    foreign = [
        await post(browser, path, about, {"Sec-Fetch-Site": "cross-site"})
        for path in (CHOSEN, LEASE, f"{LEASE}/end")
    ]

    assert ('id="choosing"' in page) is is_offered
    expected = [303, 200, 400, 404] if is_offered else [403] * 4
    assert [one.status_code for one in answers] == expected
    assert [one.status_code for one in got] == [404] * 3
    assert [one.status_code for one in foreign] == [403] * 3


async def test_who_looks_at_a_message_has_it_until_the_page_is_left(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    messages = await hold(3)
    leases, now = site.stores.leases, site.clock.at

    await browser.get(f"/quarantine/{FIRST}")
    page = (await browser.get(f"/quarantine/{FIRST + 1}")).text
    has = await leases.of(messages, now)
    (until,) = re.findall(r'type="hidden" name="until" value="([^"]+)"', page)
    site.clock.at += timedelta(seconds=30)
    part = await post(browser, LEASE, {"message": str(FIRST + 1)})
    renewed = await leases.of(messages, now + LEASE_FOR)
    late = await post(browser, f"{LEASE}/end", {"message": str(FIRST + 1), "until": until})
    still = await leases.of(messages, site.clock.at)
    (until,) = re.findall(r'type="hidden" name="until" value="([^"]+)"', part.text)
    ended = await post(browser, f"{LEASE}/end", {"message": str(FIRST + 1), "until": until})

    assert [(one, lease.by) for one, lease in has.items()] == [(FIRST + 1, "user: lin")]
    assert "<html" not in part.text
    assert [*renewed] == [*still] == [FIRST + 1]
    assert (late.status_code, ended.status_code) == (204, 204)
    assert await leases.of(messages, site.clock.at) == {}


async def test_a_lease_that_was_lost_or_is_needed_no_more_is_not_renewed(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    first, second = await hold(2)
    await browser.get(f"/quarantine/{FIRST}")
    site.clock.at += LEASE_FOR
    await site.stores.leases.take(first, "user: mei", site.clock.at)
    await choose(browser, [choice_of(second)])

    lost = (await post(browser, LEASE, {"message": str(FIRST)})).text
    decided = (await post(browser, LEASE, {"message": str(FIRST + 1)})).text
    page = (await browser.get(f"/quarantine/{FIRST + 1}")).text
    unknown = await post(browser, LEASE, {"message": str(FIRST + 9)})

    assert "user: mei" in lost
    assert "a decision on it waits" in decided
    assert "A decision waits on it:" in page
    assert "formaction" not in page
    assert 'type="hidden" name="until"' not in lost + decided + page
    assert unknown.status_code == 404
