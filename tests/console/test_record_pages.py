"""Pages over the records: traces and traffic, to whom they are shown, and what is journaled."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import orjson
import pytest

from gateway.console import record_pages
from gateway.console.record_pages import RecordAccess, RecordTurns
from gateway.domain.permissions import UserRole
from gateway.records.archive import RecordArchive
from gateway.records.traffic_counts import Patience
from gateway.runtime.tasks import spawn
from gateway.systems.quarantine.model import lowest_id_at
from tests.console.browsing import Site, post, sign_in
from tests.real_time import until
from tests.records.finding_rows import answered, decided, enforced, found, lines

RECEIPT = {
    "kind": "delivery",
    "at": "2013-09-30T08:02:00.000Z",
    "session": 9,
    "system_id": "shop",
    "sequence_number": 1,
    "source": "13800138000",
    "destination": "10690001",
    "message_id": "ab12",
    "what": "receipt",
    "stat": "DELIVRD",
}
BOUND = {"kind": "bound", "at": "2013-09-30T08:00:00.000Z", "session": 1, "smsc": "north"}
SECRET = "13800138000"


def write_records(site: Site, place: Path) -> None:
    """Let a site know some records of its time."""
    rows = (
        orjson.dumps(BOUND),
        *lines(decided(1, found("R21"), found("R43"))),
        *lines(answered(1, "ab12")),
        orjson.dumps(RECEIPT),
        *lines(decided(2, enforced("K-FRAUD"))),
        *lines(decided(3, enforced("K-LOAN"), system_id="bank", source="95588")),
    )
    hour = f"{site.clock.at:%Y-%m-%dT%H}".encode()
    text = b"\n".join((*rows, b"")).replace(b"2013-09-30T08", hour)
    (place / f"cdr-{site.clock.at:%Y%m%d-%H}.jsonl").write_bytes(text)
    site.records = RecordAccess(
        RecordArchive(place), None, lambda: {"shop": ("10690001",), "bank": ("95588",)}
    )
    site.clock.move(600)


@pytest.fixture(autouse=True)
def records(site: Site, tmp_path: Path) -> None:
    write_records(site, tmp_path)


async def looks(site: Site) -> list[tuple[str, str]]:
    journal = await site.stores.journals.accesses()
    return [(one.by, one.about) for one in journal if one.action == "trace"]


async def test_a_message_is_followed_from_the_submit_to_the_receipt(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)

    page = (await browser.get("/trace/ab12")).text

    order = [page.index(said) for said in ("decision:", "answer:", "delivery:")]
    assert order == sorted(order)
    for said in ("R21", "R43", "DELIVRD", "north", "138****8000", "0123456789ab"):
        assert said in page
    assert "K-FRAUD" not in page
    assert SECRET not in page
    assert await looks(site) == [("user: lin", "ab12 in 6 h")]


async def test_r73_a_number_is_followed_by_a_post_and_masked_in_the_journal(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)

    page = await post(browser, "/trace", {"what": f"+86{SECRET}", "hours": "24"})

    assert "K-LOAN" in page.text
    assert "ab12" in page.text
    assert SECRET not in page.text
    assert await looks(site) == [("user: lin", "+138****8000 in 24 h")]


async def test_r73_a_look_back_to_where_an_id_was_issued_is_journaled(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    then = datetime(2013, 9, 27, 10, tzinfo=UTC)
    early = lowest_id_at(int(then.timestamp() * 1000))

    await browser.get(f"/trace/{early}?hours=1")

    (look,) = await looks(site)
    reach = "and 2013-09-27T09:00+0000 to 2013-09-27T11:01+0000"
    assert look == ("user: lin", f"{early} in 1 h, {reach}")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"what": "+12"}, "no number of a subscriber"),
        ({"what": "nothing"}, "Nothing is on record"),
        ({"what": "<b>x</b>"}, "&lt;b&gt;x"),
        ({"what": "ab12", "hours": "99999"}, "DELIVRD"),
        ({}, "Follow it"),
    ],
)
async def test_what_is_asked_for_is_answered(
    browser: httpx.AsyncClient, site: Site, fields: dict[str, str], said: str
) -> None:
    await sign_in(browser, site)

    assert said in (await post(browser, "/trace", fields)).text


async def test_an_sp_follows_its_own_messages_alone(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site, UserRole.SENDER, system_id="bank")

    other = (await browser.get("/trace/ab12")).text
    own = (await post(browser, "/trace", {"what": SECRET})).text

    assert "Nothing is on record" in other
    assert "K-LOAN" in own
    assert "shop" not in own


async def test_too_many_records_are_told(
    browser: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(browser, site)
    monkeypatch.setattr("gateway.records.traffic_counts._EVERY", 1)
    monkeypatch.setattr(Patience, "is_over", True)

    answer = await browser.get("/trace/ab12")

    assert "too many records" in answer.text


async def test_one_look_goes_on_at_a_time_and_one_of_each_user() -> None:
    turns = RecordTurns()
    async with turns._alone:
        first = spawn(turns.take("lin", lambda: 1), name="look")
        await until(lambda: bool(turns._looking))
        with pytest.raises(record_pages.LookRefusedError):
            await turns.take("lin", lambda: 2)
        second = spawn(turns.take("mei", lambda: 3), name="look")
    assert [await first, await second] == [1, 3]
    assert await turns.take("lin", lambda: 4) == 4


@pytest.mark.parametrize("error", [OSError(), ValueError(), EOFError()])
async def test_records_that_cannot_be_read_are_told(error: Exception) -> None:
    def read() -> None:
        raise error

    with pytest.raises(record_pages.LookRefusedError, match="cannot be read"):
        await RecordTurns().take("lin", read)


# Traffic


async def test_traffic_is_counted_with_only_this_and_without_this(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)

    page = (await browser.get("/traffic?hours=6")).text
    only = (await browser.get("/traffic?hours=6&rule=K-FRAUD")).text
    others = "without=rule:K-FRAUD&without=system_id:bank"
    without = (await browser.get(f"/traffic?hours=6&{others}")).text

    assert "3 messages" in page
    assert 'href="/traffic?hours=6&amp;rule=K-FRAUD"' in page
    assert 'href="/traffic?hours=6&amp;without=rule%3AK-FRAUD"' in page
    assert "1 messages" in only
    assert "1 messages" in without
    assert 'href="/traffic?hours=6"' in only  # the condition is dropped again
    assert SECRET not in page + only + without


async def test_from_a_filter_a_rule_is_replayed_on_the_same_messages(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    asked = "since=2025-11-25T12:00&until=2025-11-25T13:00&system_id=shop&rule=K-FRAUD"

    page = (await browser.get(f"/traffic?{asked}")).text

    replay = asked.replace(":", "%3A").replace("&", "&amp;")
    assert f'href="/policies/replay?{replay}"' in page
    assert "1 messages" in page


async def test_a_message_of_the_list_leads_to_its_trace(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)

    assert 'href="/trace/ab12"' in (await browser.get("/traffic")).text


async def test_an_sp_counts_its_own_traffic_without_rules_in_shadow(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.SENDER, system_id="shop")

    page = (await browser.get("/traffic?system_id=bank")).text

    assert "2 messages" in page
    for other in ("K-LOAN", "R21", "shadow", "/policies/replay"):
        assert other not in page


@pytest.mark.parametrize(
    "query",
    [
        "since=2013-09-30T09:00&until=2013-09-30T08:00",
        "since=2012-01-01T00:00",
        "without=text:x",
        "without=x",
    ],
)
async def test_a_filter_that_is_not_possible_is_told(
    browser: httpx.AsyncClient, site: Site, query: str
) -> None:
    await sign_in(browser, site)

    answer = await browser.get(f"/traffic?{query}")

    assert (answer.status_code, "not possible" in answer.text) == (422, True)


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "%' OR 1=1", "\u202e", "x" * 999])
@pytest.mark.parametrize("name", ["rule", "system_id", "without", "since", "hours"])
async def test_what_strangers_put_into_an_address_is_text(
    browser: httpx.AsyncClient, site: Site, name: str, value: str
) -> None:
    await sign_in(browser, site)

    page = await browser.get(f"/traffic?{name}={quote(value)}")

    assert page.status_code in {200, 422}
    assert "<script>alert" not in page.text


@pytest.mark.parametrize("path", ["/trace/ab12", "/traffic"])
async def test_a_console_without_a_gateway_says_so(site: Site, path: str) -> None:
    site.records = None
    transport = httpx.ASGITransport(site.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as other:
        other.headers["Accept-Language"] = "en"
        await sign_in(other, site)
        assert "gateway.yaml names their directory" in (await other.get(path)).text
