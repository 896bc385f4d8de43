"""Pages of SPs with their filings, and of what is kept of a number."""

from dataclasses import replace
from datetime import date, timedelta

import httpx
import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.filings import Licence, PortScope, Signature
from gateway.domain.permissions import UserRole
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceKind,
)
from gateway.stores import Stores
from tests.console.browsing import Site, post, sign_in
from tests.console.test_session_pages import SENDER, SUSPENDED
from tests.systems.users.people import NOON

NUMBER, MASKED = "13800138000", "138****8000"


FILED = (
    Licence("shop", "粤B2-20200001", date(2020, 1, 1)),
    Signature("shop", "商店"),
    PortScope("shop", "10690001", "福建"),
    PortScope("shop", "10690002", "广东"),
    Licence("far", "京B2-1", date(2999, 1, 1)),
    PortScope("far", "10690003", "北京"),
)


@pytest.fixture
async def filed(site: Site) -> None:
    site.answers["senders"] = [SENDER, SUSPENDED]
    await site.stores.filings.put(FILED)


@pytest.mark.usefixtures("filed")
async def test_senders_are_listed_with_licence_and_state(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)

    page = (await browser.get("/senders?system_id=shop")).text

    for said in ("粤B2-20200001", "ended", "商店", "福建", "广东", "far", "suspended", "10690001"):
        assert said in page


@pytest.mark.usefixtures("filed")
async def test_a_regulator_sees_what_concerns_its_province(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REGULATOR, province="福建")

    page = (await browser.get("/senders?system_id=shop")).text
    other = await browser.get("/senders?system_id=far")

    assert "福建" in page
    assert "粤B2-20200001" in page
    for hidden in ("广东", "京B2-1", ">far<", "bank", 'href="/traffic', 'href="/sessions'):
        assert hidden not in page
    assert (other.status_code, "京B2-1" in other.text) == (404, False)


@pytest.mark.usefixtures("filed")
async def test_an_sp_sees_its_own_filings_alone(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.SENDER, system_id="far")

    page = (await browser.get("/senders?system_id=shop")).text

    assert "京B2-1" in page
    assert "粤B2-20200001" not in page
    assert "bank" not in page


async def test_without_a_gateway_what_is_filed_is_shown_all_the_same(
    browser: httpx.AsyncClient, site: Site, filed: None
) -> None:
    assert filed is None
    await sign_in(browser, site)
    site.answers["senders"] = "no gateway runs on this store"

    page = (await browser.get("/senders")).text

    assert "no gateway runs on this store" in page
    assert "粤B2-20200001" in page


async def test_a_port_that_is_a_person_is_masked(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    site.answers["senders"] = [replace(SENDER, ports={"13900139000": "service"})]

    page = (await browser.get("/senders?system_id=shop")).text

    assert ("139****9000" in page, "13900139000" in page) == (True, False)


# Numbers


async def keep_number(stores: Stores) -> None:
    """Keep something of the number in each store."""
    msisdn = 8613800138000
    await stores.consent.record(
        [
            ConsentAnswer(msisdn, "shop", Answer.REFUSED, NOON, "sms", "13900139000 退订"),
            ConsentAnswer(
                msisdn, "bank", Answer.AGREED, NOON, "web", until=NOON - timedelta(days=1)
            ),
        ]
    )
    block = Preference(PreferenceKind.KEYWORD, "贷款", PreferenceAction.BLOCK)
    await stores.preferences.change(
        msisdn, lambda before: (*before, block), ChangeOrigin(Channel.API, NOON)
    )


@pytest.fixture
async def kept(site: Site) -> None:
    await keep_number(site.stores)


@pytest.mark.usefixtures("kept")
async def test_r73_what_is_kept_of_a_number_is_shown_masked_and_the_look_journaled(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)

    page = await post(browser, "/numbers", {"number": f"+86 {NUMBER}".replace(" ", "")})

    for said in (MASKED, "refused", "over", "贷款", "139****9000"):
        assert said in page.text
    assert NUMBER not in page.text
    assert "13900139000" not in page.text
    look, *_ = await site.stores.journals.accesses()
    assert (look.by, look.action, look.about) == ("user: lin", "number show", MASKED)


@pytest.mark.parametrize("number", ["", "12", "<b>", "138001380001380013800"])
async def test_what_is_no_number_is_told_and_not_journaled(
    browser: httpx.AsyncClient, site: Site, number: str
) -> None:
    await sign_in(browser, site)

    answer = await post(browser, "/numbers", {"number": number})

    assert (answer.status_code, "no number" in answer.text) == (422, True)
    assert not [one for one in await site.stores.journals.accesses() if one.action == "number show"]
