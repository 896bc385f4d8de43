"""The pages of the audit: who sees them, what filters find, the chain, and the file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import orjson
import pytest

from gateway.domain.audit import AuditKind
from gateway.domain.permissions import USER_PERMISSIONS, Permission, UserRole
from gateway.domain.records import NewAccess
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.audit.pages import JOURNALS, KINDS, PAGE_ROWS, PROBLEMS
from gateway.systems.audit.service import verify_export
from gateway.web.pages import Templates
from tests.console.browsing import Site, post, sign_in
from tests.real_time import poll
from tests.systems.users.people import NOON

READERS = {role for role, may in USER_PERMISSIONS.items() if Permission.READ_AUDIT in may}


async def note(site: Site, action: str, **changes: str) -> None:
    given = {"by": "user: wu", "reason": "", "about": "message 7", **changes}
    await site.stores.journals.note_access(
        NewAccess(given["by"], action, given["reason"], given["about"], NOON)
    )


async def verified(browser: httpx.AsyncClient) -> str:
    """Verify, and return the part of the page once it is over."""
    assert (await post(browser, "/audit/verify")).headers["location"] == "/audit"

    async def look() -> str | None:
        answer = await browser.get("/audit/chain")
        is_over = answer.headers.get("hx-reswap") == "outerHTML"  # nobody asks any more
        return answer.text if is_over else None

    return await poll(look)


@pytest.mark.parametrize("role", sorted(set(UserRole) - {UserRole.SENDER, UserRole.REGULATOR}))
async def test_only_who_may_reads_the_audit(
    browser: httpx.AsyncClient, site: Site, role: UserRole
) -> None:
    await sign_in(browser, site, role)

    pages = [await browser.get("/audit"), await browser.get("/audit/chain")]
    acts = [await post(browser, path) for path in ("/audit/verify", "/audit/export")]

    expected = [200, 200, 303, 200] if role in READERS else [403] * 4
    assert [one.status_code for one in (*pages, *acts)] == expected
    assert ('href="/audit"' in (await browser.get("/")).text) is (role in READERS)


async def test_entries_are_listed_the_newest_first_with_who_and_why(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)
    await note(site, "quarantine release", reason="<b>asked</b>\u202e", by="api: 营业厅")

    page = (await browser.get("/audit")).text

    assert 0 < page.index("quarantine release") < page.index("user sign-in")
    for shown in ("api: 营业厅", "&lt;b&gt;asked&lt;/b&gt;\\u202e", "Decisions", "message 7"):
        assert shown in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 5),
        ("kind=decision", 1),
        ("kind=look", 1),
        ("kind=export", 0),
        ("by=wu", 2),
        ("by=%25", 0),
        ("by=_u", 0),
        ("by=' OR 1=1 --", 0),
        ("about=message 7", 2),
        ("since=2025-11-25&until=2025-11-25", 5),
        ("since=2025-11-26", 0),
        ("until=2025-11-24", 0),
        ("before=3", 2),
        ("before=1", 0),
    ],
)
async def test_filters_find_what_they_say_and_nothing_else(
    browser: httpx.AsyncClient, site: Site, query: str, count: int
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)  # with adding the user and enrolling: 3
    await note(site, "quarantine show")
    await note(site, "quarantine discard")

    page = await browser.get(f"/audit?{query}")

    assert page.status_code == 200
    assert page.text.count('<tr><td class="sw-number"') == count


@pytest.mark.parametrize(
    "query",
    [
        "kind=nothing",
        "by=%00",
        f"about={'x' * 65}",
        "by=%E2%80%AE",
        "since=yesterday",
        "until=2025-13-01",
        "before=x",
        "before=%D9%A7",
        f"before={'9' * 40}",
    ],
)
async def test_a_filter_that_nothing_can_fit_is_said_to_be_wrong(
    browser: httpx.AsyncClient, site: Site, query: str
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)

    page = await browser.get(f"/audit?{query}")

    assert page.status_code == 422
    assert "Nothing can fit this" in page.text


async def test_pages_follow_each_other_by_a_cursor(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)
    for _ in range(PAGE_ROWS):
        await note(site, "trace")

    first = (await browser.get("/audit?kind=look")).text
    cursor = first.partition('href="/audit?kind=look&amp;before=')[2].partition('"')[0]
    await note(site, "trace")
    older = (await browser.get(f"/audit?kind=look&before={cursor}")).text

    assert first.count('<tr><td class="sw-number"') == PAGE_ROWS
    assert older.count('<tr><td class="sw-number"') == 0
    assert 'href="/audit?kind=look"' in older


async def test_the_chain_is_verified_and_its_head_told(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)
    before = (await browser.get("/audit")).text

    page = await verified(browser)

    head = await site.stores.journals.head()
    assert "once a day" in before
    assert f"{head.number}:{head.digest}" in page
    assert page.count("intact, rows:") == 2


async def test_a_store_that_does_not_answer_is_no_verification(
    browser: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)

    async def fail(*_: object) -> None:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(type(site.stores.journals), "states", fail)

    assert "The store does not answer: no disk" in await verified(browser)


async def test_a_row_that_was_changed_is_named(sqlite_url: str, database_file: Path) -> None:
    stores: Stores = await open_store(sqlite_url)
    site = Site(stores)
    transport = httpx.ASGITransport(site.app(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as browser:
        browser.headers["Accept-Language"] = "en"
        await sign_in(browser, site, UserRole.AUDITOR)
        with closing(sqlite3.connect(database_file, isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER tr_access_log_update")
            connection.execute("UPDATE access_log SET by = 'nobody' WHERE number = 2")

        page = await verified(browser)

    await stores.close()
    assert "row 2: it was changed." in page
    assert "Rows that are intact before it: 1" in page


async def test_an_export_is_a_file_whose_digest_is_right_and_stands_in_the_audit(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)
    await note(site, "trace")

    answer = await post(browser, "/audit/export", {"kind": "look", "before": "1"})

    lines = answer.content.splitlines(keepends=True)
    newest, *_ = await site.stores.journals.accesses()
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-2025')
    assert verify_export(lines).is_whole
    assert [one["action"] for one in map(orjson.loads, lines[:-1])] == ["trace"]
    assert (newest.by, newest.action, newest.about) == (
        "user: lin",
        "audit export",
        "entries of look",
    )


async def test_an_export_of_nothing_that_can_be_is_none(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.AUDITOR)

    answer = await post(browser, "/audit/export", {"kind": "nothing"})

    assert "content-disposition" not in answer.headers
    assert (await site.stores.journals.accesses())[0].action == "user sign-in"


def test_every_word_is_there_in_chinese() -> None:
    templates = Templates({"web": "gateway.web", "audit": "gateway.systems.audit"})
    said = templates._words["zh"].gettext
    words = (*KINDS.values(), *JOURNALS.values(), *PROBLEMS.values())

    assert all(said(word) != word for word in words)
    assert KINDS.keys() == set(AuditKind)
