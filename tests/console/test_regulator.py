"""What an authority sees: one table of all pages, and of each only what is of its province."""

import re
from datetime import timedelta

import httpx
import pytest
from fastapi.routing import APIRoute

from gateway.domain.filings import Approval, Licence, PortScope
from gateway.domain.permissions import UserRole
from gateway.domain.sender import PortOwners
from gateway.domain.warning import WarningCode, WarningCount, WarningKind
from gateway.systems.complaints.model import ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
from tests.console.browsing import Site, post, sign_in
from tests.policy.conftest import sender
from tests.systems.users.people import NOON

HERE, THERE, NOWHERE = "10690001", "10690002", "10690003"

# Of one province, or of nobody but the user. All else is refused, whatever comes to be built.
OPEN_TO_READ = {
    "/",
    "/senders",
    "/complaints",
    "/complaints/{number}",
    "/warnings",
    "/warnings/{number}",
    "/me",
}
OPEN_TO_ACT = {"/me/password", "/me/recovery-codes", "/me/sign-out-others", "/sign-out"}
# For strangers, too.
PUBLIC = {"/sign-in", "/enrol/{token}", "/language", "/theme"}


@pytest.fixture
async def filed(site: Site) -> None:
    """Let `shop` have ports of two provinces and one of none, and something about each."""
    await site.stores.filings.put(
        [
            Licence("shop", "粤B2-20200001", (NOON + timedelta(days=400)).date()),
            PortScope("shop", HERE, "福建"),
            PortScope("shop", THERE, "广东"),
            Approval("shop", HERE, "闽批-1", NOON.date(), NOON.date()),
            Approval("shop", THERE, "粤批-1", NOON.date(), NOON.date()),
        ]
    )
    owners = PortOwners([sender("shop")])
    desk = ComplaintDesk(site.stores.complaints, lambda: owners, lambda: NOON)
    await desk.receive(
        [
            NewComplaint(
                source=ComplaintSource.CUSTOMER_SERVICE,
                source_id=f"c{port}",
                reported_at=NOON,
                sender=port,
                text="【易购】全场五折",
                reporter=8613800138000,
            )
            for port in (HERE, THERE, NOWHERE)
        ]
    )
    await site.stores.warnings.add(
        [
            WarningCount(WarningKind(WarningCode.W5, "R21", "shop", port), None, 3, 0, NOON, NOON)
            for port in (HERE, THERE, NOWHERE)
        ]
    )


async def statuses(browser: httpx.AsyncClient, site: Site, method: str) -> dict[str, int]:
    """Ask for every path of pages there is, and return how each answered."""
    found = {}
    for route in site.pages.routes:
        if isinstance(route, APIRoute) and method in (route.methods or ()):
            path = route.path.replace("{name:path}", "bundle.yaml")
            for name in route.param_convertors:
                path = path.replace(f"{{{name}}}", "1")
            asked = browser.get(path) if method == "GET" else post(browser, path)
            found[route.path] = (await asked).status_code
    return found


@pytest.mark.usefixtures("filed")
async def test_every_page_but_those_of_the_province_is_closed_to_an_authority(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="福建")

    read = await statuses(browser, site, "GET")

    assert {path for path, status in read.items() if status != 403} - PUBLIC == OPEN_TO_READ
    assert len(read) > 40


@pytest.mark.usefixtures("filed")
async def test_an_authority_acts_on_nothing_but_its_own_account(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="福建")

    done = await statuses(browser, site, "POST")

    assert {path for path, status in done.items() if status != 403} - PUBLIC == OPEN_TO_ACT
    assert len(done) > 40


@pytest.mark.usefixtures("filed")
async def test_an_authority_sees_complaints_and_warnings_of_its_ports_alone(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="福建")

    listed = [(await browser.get(path)).text for path in ("/complaints", "/warnings")]
    narrowed = (await browser.get(f"/complaints?port={THERE}")).text
    of_other = (await browser.get("/warnings?system_id=shop")).text
    seen = [
        [(await browser.get(f"/{what}/{number}")).status_code for number in (1, 2, 3)]
        for what in ("complaints", "warnings")
    ]
    text = (await browser.get("/complaints/1")).text

    for page in (*listed, of_other):
        assert HERE in page
    for page in (*listed, of_other):
        assert THERE not in page
        assert NOWHERE not in page
    assert "No complaint is here." in narrowed
    assert "received 3" in listed[0]
    assert seen == [[200, 404, 404], [200, 404, 404]]
    assert "【易购】全场五折" in text
    assert "13800138000" not in text
    looks = await site.stores.journals.accesses()
    assert [one.about for one in looks if one.action == "complaints show"] == ["complaint 1"] * 2


@pytest.mark.usefixtures("filed")
async def test_approvals_of_ports_elsewhere_are_not_shown(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="福建")

    page = (await browser.get("/senders?system_id=shop")).text

    assert "闽批-1" in page
    assert "粤批-1" not in page
    assert THERE not in page


@pytest.mark.usefixtures("filed")
async def test_an_authority_of_a_province_without_a_port_sees_totals_only(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="西藏")

    pages = [(await browser.get(path)).text for path in ("/complaints", "/warnings", "/senders")]

    for page in pages:
        for port in (HERE, THERE, NOWHERE):
            assert port not in page
    assert "received 3" in pages[0]


@pytest.mark.usefixtures("filed")
async def test_the_first_page_has_totals_of_the_province_alone(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="福建")
    await site.stores.complaints.judge({1: None, 2: None, 3: None})

    page = (await browser.get("/")).text
    chinese = (await browser.get("/", headers={"Accept-Language": "zh"})).text
    # Of three complaints, three warnings and two ports one each is of the province.
    assert _counts(page) == [
        ("complaints taken", 1),
        ("open warnings", 1),
        ("answers overdue", 0),
        ("ports filed", 1),
    ]
    rows = re.findall(
        r'fw-normal">(?:<a href="([^"]+)">)?([^<]+)(?:</a>)?</th><td[^>]*>(\d+)', page
    )
    assert rows == [
        *(("", "received", "0"), ("", "lacks something", "0")),
        ("/complaints?state=valid", "valid", "1"),
        *(("", "invalid", "0"), ("", "in a case", "0"), ("", "answered and closed", "0")),
        ("", "not said", "1"),
    ]
    assert 'href="/">' in page
    assert "hx-sse" not in page
    for word in ("福建", "受理举报", "涉及 1 家 SP", "举报处理状态"):
        assert word in chinese
    for elsewhere in (THERE, NOWHERE, "易购"):
        assert elsewhere not in page
    assert (await browser.get("/live")).status_code == 403


def _counts(page: str) -> list[tuple[str, int]]:
    """Return the labels and the numbers of the cards."""
    cards = r'class="subheader">([^<]+)</div>\s*<div [^>]+>(?:<a [^>]+>)?(\d+)<'
    return [(label, int(count)) for label, count in re.findall(cards, page)]


@pytest.mark.usefixtures("filed")
async def test_what_is_older_than_a_month_and_what_is_overdue_is_counted_so(
    browser: httpx.AsyncClient, site: Site
) -> None:
    site.clock.at += timedelta(days=31)
    await sign_in(browser, site, UserRole.REGULATOR, province="福建")

    page = (await browser.get("/")).text

    assert [count for _, count in _counts(page)] == [0, 1, 1, 1]
    assert "No complaint was taken in this time." in page


async def test_a_province_without_a_port_is_told_so(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="西藏")

    page = (await browser.get("/")).text

    assert "No port is filed for this province yet." in page
    assert [count for _, count in _counts(page)] == [0, 0, 0, 0]
