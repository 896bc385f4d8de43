"""Pages: who gets to them, what they say in both languages, and what others' sites may do."""

import asyncio
import re
from collections import defaultdict
from enum import StrEnum
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from gateway.console.overview_pages import SharedStatus
from gateway.console.pages import PACKAGES
from gateway.domain.consent import Answer
from gateway.domain.live import LiveStatus
from gateway.domain.permissions import UserRole
from gateway.domain.preferences import PreferenceAction, PreferenceKind
from gateway.domain.quarantine import HoldState
from gateway.domain.sender import SenderState
from gateway.domain.subscription import Cycle, SubscriptionState
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable
from gateway.systems.complaints.model import ComplaintState
from gateway.systems.users.model import SessionLimits, UserAct
from gateway.systems.users.service import UserDesk
from gateway.web.pages import Templates, own_path, word_name
from tests.console.browsing import SAME, STATUS, Site, post, sign_in
from tests.systems.users.people import PASSWORD, code_of, enrolled

ROOT = Path(__file__).resolve().parents[2]


async def test_a_stranger_is_led_to_the_sign_in_page_and_back(
    browser: httpx.AsyncClient,
) -> None:
    led = await browser.get("/users")
    page = await browser.get(led.headers["location"])

    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/users")
    assert page.status_code == 200
    assert 'name="next" value="/users"' in page.text


@pytest.mark.parametrize("path", ["/v1/notices", "/v1/nothing"])
async def test_a_stranger_of_the_api_gets_a_401(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 401


async def test_who_looks_while_the_gateway_is_asked_waits_for_the_same_answer() -> None:
    answers = asyncio.Queue[LiveStatus | str]()
    status = SharedStatus(answers.get)
    looks = [spawn(status.get(), name="look") for _ in range(3)]
    await asyncio.sleep(0)
    looks[0].cancel()  # a browser that is gone takes no answer with it

    for answer in "silent", STATUS:
        answers.put_nowait(answer)

    assert await asyncio.gather(*looks[1:]) == ["silent", "silent"]
    assert await status.get() == STATUS


@pytest.mark.parametrize(("path", "status"), [("/live", 200), ("/policies/replay/7/state", 404)])
async def test_a_page_that_is_left_open_keeps_no_session_open(
    browser: httpx.AsyncClient, site: Site, path: str, status: int
) -> None:
    await sign_in(browser, site)
    half = SessionLimits().idle / 2

    site.clock.at += half
    used = await browser.get("/")
    site.clock.at += half
    asked = await browser.get(path)
    site.clock.at += half
    late = await browser.get(path)

    assert [used.status_code, asked.status_code, late.status_code] == [200, status, 303]


async def test_who_signs_in_sees_how_the_gateway_stands(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)

    page = await browser.get("/")
    part = await browser.get("/live")

    assert "12.5" in page.text
    assert "down" in part.text
    assert "&lt;b&gt;disk&lt;/b&gt;" in part.text
    assert "<html" not in part.text


async def test_a_gateway_that_does_not_answer_is_told(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    site.status = "no gateway runs on this store"

    page = await browser.get("/")

    assert "no gateway runs on this store" in page.text


async def test_who_signs_out_is_a_stranger_again(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    cookies = dict(browser.cookies)

    await post(browser, "/sign-out")
    browser.cookies.update(cookies)

    assert (await browser.get("/")).status_code == 303


async def test_cookies_are_for_this_site_and_no_script(
    browser: httpx.AsyncClient, site: Site
) -> None:
    person = await enrolled(site.stores, "lin")
    fields = {"name": "lin", "password": PASSWORD, "code": person.code(site.clock.at)}
    answer = await post(browser, "/sign-in", fields)

    for cookie in answer.headers.get_list("set-cookie"):
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie


@pytest.mark.parametrize(
    ("name", "password"), [("lin", "wrong password"), ("nobody", PASSWORD), ("<b>", "")]
)
async def test_a_wrong_sign_in_never_says_what_was_wrong(
    browser: httpx.AsyncClient, site: Site, name: str, password: str
) -> None:
    await enrolled(site.stores, "lin")

    answer = await post(browser, "/sign-in", {"name": name, "password": password, "code": "000000"})

    assert answer.status_code == 401
    assert "Name, password or code is wrong." in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://console.evil.example"},
        {"Origin": "http://["},
        {"Origin": "null", "Host": ""},
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/language", "/enrol/x"])
async def test_what_another_site_sends_changes_nothing(
    browser: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    assert (await post(browser, path, {"next": "/"}, headers)).status_code == 403


async def test_a_browser_that_tells_no_site_shows_its_origin(browser: httpx.AsyncClient) -> None:
    answer = await post(
        browser, "/theme", {"theme": "dark", "next": "/"}, {"Origin": "http://console"}
    )

    assert answer.status_code == 303
    assert answer.cookies["theme"] == "dark"


async def test_what_is_no_choice_is_not_kept(browser: httpx.AsyncClient) -> None:
    answer = await post(
        browser, "/language", {"language": "zh; Domain=x", "next": "//evil.example"}
    )

    assert answer.headers["location"] == "/"
    assert not answer.cookies


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/users?x=1", "/users?x=1"),
        ("//evil.example", "/"),
        ("//[", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_a_redirect_leads_to_no_other_site(path: str, found: str) -> None:
    assert own_path(path) == found


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nothing", "/static/theme.js"])
async def test_every_page_says_what_a_browser_may_load(
    browser: httpx.AsyncClient, path: str
) -> None:
    headers = (await browser.get(path)).headers

    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_attributes_of_htmx_bear_the_nonce_of_their_page_and_each_page_has_another(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)

    pages = [(await browser.get("/")).text for _ in range(2)]

    nonces = [set(re.findall(r'nonce="([\w-]{22})"', page)) for page in pages]
    assert [len(found) for found in nonces] == [1, 1]
    assert nonces[0] != nonces[1]
    for page in pages:
        elements = re.findall(r"<[^>]+ hx-[^>]+>", page)
        assert elements
        assert all(" hx-nonce=" in element for element in elements)


@pytest.mark.parametrize("path", ["/static/../pages.py", "/static/%2e%2e/pages.py", "/static/"])
async def test_no_file_but_those_for_browsers_is_shown(
    browser: httpx.AsyncClient, path: str
) -> None:
    assert (await browser.get(path)).status_code in {303, 404}


async def test_an_sp_sees_no_page_of_others(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.SENDER, system_id="sp1")

    answer = await browser.get("/quarantine")

    assert answer.status_code == 403
    assert "Not for your role" in answer.text
    assert 'href="/quarantine"' not in answer.text


async def test_pages_that_there_are_not_are_told(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)

    assert (await browser.get("/nothing")).status_code == 404
    assert "There is no such page" in (await browser.get("/nothing")).text


@pytest.mark.parametrize("octets", [b"a=1&" * 60, "名=值".encode(), b"a=%ff", b"x" * 300_000])
async def test_what_is_no_form_is_answered(browser: httpx.AsyncClient, octets: bytes) -> None:
    answer = await browser.post("/sign-in", content=octets, headers=SAME)

    assert answer.status_code in {400, 413}


async def test_a_store_that_does_not_answer_is_told(
    browser: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(browser, site)

    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(site.people, "find", fail)
    monkeypatch.setattr(type(site.stores.user_sessions), "session_of", fail)

    answer = await browser.get("/")

    assert (answer.status_code, "存储暂不可用" in answer.text) == (503, True)


@pytest.mark.parametrize(
    ("page", "where"),
    [
        ("http://console/", "/sign-in"),
        ("http://console/users?x=1", "/sign-in?next=/users"),
        ("http://console//evil.example", "/sign-in"),
        ("http://[", "/sign-in?next=/live"),
    ],
)
async def test_an_htmx_request_of_a_stranger_leads_the_whole_page_away(
    browser: httpx.AsyncClient, page: str, where: str
) -> None:
    answer = await browser.get("/live", headers={"HX-Request": "true", "HX-Current-URL": page})

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, where)


# Enrolling


async def link(site: Site) -> str:
    act = UserAct("root", site.clock.at)
    return (await UserDesk(site.stores.users).add("mei", UserRole.REVIEWER, act)).token


def secret_in(page: str) -> str:
    return page.partition('name="secret" value="')[2].partition('"')[0]


async def test_a_link_sets_password_and_code_once(browser: httpx.AsyncClient, site: Site) -> None:
    token = await link(site)
    secret = secret_in((await browser.get(f"/enrol/{token}")).text)
    given = {"password": PASSWORD, "again": PASSWORD, "secret": secret}

    wrong = await post(browser, f"/enrol/{token}", {**given, "code": "000000"})
    code = code_of(secret, site.clock.at)
    right = await post(browser, f"/enrol/{token}", {**given, "username": "lin", "code": code})
    again = await browser.get(f"/enrol/{token}")
    sign_in_page = await browser.get("/sign-in?name=lin")

    assert (wrong.status_code, secret_in(wrong.text)) == (422, secret)
    assert "the code is wrong" in wrong.text
    assert right.text.count('class="sw-secret"') == 10
    assert 'href="/sign-in?name=lin"' in right.text
    assert 'name="name" value="lin"' in sign_in_page.text
    assert again.status_code == 404


async def test_a_name_that_no_user_can_have_is_not_filled_in(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/sign-in?name=%22%3E%3Cb%3E")).text

    assert 'name="name" value=""' in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": PASSWORD, "again": "other"}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "12 to 256 characters"),
        ({"password": PASSWORD, "again": PASSWORD, "secret": "A" * 32, "code": "1"}, "code is"),
        ({"password": PASSWORD, "again": PASSWORD, "secret": "<b>"}, "not one that was given"),
    ],
)
async def test_what_is_wrong_with_an_enrolment_is_said(
    browser: httpx.AsyncClient, site: Site, fields: dict[str, str], said: str
) -> None:
    answer = await post(browser, f"/enrol/{await link(site)}", fields)

    assert (answer.status_code, said in answer.text) == (422, True)


# Languages


@pytest.mark.parametrize(
    ("headers", "cookies", "lang"),
    [
        ({"Accept-Language": "zh-CN,en;q=0.8"}, {}, "zh-CN"),
        ({"Accept-Language": "fr, en-GB"}, {}, "en"),
        ({"Accept-Language": "fr"}, {}, "zh-CN"),
        ({"Accept-Language": "zh"}, {"language": "en"}, "en"),
        ({"Accept-Language": "en"}, {"language": "<b>"}, "en"),
    ],
)
async def test_the_language_is_the_chosen_one_or_that_of_the_browser(
    browser: httpx.AsyncClient, headers: dict[str, str], cookies: dict[str, str], lang: str
) -> None:
    browser.cookies.update(cookies)

    assert f'<html lang="{lang}">' in (await browser.get("/sign-in", headers=headers)).text


def said_in(folder: Path) -> set[str]:
    """Return all messages of the templates and modules of a package."""
    said = {
        str(message[0] if isinstance(message, tuple) else message)  # the others are parameters
        for file in (folder / "templates").glob("*.html")
        for _, _, message, _ in babel_extract(
            BytesIO(file.read_bytes()), ("_", "gettext"), [], {"trimmed": "false"}
        )
        if message is not None
    }
    for file in folder.glob("*.py"):
        found = extract_python(BytesIO(file.read_bytes()), {"marked": None}, [], {})
        said |= {str(message) for _, _, message, _ in found}
    return said


@pytest.mark.parametrize("package", PACKAGES.values())
def test_all_that_pages_say_is_there_in_chinese(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    catalogue = read_po(BytesIO((folder / "templates" / "zh.po").read_bytes()))
    chinese = {message.id for message in catalogue if message.string}

    assert said_in(folder)
    assert said_in(folder) - chinese == set()


def test_all_pages_say_one_message_alike() -> None:
    # The catalogues are one while the console runs: of two, one would stand on both pages.
    chinese: defaultdict[str, set[str]] = defaultdict(set)
    for package in PACKAGES.values():
        file = ROOT / package.replace(".", "/") / "templates" / "zh.po"
        for message in read_po(BytesIO(file.read_bytes())):
            chinese[str(message.id)].add(str(message.string))

    assert {said: words for said, words in chinese.items() if len(words) > 1} == {}


@pytest.mark.parametrize(
    "words",
    [
        HoldState,
        Severity,
        Action,
        SenderState,
        SubscriptionState,
        Cycle,
        Answer,
        PreferenceKind,
        PreferenceAction,
        ComplaintState,
    ],
)
def test_words_of_v1_are_in_chinese_on_chinese_pages(words: type[StrEnum]) -> None:
    chinese = Templates({"web": "gateway.web"})._words["zh"]

    assert [one for one in words if word_name(chinese, one) == one] == []
    assert word_name(NullTranslations(), "held") == "held"
    assert word_name(chinese, "sp1") == "sp1"
