"""The review pages: what they show of a held message, to whom, and what a decision does."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import httpx
import pytest

from gateway.domain.permissions import UserRole
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.decisions import DECISION_WAITS, UNDO_FOR
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.pages import PAGE_ROWS, STATES
from gateway.systems.quarantine.service import STANDING, QuarantineDesk
from gateway.systems.quarantine.sql import TEXT_REPLACED
from gateway.web.pages import Templates
from simulators.builders import submit_sm, ucs2
from tests.console.browsing import CAMPAIGN, DIGEST, FIRST, Site, held_with, post, sign_in
from tests.systems.users.people import NOON

Hold = Callable[..., Awaitable[HeldMessage]]


@pytest.fixture
def hold(stores: Stores) -> Hold:
    """Return what puts a message into quarantine; give what should be otherwise."""

    async def hold(text: str = "黑户贷款，当天放款", **changes: object) -> HeldMessage:
        held = held_with(text, **changes)
        await stores.quarantine.hold([held])
        return held

    return hold


async def decide(
    browser: httpx.AsyncClient, number: int, act: str, query: str = "", **fields: str
) -> httpx.Response:
    return await post(browser, f"/quarantine/{number}/{act}{query}", {"digest": DIGEST, **fields})


async def take_up(site: Site) -> None:
    """Do what the gateway does when decisions of now are due."""
    await site.stores.reviews.take_up(site.clock.at + UNDO_FOR)


async def state_of(site: Site, number: int) -> HoldState | None:
    held = await site.stores.quarantine.get(number)
    return None if held is None else held.state


# What is shown


async def test_the_list_is_newest_first_and_without_texts(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold("第一条", message_id=FIRST)
    await hold("第二条", message_id=FIRST + 1)

    page = (await browser.get("/quarantine")).text

    assert 0 < page.index(f'href="/quarantine/{FIRST + 1}"') < page.index(str(FIRST) + '"')
    assert "第一条" not in page
    looks = [one.action for one in await site.stores.journals.accesses()]
    assert "quarantine show" not in looks


async def test_pages_of_fifty_follow_each_other(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    for number in range(PAGE_ROWS + 1):
        await hold(message_id=FIRST + number)

    first = (await browser.get("/quarantine")).text
    older = (await browser.get(f"/quarantine?before={FIRST + 1}")).text

    assert first.count("list-group-item-action") == PAGE_ROWS
    assert f'href="/quarantine?before={FIRST + 1}"' in first
    assert older.count("list-group-item-action") == 1


async def test_r73_numbers_are_masked_everywhere(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold(
        "加微信 139 0013 9001，或致电一三九零零一三九零零一",
        source="13900139000",
        evidence="13900139001",
        note="13900139002",
        decision="13900139003",
    )

    page = (await browser.get(f"/quarantine/{FIRST}")).text

    assert "138****8000" in page
    assert "139****9000" in page
    for whole in ("1390013900", "139 0013 9001", "一三九零零一三九零零一", "13800138000"):
        assert whole not in page


async def test_r73_a_look_at_a_text_is_journaled_with_the_user(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)
    await hold()

    await browser.get(f"/quarantine/{FIRST}")

    look, *_ = await site.stores.journals.accesses()
    assert (look.by, look.action, look.about, look.reason, look.at) == (
        "user: lin",
        "quarantine show",
        f"message {FIRST}",
        "",
        site.clock.at,
    )


async def test_r73_without_a_journal_no_text_is_shown(
    browser: httpx.AsyncClient, site: Site, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(browser, site)
    await hold("黑户贷款，当天放款")

    async def fail(*_: object) -> int:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(type(site.stores.journals), "_append", fail)
    page = await browser.get(f"/quarantine/{FIRST}")

    assert page.status_code == 503
    assert "当天放款" not in page.text


async def test_hostile_texts_and_names_are_shown_as_text(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    attack = "<script>alert(1)</script>"
    await hold(
        f"{attack}\u202e\u200b点 http://evil.example/x\n第二行",
        system_id='"><img src=x>',
        category=attack,
        evidence=attack,
        rule=attack,
        note=attack,
        decision="\u202e",
        owner=attack,
    )

    page = (await browser.get(f"/quarantine/{FIRST}")).text

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e\\u200b点 http://evil.example/x\n" in page
    assert 'href="http' not in page
    assert "\u202e" not in page
    assert "\u200b" not in page


async def test_a_long_message_is_one_text_with_its_parts(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    for part, text in enumerate(("黑户贷款，", "当天放款"), start=1):
        udh = bytes((5, 0, 3, 7, 2, part))
        await hold(
            message_id=FIRST + part,
            pdu=submit_sm("10690001", "13800138000", udh + ucs2(text), esm_class=0x40),
            assembly=FIRST + 1,
            part=part,
        )

    page = (await browser.get(f"/quarantine/{FIRST + 2}")).text
    await decide(browser, FIRST + 2, "discard")
    await take_up(site)

    assert "黑户贷款，当天放款" in page
    assert f'<a href="/quarantine/{FIRST + 1}">{FIRST + 1}</a>' in page
    assert await state_of(site, FIRST + 1) is HoldState.DISCARDED


async def test_the_page_is_there_in_chinese(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()

    page = await browser.get(f"/quarantine/{FIRST}", headers={"Accept-Language": "zh"})

    for word in ("隔离短信", "已隔离", "放行", "丢弃", "依据"):
        assert word in page.text


def test_every_state_has_its_words_in_chinese() -> None:
    templates = Templates({"web": "gateway.web", "quarantine": "gateway.systems.quarantine"})
    said = templates._words["zh"].gettext

    words = (*STANDING.values(), *STATES.values(), DECISION_WAITS, TEXT_REPLACED)
    assert all(said(word) != word for word in words)
    assert STATES.keys() == STANDING.keys() == set(HoldState)


# Filters


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("state=held", 2),
        ("state=released", 0),
        ("state=deferred", 1),
        ("state=any", 2),
        ("system_id=shop", 1),
        ("system_id=%25", 0),
        ("system_id=s_op", 0),
        ("system_id=' OR 1=1 --", 0),
        ("category=fraud", 1),
        ("category=%25", 0),
        (f"campaign={CAMPAIGN}", 2),
        ("campaign=c0123456789abcdee", 0),
    ],
)
async def test_filters_find_what_is_equal_and_nothing_else(
    browser: httpx.AsyncClient, site: Site, hold: Hold, query: str, count: int
) -> None:
    await sign_in(browser, site)
    await hold()
    await hold(message_id=FIRST + 1, system_id="bank", category="fraud_prize")
    await hold(message_id=FIRST + 2, state=HoldState.DEFERRED, due_at=NOON, system_id="late")

    page = await browser.get(f"/quarantine?{quote(query, safe='=%')}")

    assert page.status_code == 200
    assert page.text.count("list-group-item-action") == count


@pytest.mark.parametrize(
    "query",
    [
        "state=nothing",
        "system_id=%00",
        f"system_id={'x' * 65}",
        "category=%E2%80%AE",
        "campaign=%25",
        "before=1",
        "before=%3Cb%3E",
    ],
)
async def test_a_filter_that_nothing_can_fit_is_said_to_be_wrong(
    browser: httpx.AsyncClient, site: Site, hold: Hold, query: str
) -> None:
    await sign_in(browser, site)
    await hold()

    page = await browser.get(f"/quarantine?{query}")

    assert page.status_code == 422
    assert "No message can fit this" in page.text
    assert "list-group-item-action" not in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize("number", ["1", "x", str(FIRST + 7), "%3Cb%3E", "9" * 40, "..%2Fusers"])
async def test_a_wrong_id_is_not_found(
    browser: httpx.AsyncClient, site: Site, hold: Hold, number: str
) -> None:
    await sign_in(browser, site)
    await hold()

    shown = await browser.get(f"/quarantine/{number}")
    decided = await post(browser, f"/quarantine/{number}/release", {"digest": DIGEST})

    assert (shown.status_code, decided.status_code) == (404, 404)
    assert await state_of(site, FIRST) is HoldState.HELD


# Decisions


@pytest.mark.parametrize(
    ("act", "state", "words"),
    [
        ("release", HoldState.RELEASE_REQUESTED, "release asked by"),
        ("discard", HoldState.DISCARDED, "discarded by"),
    ],
)
async def test_a_decision_waits_ten_seconds_before_it_takes_effect(
    browser: httpx.AsyncClient, site: Site, hold: Hold, act: str, state: HoldState, words: str
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    message = await hold()

    answer = await decide(browser, FIRST, act, reason="  the bank\nsaid so ")
    page = await browser.get(answer.headers["location"])
    before = await site.stores.quarantine.get(FIRST)
    await take_up(site)

    held = await site.stores.quarantine.get(FIRST)
    assert before == message
    assert held is not None
    assert (held.state, held.decision) == (state, f"{words} user: lin: the bank\\nsaid so")
    assert answer.headers["location"] == f"/quarantine?last={FIRST}"
    assert "Decided last:" in page.text
    assert "list-group-item-action" not in page.text


async def test_a_second_decision_while_one_waits_is_refused_in_both_languages(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()
    await decide(browser, FIRST, "release")

    english = await decide(browser, FIRST, "discard")
    browser.headers["Accept-Language"] = "zh"
    chinese = await decide(browser, FIRST, "discard")

    assert (english.status_code, chinese.status_code) == (409, 409)
    assert "another decision on it waits" in english.text
    assert "该短信已有待生效的处理" in chinese.text


async def test_after_a_decision_comes_the_next_older_one_of_the_list(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    for number in range(3):
        await hold(message_id=FIRST + number)
    await hold(message_id=FIRST + 3, system_id="bank")

    query = "?system_id=shop"
    second = await decide(browser, FIRST + 1, "discard", query)
    last = await decide(browser, FIRST, "discard", query)
    none = await decide(browser, FIRST + 2, "discard", query)

    assert [one.headers["location"] for one in (second, last, none)] == [
        f"/quarantine/{FIRST}?system_id=shop&last={FIRST + 1}",
        f"/quarantine/{FIRST + 2}?system_id=shop&last={FIRST}",
        f"/quarantine?system_id=shop&last={FIRST + 2}",
    ]


async def test_after_the_last_of_a_page_comes_the_first_of_the_next(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    for number in range(PAGE_ROWS + 1):
        await hold(message_id=FIRST + number)

    answer = await decide(browser, FIRST + 1, "discard")

    where = f"/quarantine/{FIRST}?before={FIRST + 1}&last={FIRST + 1}"
    assert answer.headers["location"] == where
    assert 'aria-current="true"' in (await browser.get(where)).text


async def test_of_two_people_at_once_the_second_is_told(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()
    desk = QuarantineDesk(site.stores.quarantine, MessageIds(worker=0))
    await desk.discard(FIRST, "user: mei", NOON)

    answer = await decide(browser, FIRST, "release")

    assert answer.status_code == 409
    assert "it was discarded" in answer.text
    assert "discarded by user: mei" in answer.text
    assert await state_of(site, FIRST) is HoldState.DISCARDED


async def test_what_its_sender_has_replaced_must_be_read_again(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold(digest="ba9876543210")

    answer = await decide(browser, FIRST, "release")

    assert answer.status_code == 409
    assert "has replaced the text" in answer.text
    assert await state_of(site, FIRST) is HoldState.HELD


async def test_what_is_final_offers_no_decision(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold(state=HoldState.RELEASED)
    await hold(message_id=FIRST + 1, state=HoldState.DEFERRED, due_at=NOON)

    final = (await browser.get(f"/quarantine/{FIRST}")).text
    waiting = (await browser.get(f"/quarantine/{FIRST + 1}")).text

    assert "formaction" not in final
    assert ("/release" in waiting, "/discard" in waiting) == (False, True)


# Who


@pytest.mark.parametrize(
    ("role", "sees", "decides"),
    [
        (UserRole.ADMIN, 200, 303),
        (UserRole.SENIOR_REVIEWER, 200, 303),
        (UserRole.REVIEWER, 200, 303),
        (UserRole.OPERATOR, 200, 403),
        (UserRole.AUDITOR, 200, 403),
        (UserRole.VIEWER, 403, 403),
    ],
)
async def test_each_role_does_what_it_may(
    browser: httpx.AsyncClient,
    site: Site,
    hold: Hold,
    role: UserRole,
    sees: int,
    decides: int,
) -> None:
    await sign_in(browser, site, role)
    await hold()

    page = await browser.get(f"/quarantine/{FIRST}")
    answer = await decide(browser, FIRST, "release")

    assert (page.status_code, answer.status_code) == (sees, decides)
    assert ("formaction" in page.text) is (decides == 303)


async def test_who_sees_one_sp_alone_gets_no_review(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.SENDER, system_id="shop")
    await hold()

    answers = [await browser.get(path) for path in ("/quarantine", f"/quarantine/{FIRST}")]
    answers.append(await decide(browser, FIRST, "release"))

    assert [one.status_code for one in answers] == [403, 403, 403]


async def test_a_get_decides_nothing_nor_does_another_site(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()
    path = f"/quarantine/{FIRST}/release"

    got = await browser.get(path)
    foreign = await post(browser, path, {"digest": DIGEST}, {"Sec-Fetch-Site": "cross-site"})

    assert (got.status_code, foreign.status_code) == (404, 403)
    assert await state_of(site, FIRST) is HoldState.HELD
