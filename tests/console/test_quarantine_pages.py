"""The review pages: what they show of a held message, to whom, and what a decision does."""

import gzip
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import httpx
import pytest

from gateway.domain.permissions import UserRole
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag, Tlv
from gateway.smpp.pdu import make
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.decisions import DECISION_WAITS, UNDO_FOR
from gateway.systems.quarantine.held_pages import PAGE_ROWS
from gateway.systems.quarantine.message_view import STATES, short_ids
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import STANDING, QuarantineDesk
from gateway.systems.quarantine.sql import TEXT_REPLACED
from gateway.systems.quarantine.text_pieces import MAX_SHOWN_CHARS
from gateway.web.pages import Templates
from simulators.builders import submit_sm, ucs2
from tests.console.browsing import CAMPAIGN, DIGEST, FIRST, Site, held_with, post, sign_in
from tests.systems.users.people import NOON

HOSTILE = "【贷速达】黑\u200b户贷款\u202e <b>当天</b>放款，点 http://evil.example 致电 13900139000"
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

    page = (await browser.get("/quarantine/messages")).text

    assert (
        0
        < page.index(f'href="/quarantine/{FIRST + 1}?top={FIRST + 1}"')
        < page.index(f"/quarantine/{FIRST}?top")
    )
    assert "第一条" not in page
    looks = [one.action for one in await site.stores.journals.accesses()]
    assert "quarantine show" not in looks


def test_the_short_ids_of_a_page_differ_in_what_is_shown() -> None:
    alike = [FIRST, FIRST + 10**9, FIRST + 2 * 10**9]

    assert short_ids([]) == {}
    assert short_ids([FIRST, FIRST + 1]) == {FIRST: "…00001000", FIRST + 1: "…00001001"}
    assert list(short_ids(alike).values()) == ["…0000001000", "…1000001000", "…2000001000"]


async def test_boxes_and_last_decisions_name_messages_so_that_no_two_look_alike(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    for number in range(3):
        await hold(message_id=FIRST + number * 10**9)
    await decide(browser, FIRST, "discard")

    page = (await browser.get("/quarantine/messages?state=any")).text

    named = re.findall(r"Choose message (…[0-9]+)", page)
    assert named == ["…2000001000", "…1000001000", "…0000001000"]
    assert 'Discard <span class="sw-number">…0000001000</span>' in page


@pytest.mark.parametrize(("score", "said"), [(97, "97 % likely"), (100, "over 99 % likely")])
async def test_a_probability_is_told_as_no_certainty(
    browser: httpx.AsyncClient, site: Site, hold: Hold, score: int, said: str
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(score=score)

    page = (await browser.get(f"/quarantine/{FIRST}")).text

    assert f"{said} spam" in page
    assert "100 %" not in page


async def test_an_open_message_has_one_way_to_its_whole_campaign(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    await hold()

    listed = (await browser.get(f"/quarantine/messages?campaign={CAMPAIGN}")).text
    opened = (await browser.get(f"/quarantine/{FIRST}?campaign={CAMPAIGN}")).text

    for page in (listed, opened):
        assert page.count(f'href="/quarantine/campaigns/{CAMPAIGN}') == 1
        assert page.count('data-act="campaign"') == 1
    assert opened.count('aria-describedby="acts-hint"') == 2


async def test_pages_of_fifty_follow_each_other(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    for number in range(PAGE_ROWS + 1):
        await hold(message_id=FIRST + number)

    first = (await browser.get("/quarantine/messages")).text
    older = (await browser.get(f"/quarantine/messages?before={FIRST + 1}")).text

    assert first.count("list-group-item-action") == PAGE_ROWS
    pinned = f"top={FIRST + PAGE_ROWS}&amp;before={FIRST + 1}"
    assert f'href="/quarantine/messages?{pinned}"' in first
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
        found="F\tK-A\t13900139004\n",
        overruled="F\tK-B\t13900139005\n",
        is_reviewed=True,
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
    assert "&lt;<mark>script&gt;alert(1)&lt;/script</mark>&gt;" in page
    assert '<span class="sw-box">RLO</span><span class="sw-box">ZWSP</span>点 http://evil' in page
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

    assert "<mark>黑户贷款</mark>，当天放款" in page
    assert f'<a href="/quarantine/{FIRST + 1}?top={FIRST + 2}">{FIRST + 1}</a>' in page
    assert await state_of(site, FIRST + 1) is HoldState.DISCARDED


async def test_the_page_is_there_in_chinese(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()

    page = await browser.get(f"/quarantine/{FIRST}", headers={"Accept-Language": "zh"})

    for word in ("隔离短信", "已隔离", "放行", "丢弃", "依据", "条款：", "原始字节"):
        assert word in page.text


def test_every_state_has_its_words_in_chinese() -> None:
    templates = Templates({"web": "gateway.web", "quarantine": "gateway.systems.quarantine"})
    said = templates._words["zh"].gettext

    words = (*STANDING.values(), *STATES.values(), DECISION_WAITS, TEXT_REPLACED)
    assert all(said(word) != word for word in words)
    assert STATES.keys() == STANDING.keys() == set(HoldState)


# Evidence, octets and numbers


async def test_evidence_stands_out_beside_the_rule_and_its_article(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold("黑户\u200b贷款，当天放款")

    page = (await browser.get(f"/quarantine/{FIRST}")).text

    box = '<span class="sw-box sw-box-marked">ZWSP</span>'
    assert f"<mark>黑户</mark>{box}<mark>贷款</mark>，当天放款" in page
    for said in ("K-LOAN", "The word list loan", "通信短信息服务管理规定（2015）"):
        assert said in page


async def test_a_very_long_text_is_bounded(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    payload = Tlv(Tag.MESSAGE_PAYLOAD, ucs2("\u200b长" * 16_000))
    pdu = make(CommandId.DATA_SM, 1, destination_addr=b"1", data_coding=8, tlvs=[payload])
    await hold(pdu=pdu)

    page = (await browser.get(f"/quarantine/{FIRST}")).text

    assert "28000 more characters are not shown here." in page
    assert page.count("长") == MAX_SHOWN_CHARS // 2
    assert len(gzip.compress(page.encode())) < 20_000


async def test_r73_octets_are_shown_without_numbers_and_journaled(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)
    await hold("电话13900139000")

    page = await browser.get(f"/quarantine/{FIRST}/octets")
    part = await browser.get(f"/quarantine/{FIRST}/octets", headers={"HX-Request": "true"})

    assert b"13800138000".hex(" ") not in page.text
    assert ucs2("13900139000").hex(" ") not in page.text
    assert ucs2("电话139").hex(" ") in page.text
    assert ("<html" in page.text, "<html" in part.text) == (True, False)
    looks = [one.action for one in await site.stores.journals.accesses()]
    assert looks[:2] == ["quarantine octets"] * 2


async def test_r73_one_number_is_shown_once_for_a_reason_that_is_journaled(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(source="13900139000")
    path = f"/quarantine/{FIRST}/number"

    silent = await post(browser, path, {"which": "destination", "reason": "  "})
    shown = await post(browser, path, {"which": "destination", "reason": "case 2013-118"})
    other = await post(browser, path, {"which": "source", "reason": "case 2013-118"})
    again = await browser.get(f"/quarantine/{FIRST}")

    assert silent.status_code == 422
    assert "13800138000" not in silent.text + other.text + again.text
    assert "13800138000" in shown.text
    assert "13900139000" in other.text
    assert "13900139000" not in shown.text
    looks = await site.stores.journals.accesses()
    unmasked = [one for one in looks if one.action == "quarantine unmask"]
    assert [(one.by, one.reason, one.about) for one in unmasked] == [
        ("user: lin", "case 2013-118", f"message {FIRST}: source"),
        ("user: lin", "case 2013-118", f"message {FIRST}: destination"),
    ]


async def test_r73_a_number_is_for_those_who_may_unmask_and_never_for_a_get(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    await hold()
    path = f"/quarantine/{FIRST}/number"

    page = await browser.get(f"/quarantine/{FIRST}")
    refused = await post(browser, path, {"which": "destination", "reason": "curious"})
    got = await browser.get(path + "?which=destination&reason=curious")

    assert 'id="unmask"' not in page.text
    assert (refused.status_code, got.status_code) == (403, 404)
    assert "13800138000" not in refused.text + got.text


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("zh", {"loan": "贷款理财（推销）", "fraud_prize": "中奖诈骗（诈骗）", "own": "own"}),
        ("en", {"loan": "loan (advert)", "fraud_prize": "fraud_prize (fraud)", "own": "own"}),
    ],
)
async def test_a_category_is_named_in_the_language_of_the_page(
    browser: httpx.AsyncClient, site: Site, hold: Hold, language: str, names: dict[str, str]
) -> None:
    browser.headers["Accept-Language"] = language
    await sign_in(browser, site)
    for number, category in enumerate(names):
        await hold(message_id=FIRST + number, category=category)

    listed = (await browser.get("/quarantine/messages")).text
    shown = [(await browser.get(f"/quarantine/{FIRST + one}")).text for one in range(3)]

    for page, name in zip(shown, names.values(), strict=True):
        assert f"<bdi>{name}</bdi>" in listed
        assert page.count(name) > listed.count(name)


async def test_what_the_classifier_found_is_said_in_the_language_of_the_page(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    browser.headers["Accept-Language"] = "zh"
    await sign_in(browser, site)
    await hold(score=97, evidence="97 % likely spam: fraud_prize; 领奖 +1.50", severity="major")

    listed = (await browser.get("/quarantine/messages")).text
    opened = (await browser.get(f"/quarantine/{FIRST}")).text

    for page in (listed, opened):
        assert "垃圾短信可能性 97 %" in page
        assert "<bdi>领奖 +1.50</bdi>" in page
        assert "likely spam" not in page
    assert "<bdi>重大</bdi>" in opened


async def test_another_language_keeps_what_was_searched_for(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()

    page = await browser.get("/quarantine/messages?state=any&system_id=shop")

    assert 'name="next" value="/quarantine/messages?state=any&amp;system_id=shop"' in page.text


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
        ("source=10690001", 2),
        ("source=1069%25", 0),
        ("rule=K-LOAN", 2),
        ("rule=K_LOAN", 0),
        ("since=2025-11-25&until=2025-11-25", 2),
        ("since=2025-11-26", 0),
        ("until=2025-11-24", 0),
        ("escalated=yes", 0),
    ],
)
async def test_filters_find_what_is_equal_and_nothing_else(
    browser: httpx.AsyncClient, site: Site, hold: Hold, query: str, count: int
) -> None:
    await sign_in(browser, site)
    await hold()
    await hold(message_id=FIRST + 1, system_id="bank", category="fraud_prize")
    await hold(message_id=FIRST + 2, state=HoldState.DEFERRED, due_at=NOON, system_id="late")

    page = await browser.get(f"/quarantine/messages?{quote(query, safe='=%&')}")

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
        "top=1",
        "since=2025-02-30",
        "until=0001-01-01",
        "escalated=no",
        "rule=%00",
    ],
)
async def test_a_filter_that_nothing_can_fit_is_said_to_be_wrong(
    browser: httpx.AsyncClient, site: Site, hold: Hold, query: str
) -> None:
    await sign_in(browser, site)
    await hold()

    page = await browser.get(f"/quarantine/messages?{query}")

    assert page.status_code == 422
    assert "No message can fit this" in page.text
    assert "list-group-item-action" not in page.text
    assert "<b>" not in page.text


async def test_what_comes_later_moves_no_list_but_is_counted(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold(message_id=FIRST)
    page = (await browser.get("/quarantine/messages?system_id=shop")).text
    (asked,) = re.findall(r'hx-get="(/quarantine/new[^"]*)"', page)
    none = await browser.get(unescape(asked))
    for number in range(1, 4):
        await hold(message_id=FIRST + number, system_id="bank" if number == 3 else "shop")

    same = await browser.get(f"/quarantine/messages?system_id=shop&top={FIRST}")
    some = await browser.get(unescape(asked))

    assert none.text.strip() == ""
    assert same.text.count("list-group-item-action") == 1
    assert "2 new" in some.text
    assert 'href="/quarantine/messages?system_id=shop"' in some.text


async def test_r73_a_number_is_searched_for_and_stands_in_no_address(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold(destination="8613800138000")
    await hold(message_id=FIRST + 1, destination="13900139000")

    led = await post(browser, "/quarantine/number", {"number": "138 0013 8000".replace(" ", "")})
    page = await browser.get(led.headers["location"])
    wrong = await post(browser, "/quarantine/number", {"number": "%"})
    lost = await browser.get("/quarantine/messages?state=any&to=unknown")
    by_id = await post(browser, "/quarantine/number", {"number": str(FIRST + 1)})

    assert "13800138000" not in led.headers["location"] + page.text
    assert page.text.count("list-group-item-action") == 1
    assert (wrong.status_code, lost.status_code) == (422, 422)
    assert by_id.headers["location"] == f"/quarantine/{FIRST + 1}?state=any"
    looks = [one.action for one in await site.stores.journals.accesses()]
    assert "quarantine number" in looks


async def test_r73_what_one_person_searched_for_is_not_another_persons(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()
    led = await post(browser, "/quarantine/number", {"number": "13800138000"})
    await sign_in(browser, site, name="mei")

    page = await browser.get(led.headers["location"])

    assert page.status_code == 422
    assert "list-group-item-action" not in page.text


async def test_a_page_weighs_little(browser: httpx.AsyncClient, site: Site, hold: Hold) -> None:
    await sign_in(browser, site)
    for number in range(PAGE_ROWS):
        await hold(HOSTILE * 2, message_id=FIRST + number, evidence=HOSTILE)

    for path in ("/quarantine", f"/quarantine/{FIRST}"):
        page = await browser.get(path)
        loaded = {path, *re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)}
        weights = [len(gzip.compress((await browser.get(one)).content)) for one in loaded]
        assert len(loaded) >= 6
        assert sum(weights) < 200_000


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
    assert answer.headers["location"] == "/quarantine/messages"
    assert "takes effect at" in page.text
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
        f"/quarantine/{FIRST}?system_id=shop",
        f"/quarantine/{FIRST + 2}?system_id=shop",
        "/quarantine/messages?system_id=shop",
    ]


async def test_after_the_last_of_a_page_comes_the_first_of_the_next(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    for number in range(PAGE_ROWS + 1):
        await hold(message_id=FIRST + number)

    answer = await decide(browser, FIRST + 1, "discard")

    where = f"/quarantine/{FIRST}?before={FIRST + 1}"
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


async def test_the_last_decisions_stand_in_a_strip_and_can_be_undone(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    for number in range(2):
        await hold(message_id=FIRST + number)

    page = await browser.get((await decide(browser, FIRST + 1, "spam")).headers["location"])
    (undo,) = re.findall(r'action="(/quarantine/decisions/[0-9]+/undo)', page.text)
    got = await browser.get(undo)
    undone = await post(browser, undo)
    again = await post(browser, undo)
    unknown = await post(browser, "/quarantine/decisions/999/undo")
    wrong = await post(browser, "/quarantine/decisions/x1/undo")
    await take_up(site)

    assert got.status_code == 404
    assert undone.headers["location"] == f"/quarantine/{FIRST + 1}"
    assert (again.status_code, unknown.status_code, wrong.status_code) == (409, 404, 404)
    assert "it was undone before" in again.text
    assert await state_of(site, FIRST + 1) is HoldState.HELD


async def test_a_decision_keeps_what_was_said_and_for_what_it_was_taken(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()
    await hold(message_id=FIRST + 1)

    await decide(browser, FIRST, "spam", reason="same as yesterday", category="fraud")
    await decide(browser, FIRST + 1, "discard", category="<b>")

    last = await site.stores.reviews.latest("user: lin", site.clock.at)
    discarded, confirmed = (one.decision for one in last)
    assert (confirmed.reason, confirmed.note) == ("spam confirmed", "same as yesterday")
    assert confirmed.category == "fraud"
    assert (discarded.reason, discarded.category) == ("", "")


async def test_a_text_that_was_not_read_is_not_decided_on(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()

    answer = await decide(browser, FIRST, "release", seen="0123456789abcdef")

    assert answer.status_code == 409
    assert TEXT_REPLACED in answer.text


async def test_what_is_doubtful_is_escalated_with_a_note_and_found_by_that(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site)
    await hold()
    await hold(message_id=FIRST + 1)
    path = f"/quarantine/{FIRST + 1}/escalate"

    silent = await post(browser, path, {"note": " "})
    done = await post(browser, path, {"note": "<i>a bank?</i> 13900139000"})
    listed = (await browser.get("/quarantine/messages?escalated=yes")).text
    page = (await browser.get(f"/quarantine/{FIRST + 1}")).text

    assert (silent.status_code, done.status_code) == (422, 303)
    assert done.headers["location"] == f"/quarantine/{FIRST}"
    assert listed.count("list-group-item-action") == 1
    assert "&lt;i&gt;a bank?&lt;/i&gt; 139****9000" in page


async def test_nobody_decides_on_what_another_reviewer_looks_at(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    held = await hold()
    await site.stores.leases.take(held, "user: mei", site.clock.at)
    await sign_in(browser, site)

    listed = (await browser.get("/quarantine/messages")).text
    page = (await browser.get(f"/quarantine/{FIRST}")).text
    answer = await decide(browser, FIRST, "release")

    assert "user: mei" in listed
    assert "is looking at it now" in page
    assert "formaction" not in page
    assert answer.status_code == 409


# Campaigns


async def test_campaigns_come_first_with_their_number_and_an_example(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold("<b>贷款</b>\u202e 13900139000")
    await hold("<b>贷款</b>\u202e 13900139000", message_id=FIRST + 1, system_id="bank")
    await hold(message_id=FIRST + 2, campaign="c0123456789abcdee")

    page = (await browser.get("/quarantine")).text

    assert page.count('sw-campaign"') == 1
    assert f'href="/quarantine/messages?campaign={CAMPAIGN}"' in page
    assert '<span class="sw-count sw-number">2</span>' in page
    assert '&lt;b&gt;贷款&lt;/b&gt;<span class="sw-box">RLO</span> 139****9000' in page
    look, *_ = await site.stores.journals.accesses()
    assert (look.action, look.about) == ("quarantine campaigns", "examples of 1 campaigns")


async def test_of_an_odd_encoding_the_reading_is_shown_that_was_judged(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    says_latin_1 = submit_sm(
        "10690001", "13800138000", ucs2("内部彩票，点 a.example"), data_coding=3
    )
    for number in range(2):
        await hold(message_id=FIRST + number, pdu=says_latin_1, evidence="内部彩票")

    campaigns = (await browser.get("/quarantine")).text
    opened = (await browser.get(f"/quarantine/{FIRST}")).text

    assert "内部彩票，点 a.example" in campaigns
    assert "U+0085" not in campaigns
    assert "<mark>内部彩票</mark>，点 a.example" in opened


async def test_a_whole_campaign_needs_its_number_typed_in(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    for number in range(3):
        await hold(message_id=FIRST + number)
    path = f"/quarantine/campaigns/{CAMPAIGN}"

    page = await browser.get(path)
    answers = [
        await post(browser, path, {"act": act, "count": count})
        for act, count in (("discard", "2"), ("discard", "x"), ("", "3"), ("discard", "3"))
    ]
    first = (await browser.get("/quarantine")).text
    (undo,) = re.findall(r'action="(/quarantine/jobs/[0-9]+/undo)"', first)
    got = await browser.get(undo)
    undone = await post(browser, undo)
    late = await post(browser, undo)
    await post(browser, path, {"act": "discard", "count": "3"})
    await site.stores.campaigns.advance(site.clock.at + UNDO_FOR)
    part = (await browser.get("/quarantine/jobs")).text

    assert '<strong class="sw-number">3</strong>' in page.text
    assert [one.status_code for one in answers] == [409, 422, 422, 303]
    assert (got.status_code, undone.status_code, late.status_code) == (404, 303, 409)
    assert "3 / 3" in part
    assert "<html" not in part
    assert await state_of(site, FIRST) is HoldState.DISCARDED


async def test_a_whole_campaign_is_for_senior_reviewers(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold()
    path = f"/quarantine/campaigns/{CAMPAIGN}"

    page = (await browser.get(f"/quarantine/{FIRST}")).text
    answers = [await browser.get(path), await post(browser, path, {"act": "discard", "count": "1"})]

    assert [one.status_code for one in answers] == [403, 403]
    assert path not in page
    assert await state_of(site, FIRST) is HoldState.HELD


async def test_and_from_now_on_writes_an_exception_that_can_be_revoked(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    await hold()
    path, note = f"/quarantine/{FIRST}/exception", {"note": "<b>agreed</b>, case 7"}

    wrong = [
        await post(browser, path, fields)
        for fields in ({"days": "7"}, {**note, "days": "0"}, {**note, "days": "9999"})
    ]
    read = {"rule": "K-LOAN", "campaign": CAMPAIGN}
    stale = [
        await post(browser, path, {**note, "days": "7", **read, name: "K-OTHER"}) for name in read
    ]
    made = await post(browser, path, {**note, "days": "7", **read})
    again = await post(browser, path, {**note, "days": "7"})
    unknown = await post(browser, f"/quarantine/{FIRST + 9}/exception", {**note, "days": "7"})
    page = (await browser.get("/quarantine/exceptions")).text
    (one,) = await site.stores.exceptions.in_force(site.clock.at)
    revoke = f"/quarantine/exceptions/{one.number}/revoke"
    got = await browser.get(revoke)
    revoked = [await post(browser, revoke) for _ in range(2)]

    assert [answer.status_code for answer in wrong] == [422, 422, 422]
    assert [answer.status_code for answer in stale] == [409, 409]
    assert "Another rule holds the message by now." in stale[0].text
    where = f"/quarantine/campaigns/{CAMPAIGN}?system_id=shop&rule=K-LOAN"
    assert (made.headers["location"], again.status_code) == (where, 409)
    assert (unknown.status_code, got.status_code) == (404, 404)
    assert (one.rule, one.system_id, one.campaign) == ("K-LOAN", "shop", CAMPAIGN)
    assert one.until == site.clock.at + timedelta(days=7)
    assert "&lt;b&gt;agreed&lt;/b&gt;, case 7" in page
    assert [answer.status_code for answer in revoked] == [303, 404]
    assert await site.stores.exceptions.in_force(site.clock.at) == []


async def test_what_was_held_before_an_exception_is_released_by_a_job_with_its_number_typed_in(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    for number, changes in enumerate(
        ({}, {"reason": "CAMPAIGN", "rule": "R61"}, {"rule": "K-NEW"})
    ):
        await hold(message_id=FIRST + number, **changes)
    await hold(message_id=FIRST + 3, system_id="bank")
    given = {"note": "agreed", "days": "7"}

    made = await post(browser, f"/quarantine/{FIRST}/exception", given)
    path = made.headers["location"]
    page = (await browser.get(path)).text
    listed = (await browser.get("/quarantine/exceptions")).text
    answers = [
        await post(browser, path, {"act": "release", "count": count}) for count in ("4", "2")
    ]
    late = await site.stores.campaigns.advance(site.clock.at + UNDO_FOR)
    after = (await browser.get(path)).text
    wrong = [
        await browser.get(f"/quarantine/campaigns/{CAMPAIGN}?{query}")
        for query in ("rule=K-LOAN", "system_id=shop", f"system_id=shop&rule={'K' * 65}")
    ]
    jobs = (await browser.get("/quarantine/jobs")).text

    assert '<strong class="sw-number">2</strong>' in page
    assert 'value="discard"' not in page
    assert path.replace("&", "&amp;") in listed
    assert [one.status_code for one in answers] == [409, 303]
    assert late is not None
    assert [one.message_id for one in late.moved] == [FIRST, FIRST + 1]
    assert "Nothing is held of it." in after
    assert [one.status_code for one in wrong] == [404, 404, 404]
    assert "<bdi>K-LOAN</bdi>" in jobs


async def test_what_came_back_from_a_release_says_what_holds_it_now_and_what_was_overruled(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold(
        rule="R61",
        reason="CAMPAIGN",
        note="judged again: CAMPAIGN",
        decision="release asked by user: mei",
        is_reviewed=True,
        found="F\tR61\t\nF\tK-NEW\t<b>词</b>\n",
        overruled="F\tK-LOAN\t贷款\n",
    )

    page = (await browser.get(f"/quarantine/{FIRST}")).text

    assert "Also found: <bdi>K-NEW</bdi> (<bdi>&lt;b&gt;词&lt;/b&gt;</bdi>)" in page
    assert "<bdi>judged again: CAMPAIGN</bdi>; <bdi>release asked by user: mei</bdi>" in page
    assert "Overruled before: <bdi>K-LOAN</bdi> (<bdi>贷款</bdi>)" in page
    assert '<span class="badge sw-state">came back</span>' in page


@pytest.mark.parametrize("reason", ["OPTED_OUT", "USER_PREF", "CONSENT_NONE"])
async def test_no_exception_is_offered_of_what_the_law_holds(
    browser: httpx.AsyncClient, site: Site, hold: Hold, reason: str
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    await hold(reason=reason)

    page = (await browser.get(f"/quarantine/{FIRST}")).text
    answer = await post(browser, f"/quarantine/{FIRST}/exception", {"note": "agreed", "days": "7"})

    assert 'id="exception"' not in page
    assert answer.status_code == 409
    assert await site.stores.exceptions.in_force(site.clock.at) == []


async def test_exceptions_are_for_senior_reviewers_and_read_by_the_others(
    browser: httpx.AsyncClient, site: Site, hold: Hold
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)
    await hold()

    page = await browser.get(f"/quarantine/{FIRST}")
    refused = await post(browser, f"/quarantine/{FIRST}/exception", {"note": "x", "days": "7"})
    listed = await browser.get("/quarantine/exceptions")

    assert 'id="exception"' not in page.text
    assert (refused.status_code, listed.status_code) == (403, 200)


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

    answers = [
        await browser.get(path)
        for path in ("/quarantine", "/quarantine/messages", f"/quarantine/{FIRST}")
    ]
    answers.append(await decide(browser, FIRST, "release"))

    assert [one.status_code for one in answers] == [403, 403, 403, 403]


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
