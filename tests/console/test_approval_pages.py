"""The page of approvals: a user becomes an admin when two persons want it."""

from datetime import timedelta

import httpx
import pytest

from gateway.domain.permissions import UserRole
from gateway.systems.approvals.model import ApprovalAct, ApprovalRefusal, ApprovalState
from gateway.systems.approvals.pages import ABOUT, ACTS, REFUSALS, STATES
from gateway.systems.approvals.service import TwoPersonRule
from gateway.systems.users.model import SessionLimits
from gateway.web.pages import Templates
from tests.console.browsing import CAMPAIGN, FIRST, Site, held_with, post, sign_in
from tests.systems.users.people import enrolled


@pytest.fixture
def site(site: Site) -> Site:
    site.rule = TwoPersonRule(make_admin=True, release_campaign_above=2, unmask_in_bulk_above=2)
    site.limits = SessionLimits(idle=timedelta(hours=2))
    return site


async def second(site: Site, role: UserRole = UserRole.ADMIN) -> httpx.AsyncClient:
    """Return the browser of another person, who is signed in."""
    transport = httpx.ASGITransport(site.app(), raise_app_exceptions=True)
    browser = httpx.AsyncClient(transport=transport, base_url="http://console")
    browser.headers["Accept-Language"] = "en"
    await sign_in(browser, site, role, name="wu")
    return browser


async def digest_of(site: Site) -> dict[str, str]:
    request = await site.stores.approvals.get(1)
    assert request is not None
    return {"digest": request.digest}


async def role_of(site: Site, name: str) -> str:
    user = await site.stores.users.get(name)
    assert user is not None
    return user.grant.role.value


async def test_a_second_admin_makes_a_user_an_admin(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei")
    other = await second(site)

    asked = await post(browser, "/users/mei/role", {"role": "admin"})
    before = await role_of(site, "mei")
    own = (await browser.get("/approvals")).text
    of_other = (await other.get("/approvals")).text
    alone = await post(browser, "/approvals/1/approve", await digest_of(site))
    done = await post(other, "/approvals/1/approve", await digest_of(site))
    again = await post(other, "/approvals/1/approve", await digest_of(site))
    shown = (await browser.get("/approvals")).text
    await other.aclose()

    assert (asked.headers["location"], before) == ("/approvals", "reviewer")
    assert "Another person has to decide on it." in own
    assert 'action="/approvals/1/approve"' not in own
    assert 'action="/approvals/1/approve"' in of_other
    assert (alone.status_code, "you have asked for it" in alone.text) == (409, True)
    assert (done.status_code, await role_of(site, "mei")) == (303, "admin")
    assert (again.status_code, "it was decided already" in again.text) == (409, True)
    assert "mei is an admin" in shown
    last, *_ = await site.stores.journals.accesses()
    assert (last.by, last.action) == ("user: lin (approved by user: wu)", "user role")


async def test_what_was_asked_and_came_of_it_is_in_the_language_of_the_page(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    other = await second(site, UserRole.SENIOR_REVIEWER)
    other.headers["Accept-Language"] = "zh"
    await hold(site, 3)
    await decide(browser, 3)

    asked = (await other.get("/approvals")).text
    await post(other, "/approvals/1/approve", await digest_of(site))
    done = (await other.get("/approvals")).text
    await other.aclose()

    assert f"放行整批短信: <bdi>{CAMPAIGN}，3 条短信</bdi>" in asked
    assert "作业 1 正在放行 3 条短信" in done


async def test_a_declined_request_changes_nothing(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei")
    other = await second(site)
    await post(browser, "/users/mei/role", {"role": "admin"})

    await post(other, "/approvals/1/decline", await digest_of(site))
    await other.aclose()

    assert "Declined" in (await browser.get("/approvals")).text
    assert await role_of(site, "mei") == "reviewer"


async def test_an_act_that_cannot_be_done_any_more_is_told(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei", role=UserRole.ADMIN)
    other = await second(site)
    await post(browser, "/users/mei/role", {"role": "admin"})

    await post(other, "/approvals/1/approve", await digest_of(site))
    page = (await other.get("/approvals")).text
    await other.aclose()

    assert "mei has this role already" in page
    assert "could not be done" in page


async def test_other_roles_need_no_second_person_and_a_new_admin_is_not_added(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei")

    changed = await post(browser, "/users/mei/role", {"role": "operator"})
    added = await post(browser, "/users", {"name": "hao", "role": "admin"})
    unknown = await post(browser, "/users/hao/role", {"role": "admin"})

    assert (changed.headers["location"], await role_of(site, "mei")) == ("/users/mei", "operator")
    assert (added.status_code, "an admin needs a second person" in added.text) == (422, True)
    assert unknown.status_code == 404
    assert "Nothing waits." in (await browser.get("/approvals")).text


async def test_who_may_not_do_the_act_may_not_approve_it(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei")
    other = await second(site, UserRole.SENIOR_REVIEWER)
    await post(browser, "/users/mei/role", {"role": "admin"})

    page = await other.get("/approvals")
    act = await post(other, "/approvals/1/approve", await digest_of(site))
    await other.aclose()

    assert (page.status_code, act.status_code) == (200, 403)
    assert "mei" not in page.text
    assert await role_of(site, "mei") == "reviewer"


# Campaigns


async def hold(site: Site, count: int) -> None:
    held = [held_with("黑户贷款", message_id=FIRST + number) for number in range(count)]
    await site.stores.quarantine.hold(held)


async def decide(browser: httpx.AsyncClient, count: int, act: str = "release") -> httpx.Response:
    fields = {"act": act, "count": str(count), "note": "客户已核实"}
    return await post(browser, f"/quarantine/campaigns/{CAMPAIGN}", fields)


async def test_a_large_campaign_is_released_by_two_persons(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    other = await second(site, UserRole.SENIOR_REVIEWER)

    await hold(site, 3)
    asked = await decide(browser, 3)
    before = await site.stores.campaigns.latest()
    await post(other, "/approvals/1/approve", await digest_of(site))
    page = (await other.get("/approvals")).text
    await other.aclose()

    (job,) = await site.stores.campaigns.latest()
    assert (asked.headers["location"], before) == ("/approvals", [])
    assert (job.campaign, job.by, job.expected_count, job.note) == (
        CAMPAIGN,
        "user: lin (approved by user: wu)",
        3,
        "客户已核实",
    )
    assert "job 1 releases 3 messages" in page


async def test_a_part_of_a_large_campaign_is_released_by_two_persons_too(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    other = await second(site, UserRole.SENIOR_REVIEWER)
    await hold(site, 3)
    await site.stores.quarantine.hold(
        [held_with("黑户贷款", message_id=FIRST + 9, system_id="bank")]
    )
    fields = {"act": "release", "count": "1", "note": "客户已核实", "system_id": "bank"}

    asked = await post(browser, f"/quarantine/campaigns/{CAMPAIGN}", fields)
    before = await site.stores.campaigns.latest()
    await post(other, "/approvals/1/approve", await digest_of(site))
    await other.aclose()

    (job,) = await site.stores.campaigns.latest()
    assert (asked.headers["location"], before) == ("/approvals", [])
    assert (job.system_id, job.expected_count) == ("bank", 1)


@pytest.mark.parametrize(("held", "act"), [(2, "release"), (3, "discard")])
async def test_a_small_one_and_a_discard_need_no_second_person(
    browser: httpx.AsyncClient, site: Site, held: int, act: str
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    await hold(site, held)

    answer = await decide(browser, held, act)

    (job,) = await site.stores.campaigns.latest()
    assert (answer.status_code, job.by) == (303, "user: lin")
    assert await site.stores.approvals.listed() == []


async def test_nobody_is_asked_about_another_number_than_is_held(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    await hold(site, 3)

    answers = [await decide(browser, count) for count in (4, 2)]

    assert [one.status_code for one in answers] == [409, 409]
    assert await site.stores.approvals.listed() == []
    assert await site.stores.campaigns.latest() == []


async def test_a_campaign_that_has_grown_meanwhile_is_not_released(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    other = await second(site, UserRole.SENIOR_REVIEWER)
    await hold(site, 3)
    await decide(browser, 3)
    await site.stores.quarantine.hold([held_with("黑户贷款", message_id=FIRST + 9)])

    await post(other, "/approvals/1/approve", await digest_of(site))
    page = (await other.get("/approvals")).text
    await other.aclose()

    assert "another number of messages is held" in page
    assert await site.stores.campaigns.latest() == []


# Whole numbers


async def unmask(browser: httpx.AsyncClient, reason: str = "工单 118") -> httpx.Response:
    fields = {"which": "destination", "reason": reason}
    return await post(browser, f"/quarantine/{FIRST}/number", fields)


async def test_more_whole_numbers_than_the_settings_say_need_two_persons(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    other = await second(site, UserRole.SENIOR_REVIEWER)
    await hold(site, 1)

    seen = [await unmask(browser) for _ in range(3)]
    own = (await browser.get("/approvals")).text
    await post(other, "/approvals/1/approve", await digest_of(site))
    page = (await browser.get("/approvals")).text
    more = [await unmask(browser) for _ in range(3)]
    of_other = await unmask(other)
    await other.aclose()

    assert [one.status_code for one in seen] == [200, 200, 303]
    assert [one.status_code for one in more] == [200, 200, 303]
    assert seen[-1].headers["location"] == more[-1].headers["location"] == "/approvals"
    assert "13800138000" not in seen[-1].text + own
    assert "Show more whole numbers: <bdi>2 more within an hour</bdi>" in own
    assert "工单 118" in own
    assert "Another person has to decide on it." in own
    assert "2 more whole numbers may be shown within an hour" in page
    assert "13800138000" in of_other.text
    looks = await site.stores.journals.accesses()
    shown = [one.by for one in looks if one.action == "quarantine unmask"]
    assert (shown.count("user: lin"), shown.count("user: wu")) == (4, 1)


async def test_an_hour_later_as_many_may_be_seen_again(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(site, 1)

    seen = [await unmask(browser) for _ in range(3)]
    site.clock.move(3600.0)
    seen.append(await unmask(browser))

    assert [one.status_code for one in seen] == [200, 200, 303, 200]


@pytest.mark.parametrize("number", ["0", "99", "x", "9" * 40, "%D9%A7"])
async def test_a_request_that_there_is_not_is_not_found(
    browser: httpx.AsyncClient, site: Site, number: str
) -> None:
    await sign_in(browser, site)

    assert (await post(browser, f"/approvals/{number}/approve")).status_code == 404


def test_every_word_is_there_in_chinese() -> None:
    templates = Templates({"web": "gateway.web", "approvals": "gateway.systems.approvals"})
    said = templates._words["zh"].gettext

    words = (*ACTS.values(), *STATES.values(), *REFUSALS.values())
    assert all(said(word) != word for word in words)
    assert ACTS.keys() == ABOUT.keys() == set(ApprovalAct)
    assert STATES.keys() == set(ApprovalState)
    assert REFUSALS.keys() == set(ApprovalRefusal)
