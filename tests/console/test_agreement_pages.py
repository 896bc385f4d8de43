"""What is dealt to a second reviewer looks as any held message; how reviewers agree is a page."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from gateway.domain.permissions import UserRole
from gateway.domain.policy import ContentRule, OverdueAction, ReviewLimit
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.systems.approvals.service import TwoPersonRule
from gateway.systems.quarantine.campaigns import CampaignStore
from gateway.systems.quarantine.decisions import UNDO_FOR
from gateway.systems.quarantine.model import NewReview, PersonDecision
from gateway.systems.quarantine.second_reviews import SHOWN_FOR
from tests.console.browsing import CAMPAIGN, DIGEST, FIRST, SAME, Site, held_with, post, sign_in

MEI, WU = "user: mei", "user: wu"


@asynccontextmanager
async def browser_of(
    site: Site, name: str, role: UserRole = UserRole.REVIEWER
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a browser in which somebody else is signed in."""
    transport = httpx.ASGITransport(site.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as browser:
        browser.headers["Accept-Language"] = "en"
        await sign_in(browser, site, role, name=name)
        yield browser


async def hold(site: Site, number: int = FIRST, **changes: object) -> HeldMessage:
    held = held_with("黑户贷款，当天放款", message_id=number, **changes)
    await site.stores.quarantine.hold([held])
    return held


async def decided_first(
    site: Site, number: int = FIRST, decision: PersonDecision = PersonDecision.RELEASED
) -> None:
    """Let mei decide, and deal that twice."""
    decisions = site.stores.reviews
    await decisions.add(NewReview(number, decision, MEI, note="ok"), site.clock.at, UNDO_FOR)
    site.clock.at += UNDO_FOR
    await decisions.take_up(site.clock.at, dealt_twice=1.0)


async def decide(
    browser: httpx.AsyncClient, act: str, number: int = FIRST, **fields: str
) -> httpx.Response:
    return await post(browser, f"/quarantine/{number}/{act}", {"digest": DIGEST, **fields})


def _timeless(page: str) -> str:
    """Return a page without its nonces and the end of the lease that the look at it has taken."""
    return re.sub(r'name="until" value="[^"]+"|nonce="[^"]*"', "", page)


async def test_every_page_is_as_it_was_before_the_first_decision(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(site)
    await hold(site, FIRST + 1)
    paths = (
        "/quarantine/messages",
        f"/quarantine/messages?campaign={CAMPAIGN}",
        "/quarantine/messages?state=any",
        "/quarantine/messages?state=released",
        "/quarantine/messages?state=release_requested",
        f"/quarantine/new?top={FIRST - 1}",
        f"/quarantine/{FIRST}",
        f"/quarantine/{FIRST}/octets",
    )
    before = [_timeless((await browser.get(path)).text) for path in paths]

    await decided_first(site)

    after = [_timeless((await browser.get(path)).text) for path in paths]
    assert after == before
    assert f"/quarantine/{FIRST}/release" in after[6]
    searched = await post(browser, "/quarantine/number", {"number": "13800138000"})
    listed = (await browser.get(searched.headers["location"])).text
    assert listed.count('<span class="badge sw-state">') == 0
    assert MEI not in listed


async def test_a_second_decision_looks_as_a_first_one_and_changes_nothing(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(site)
    await hold(site, FIRST + 1)
    await decided_first(site)
    before = await site.stores.quarantine.get(FIRST)

    second = await decide(browser, "discard", FIRST, reason="fraud", category="fraud")
    plain = await decide(browser, "discard", FIRST + 1, reason="fraud", category="fraud")
    pages = [(await browser.get(f"/quarantine/{one}")).text for one in (FIRST, FIRST + 1)]
    twice = await decide(browser, "release", FIRST)
    by_state = await _listed(browser)
    listed = (await browser.get("/quarantine/messages")).text
    site.clock.at += UNDO_FOR
    await site.stores.reviews.take_up(site.clock.at)
    await site.stores.quarantine.receipt_sent(FIRST + 1)
    later = [(await browser.get(f"/quarantine/{one}")).text for one in (FIRST, FIRST + 1)]
    by_state_later = await _listed(browser)

    assert by_state == [("any", 2)]
    assert by_state_later == [("any", 2), ("discarded", 2)]
    assert (second.status_code, plain.status_code, twice.status_code) == (303, 303, 409)
    assert "another decision on it waits" in twice.text
    assert "list-group-item-action" not in listed
    assert listed.count('data-act="undo"') == 2
    assert listed.count("takes effect at") == 2
    for seen, as_ever in (pages, later):
        strip = r'(?s)class="sw-strip.*?</section>|\bnumber=\d+'
        same = [
            re.sub(r"\d{6,19}|/decisions/\d+", "N", re.sub(strip, "", one))
            for one in (seen, as_ever)
        ]
        assert _detail(same[0]) == _detail(same[1])
        assert MEI not in seen
    assert later[0].count("in effect") == 2
    assert await site.stores.quarantine.get(FIRST) == before


def _detail(page: str) -> str:
    found = re.search(r'(?s)<section class="card sw-detail".*?</section>', page)
    assert found is not None
    return _timeless(found[0])


async def _listed(browser: httpx.AsyncClient) -> list[tuple[str, int]]:
    """Return how many messages are listed in which state; states without one are left out."""
    pages = {
        state: (await browser.get(f"/quarantine/messages?state={state}")).text
        for state in ("any", *HoldState)
    }
    counts = ((state, page.count("list-group-item-action")) for state, page in pages.items())
    return [(state, count) for state, count in counts if count]


async def test_undo_gives_it_back_as_held(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(site)
    await decided_first(site)
    before = (await browser.get(f"/quarantine/{FIRST}")).text
    await decide(browser, "spam")
    (undo,) = re.findall(
        r'action="(/quarantine/decisions/\d+/undo[^"]*)"',
        (await browser.get("/quarantine/messages")).text,
    )

    undone = await post(browser, undo)
    again = await post(browser, undo)

    assert (undone.status_code, undone.headers["location"]) == (303, f"/quarantine/{FIRST}")
    assert again.status_code == 409
    page = (await browser.get(f"/quarantine/{FIRST}")).text
    assert _detail(page) == _detail(before)


async def test_escalating_it_leads_on_and_puts_it_before_nobody(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(site)
    await decided_first(site)

    answer = await post(browser, f"/quarantine/{FIRST}/escalate", {"note": "new words"})
    page = (await browser.get(f"/quarantine/{FIRST}")).text
    mine = (await browser.get("/quarantine/messages?escalated=yes")).text
    async with browser_of(site, "wu", UserRole.SENIOR_REVIEWER) as wu:
        theirs = (await wu.get("/quarantine/messages?escalated=yes")).text

    assert answer.status_code == 303
    assert f"/quarantine/{FIRST}/discard" in page
    assert MEI not in page
    assert str(FIRST) in mine
    assert str(FIRST) not in theirs


async def test_others_see_what_became_of_it(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.ADMIN)
    await hold(site)
    await decided_first(site, decision=PersonDecision.REJECTED)

    to_admin = (await browser.get(f"/quarantine/{FIRST}")).text
    listed = (await browser.get("/quarantine/messages")).text
    async with (
        browser_of(site, "mei") as mei,
        browser_of(site, "wu", UserRole.OPERATOR) as operator,
    ):
        to_others = [(await one.get(f"/quarantine/{FIRST}")).text for one in (mei, operator)]

    for page in (to_admin, *to_others):
        assert "discarded by user: mei" in page
        assert 'id="decision"' not in page
    assert "list-group-item-action" not in listed


async def test_the_lease_of_a_second_reviewer_is_shown_to_no_other(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(site)
    await decided_first(site)
    await browser.get(f"/quarantine/{FIRST}")

    async with browser_of(site, "mei") as mei, browser_of(site, "wu") as wu:
        to_first = (await mei.get("/quarantine/messages?state=any")).text
        to_third = (await wu.get(f"/quarantine/{FIRST}")).text

    assert "user: lin" not in to_first
    assert "is looking at it now" in to_third


async def test_after_an_hour_the_second_reviewer_sees_what_became_of_it(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(site, expires_at=site.clock.at + timedelta(days=2))
    await decided_first(site)
    await decide(browser, "discard")
    site.clock.at += UNDO_FOR
    meanwhile = (await browser.get(f"/quarantine/{FIRST}")).text
    for _ in range(2):  # the session stays in use
        site.clock.at += SHOWN_FOR / 3
        await browser.get(f"/quarantine/{FIRST}")
    site.clock.at += SHOWN_FOR / 3
    page = (await browser.get(f"/quarantine/{FIRST}")).text

    assert "discarded by user: lin" in meanwhile
    assert "release asked by user: mei" in page


# The page of agreement


async def test_the_report_has_figures_and_disagreements_with_numbers_masked(
    browser: httpx.AsyncClient, site: Site
) -> None:
    for number in range(4):
        await hold(site, FIRST + number)
        await decided_first(site, FIRST + number, PersonDecision.REJECTED)
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    for number, act in enumerate(("discard", "discard", "release")):
        await decide(browser, act, FIRST + number, reason="known to 13900139000")
    early = (await browser.get("/quarantine/agreement")).text
    site.clock.at += UNDO_FOR

    page = (await browser.get("/quarantine/agreement?days=7")).text
    chinese = await browser.get("/quarantine/agreement", headers={"Accept-Language": "zh"})

    assert "No second opinion was given yet." in early
    assert "Compared: 3, escalated: 0, waiting: 1, expired: 0." in page
    assert "<strong>67 %</strong> (21 to 94 %)" in page
    for said in (
        "user: mei",
        "user: lin",
        "139****9000",
        "138****8000",
        f"/quarantine/{FIRST + 2}",
    ):
        assert said in page
    for hidden in ("13900139000", "13800138000", f"/quarantine/{FIRST + 3}"):
        assert hidden not in page
    for word in ("复核一致率", "结论不一致", "仅本人放行", "21～94 %"):
        assert word in chinese.text
    assert 'href="/quarantine/agreement"' in page


@pytest.mark.parametrize("query", ["?days=x", "?days=-1&before=%00", "?before=9999999999999999999"])
async def test_an_odd_address_shows_the_usual_days(
    browser: httpx.AsyncClient, site: Site, query: str
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)

    page = await browser.get(f"/quarantine/agreement{query}")

    assert page.status_code == 200
    assert "Nothing was dealt to a second reviewer in this time." in page.text
    assert 'aria-current="page">30 days' in page.text


async def test_reviewers_do_not_see_the_report(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)

    page = await browser.get("/quarantine/agreement")
    listed = await browser.get("/quarantine/messages")

    assert page.status_code == 403
    assert "/quarantine/agreement" not in listed.text


async def test_hostile_notes_are_shown_as_text(browser: httpx.AsyncClient, site: Site) -> None:
    attack = "<script>alert(1)</script>"
    await hold(site, rule=attack, category=attack, system_id='"><img src=x>')
    await decided_first(site, decision=PersonDecision.REJECTED)
    given = NewReview(FIRST, PersonDecision.RELEASED, WU, note=attack, may_be_second=True)
    await site.stores.reviews.add(given, site.clock.at, UNDO_FOR)
    site.clock.at += UNDO_FOR
    await sign_in(browser, site, UserRole.AUDITOR)

    page = (await browser.get("/quarantine/agreement")).text

    assert attack not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    held = await site.stores.quarantine.get(FIRST)
    assert held is not None
    assert held.state is HoldState.DISCARDED


# Time limits


@pytest.mark.parametrize(
    ("then", "later", "listed", "shown"),
    [
        (OverdueAction.DISCARD, 0, "12 h left → discarded then", "it is discarded by itself then."),
        (OverdueAction.RELEASE, 11, "60 min left → released then", "and judged again."),
        (OverdueAction.KEEP, 12, "overdue</span>", "it stays held then, till it expires."),
    ],
)
async def test_the_list_shows_what_is_left_and_what_follows(
    browser: httpx.AsyncClient,
    site: Site,
    then: OverdueAction,
    later: int,
    listed: str,
    shown: str,
) -> None:
    site.content = ContentRule(review={"commercial": ReviewLimit(12 * 3600, then)})
    await hold(site)
    await hold(site, FIRST + 1, category="fraud")
    site.clock.at += timedelta(hours=later)
    await sign_in(browser, site, UserRole.REVIEWER)

    page = (await browser.get("/quarantine/messages")).text
    detail = (await browser.get(f"/quarantine/{FIRST}")).text
    other = (await browser.get(f"/quarantine/{FIRST + 1}")).text

    assert page.count(listed) == 1
    assert "11-26 00:00:00" in detail
    assert shown in detail
    assert "Decide by" not in other


async def test_in_a_selection_it_gets_an_opinion_and_nothing_tells(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    for number in (FIRST, FIRST + 1):
        await hold(site, number)
    await decided_first(site, decision=PersonDecision.REJECTED)
    page = (await browser.get("/quarantine/messages")).text
    chosen = re.findall(r'name="m"[^>]*value="(8[^"]*)"', page)
    before = await site.stores.quarantine.get(FIRST)

    given = [*(("m", one) for one in chosen), ("act", "release"), ("note", "a known customer")]
    made = await browser.post("/quarantine/chosen", content=urlencode(given), headers=SAME)
    shown = (await browser.get(made.headers["location"])).text
    detail = [(await browser.get(f"/quarantine/{one}")).text for one in (FIRST, FIRST + 1)]
    (undo,) = re.findall(r'action="(/quarantine/jobs/[0-9]+/undo[^"]*)"', shown)
    undone = await post(browser, undo)
    again = (await browser.get("/quarantine/messages")).text
    await browser.post("/quarantine/chosen", content=urlencode(given), headers=SAME)
    site.clock.at += UNDO_FOR
    await site.stores.campaigns.advance(site.clock.at)
    progress = (await browser.get("/quarantine/jobs?own=2")).text
    report = await site.stores.agreement.report(site.clock.at - SHOWN_FOR, site.clock.at)

    assert len(chosen) == 2
    assert made.headers["location"].endswith("own=1&left=0")
    assert "0 / 2" in shown
    assert "list-group-item-action" not in shown
    waits = [re.findall("A decision waits on it:[^/]*", one) for one in detail]
    assert waits[0] == waits[1] != []
    assert undone.status_code == 303
    assert again.count("list-group-item-action") == 2
    assert "2 / 2" in progress
    assert await site.stores.quarantine.get(FIRST) == before
    assert (report.rate.compared, report.rate.agreed) == (1, 0)


async def test_campaigns_count_what_is_dealt_to_who_looks(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    for number in (FIRST, FIRST + 1):
        await hold(site, number)
    before = _timeless((await browser.get("/quarantine")).text)
    await decided_first(site)

    after = _timeless((await browser.get("/quarantine")).text)
    async with browser_of(site, "mei") as mei:
        to_first = (await mei.get("/quarantine")).text

    assert after == before
    assert CAMPAIGN in after
    assert f"campaign={CAMPAIGN}" not in to_first


@pytest.mark.parametrize("limit", [None, 1])
async def test_a_whole_campaign_has_the_number_that_its_list_has(
    site: Site, limit: int | None
) -> None:
    site.rule = TwoPersonRule(release_campaign_above=limit)
    for number in (FIRST, FIRST + 1):
        await hold(site, number)
    await decided_first(site, decision=PersonDecision.REJECTED)
    path = f"/quarantine/campaigns/{CAMPAIGN}"
    before = await site.stores.quarantine.get(FIRST)

    given = {"act": "release", "note": "x"}
    async with browser_of(site, "wu", UserRole.SENIOR_REVIEWER) as wu:
        page = (await wu.get(path)).text
        wrong = await post(wu, path, {**given, "count": "1"})
        made = await post(wu, path, {**given, "count": "2"})

    assert '<strong class="sw-number">2</strong>' in page
    assert (wrong.status_code, made.status_code) == (409, 303)
    asked = [one.given["count"] for one in await site.stores.approvals.listed()]
    job = await site.stores.campaigns.job(1)
    if limit is None:
        assert job is not None
        assert (job.expected_count, asked) == (2, [])
    else:
        assert (job, asked) == (None, ["2"])
    assert await site.stores.quarantine.get(FIRST) == before


@pytest.mark.parametrize("others", [0, 1])
async def test_an_approved_release_gives_the_opinions_of_who_asked_for_it(
    site: Site, others: int
) -> None:
    site.rule = TwoPersonRule(release_campaign_above=0)
    for number in range(1 + others):
        await hold(site, FIRST + number)
    await decided_first(site, decision=PersonDecision.REJECTED)
    before, total = await site.stores.quarantine.get(FIRST), 1 + others

    given = {"act": "release", "note": "x", "count": str(total)}
    async with browser_of(site, "wu", UserRole.SENIOR_REVIEWER) as wu:
        await post(wu, f"/quarantine/campaigns/{CAMPAIGN}", given)
        (request,) = await site.stores.approvals.listed()
        async with browser_of(site, "lin", UserRole.SENIOR_REVIEWER) as lin:
            await post(lin, "/approvals/1/approve", {"digest": request.digest})
        page = (await wu.get("/approvals")).text
        waiting = (await wu.get("/quarantine/messages")).text
        site.clock.at += UNDO_FOR
        await site.stores.campaigns.advance(site.clock.at)
        after = (await wu.get("/quarantine/messages")).text

    assert f"job 1 releases {total} messages" in page
    assert waiting.count("list-group-item-action") == total
    assert "list-group-item-action" not in after
    job = await site.stores.campaigns.job(1)
    assert job is not None
    assert (job.expected_count, job.done) == (total, total)
    assert await site.stores.quarantine.get(FIRST) == before
    report = await site.stores.agreement.report(site.clock.at - timedelta(days=1), site.clock.at)
    assert (report.rate.compared, report.rate.agreed) == (1, 0)


async def test_an_exception_of_what_is_dealt_leads_where_that_of_any_message_does(
    site: Site,
) -> None:
    await hold(site)
    await decided_first(site)
    given = {"note": "agreed", "days": "7"}
    async with browser_of(site, "wu", UserRole.SENIOR_REVIEWER) as wu:
        made = await post(wu, f"/quarantine/{FIRST}/exception", given)
        page = (await wu.get(made.headers["location"])).text

    assert made.headers["location"].startswith(f"/quarantine/campaigns/{CAMPAIGN}?")
    assert '<strong class="sw-number">1</strong>' in page


async def test_what_comes_while_an_approval_is_asked_for_is_not_released_with_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.rule = TwoPersonRule(release_campaign_above=0)
    await hold(site)
    counted, calls = CampaignStore.held_of_each, list[int]()

    async def then_another(store: CampaignStore, *asked: Any, **more: Any) -> dict[str, int]:
        calls.append(1)
        found = await counted(store, *asked, **more)
        if len(calls) == 2:  # of all, and of what was typed in
            await hold(site, FIRST + 1)
        return found

    monkeypatch.setattr(CampaignStore, "held_of_each", then_another)
    given = {"act": "release", "note": "x", "count": "1"}
    async with browser_of(site, "wu", UserRole.SENIOR_REVIEWER) as wu:
        made = await post(wu, f"/quarantine/campaigns/{CAMPAIGN}", given)

    assert made.status_code == 303
    (request,) = await site.stores.approvals.listed()
    assert request.given["count"] == "1"
    assert await site.stores.quarantine.get(FIRST + 1) is not None
