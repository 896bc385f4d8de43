"""The page of sessions: what it shows to whom, and the orders that are given on it."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from gateway.domain.live import LiveSender, LiveSession, SuspendedSender
from gateway.domain.permissions import UserRole
from tests.console.browsing import Site, post, sign_in
from tests.systems.users.people import NOON

SESSION = LiveSession(
    17, "shop", "trx", "192.0.2.7", NOON - timedelta(days=1, hours=2), 3, 10, 12.5, True, "main"
)
SENDER = LiveSender(
    "shop",
    "商店",
    "active",
    None,
    {"10690001": "service"},
    1,
    4,
    10,
    100.0,
    {"forwarded": 12.5},
    {},
)
SUSPENDED = replace(
    SENDER,
    system_id="bank",
    sessions=0,
    suspended=SuspendedSender("bank", NOON, "root", "<b>fraud"),
)


@pytest.fixture(autouse=True)
def gateway(site: Site) -> None:
    site.answers |= {
        "sessions": [SESSION, replace(SESSION, number=18, system_id="sp1", has_smsc=False)],
        "senders": [SENDER, SUSPENDED, replace(SENDER, system_id="sp1")],
        "session close": [17],
        "sender suspend": SuspendedSender("shop", NOON, "user: lin", "why"),
        "sender resume": SuspendedSender("bank", NOON, "root", "why"),
    }


async def test_binds_are_shown_with_address_rate_window_and_age(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)

    page = (await browser.get("/sessions")).text

    for said in ("192.0.2.7", "12.5", "3 / 10", "1 d 2:00:00", "main", "lost", "1 of 4 sessions"):
        assert said in page
    assert "by root:" in page
    assert "&lt;b&gt;fraud" in page
    assert '<form method="post" action="/sessions' not in page


async def test_an_operator_closes_a_session_with_a_reason(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)

    done = await post(browser, "/sessions/17/close", {"reason": " hangs "})
    page = await browser.get(done.headers["location"])

    assert (done.status_code, "is being closed" in page.text) == (303, True)
    order = {"do": "session close", "number": 17, "by": "user: lin", "note": "hangs"}
    assert site.orders == [order]


@pytest.mark.parametrize(
    ("act", "fields", "unbind"),
    [("suspend", {"unbind": "yes"}, True), ("suspend", {}, False), ("resume", {}, False)],
)
async def test_an_operator_suspends_a_sender_at_once_and_lifts_it(
    browser: httpx.AsyncClient, site: Site, act: str, fields: dict[str, str], unbind: object
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    given = {"system_id": "shop", "reason": "case 7", **fields}

    done = await post(browser, f"/senders/{act}", given)

    assert done.status_code == 303
    about = {"system_id": "shop", "unbind": unbind, "by": "user: lin", "note": "case 7"}
    assert site.orders == [{"do": f"sender {act}", **about}]


async def test_without_a_reason_nothing_is_ordered(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)

    answer = await post(browser, "/senders/suspend", {"system_id": "shop", "reason": "  "})

    assert (answer.status_code, "Say why" in answer.text) == (422, True)
    assert site.orders == []


async def test_what_the_gateway_refuses_is_told(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    site.answers["session close"] = "there is no session 99"

    answer = await post(browser, "/sessions/99/close", {"reason": "hangs"})

    assert (answer.status_code, "there is no session 99" in answer.text) == (409, True)


@pytest.mark.parametrize("number", ["x", "-1", "٣", "9" * 40])
async def test_what_is_no_number_is_no_session(
    browser: httpx.AsyncClient, site: Site, number: str
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)

    assert (await post(browser, f"/sessions/{number}/close", {"reason": "x"})).status_code == 404


@pytest.mark.parametrize("role", [UserRole.VIEWER, UserRole.AUDITOR, UserRole.REVIEWER])
@pytest.mark.parametrize("path", ["/sessions/17/close", "/senders/suspend", "/senders/resume"])
async def test_who_only_looks_orders_nothing(
    browser: httpx.AsyncClient, site: Site, role: UserRole, path: str
) -> None:
    await sign_in(browser, site, role)

    answer = await post(browser, path, {"system_id": "shop", "reason": "why"})

    assert (answer.status_code, site.orders) == (403, [])


async def test_an_sp_sees_its_own_sessions_alone(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.SENDER, system_id="shop")

    page = (await browser.get("/sessions")).text

    assert "192.0.2.7" in page
    for other in ("sp1", "bank", 'href="/"', "/quarantine"):
        assert f">{other}" not in page
    assert 'class="nav-link" href="/quarantine"' not in page


async def test_a_gateway_that_does_not_answer_is_told(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    site.answers["sessions"] = "no gateway runs on this store"

    assert "no gateway runs on this store" in (await browser.get("/sessions")).text
