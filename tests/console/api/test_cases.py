"""Cases over the API."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases.model import Actor, CaseComplaint, CaseMeasure, MeasureKind
from gateway.systems.cases.service import CaseDesk

Ask = Callable[..., Awaitable[httpx.Response]]

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
PERSON = "13911112222"
HERE = "中国移动/江苏"


@pytest.fixture
async def officer(stores: Stores) -> CaseDesk:
    """Return the desk of three cases; the first is about a person's number."""
    desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
    given = [
        CaseComplaint(number, f"c{number}", sender, None, NOON, HERE)
        for number, sender in ((1, PERSON), (2, "106900010001"), (3, "106900010002"))
    ]
    await desk.take(given, "complaints")
    return desk


async def test_cases_are_listed_by_state_and_page_the_newest_first(
    ask: Ask, officer: CaseDesk
) -> None:
    await officer.dispatch(2, "中国联通/广东", Actor("lin", NOON))

    everything = await ask("police", "GET", "/v1/cases?limit=2")
    behind = await ask("police", "GET", f"/v1/cases?before={everything.json()['next']}")
    dispatched = await ask("police", "GET", "/v1/cases?state=dispatched&owner=中国联通/广东")

    assert [one["number"] for one in everything.json()["cases"]] == [3, 2]
    assert [one["number"] for one in behind.json()["cases"]] == [1]
    assert behind.json()["next"] is None
    (case,) = dispatched.json()["cases"]
    assert (case["number"], case["responsible"]) == (2, "中国联通/广东")
    assert {one["name"] for one in case["clocks"]} >= {"ack"}


async def test_a_case_shows_its_journal_and_no_whole_number(ask: Ask, officer: CaseDesk) -> None:
    who = Actor("lin", NOON, "looked into it")
    await officer.verify(1, who)
    measure = CaseMeasure(MeasureKind.NUMBER_SUSPENDED, NOON - timedelta(hours=1), PERSON)
    await officer.measure(1, measure, who)

    answer = await ask("police", "GET", "/v1/cases/1")

    whole = answer.json()
    assert [one["act"] for one in whole["journal"]] == ["open", "verify", "measure"]
    assert whole["newest_complaints"] == [{"id": 1, "sender": "139****2222"}]
    assert whole["measures"][0]["about"] == "139****2222"
    assert PERSON not in answer.text


@pytest.mark.usefixtures("officer")
async def test_an_officer_takes_a_case_to_its_end_by_acts(ask: Ask, stores: Stores) -> None:
    acts = [
        {"act": "dispatch", "to": "中国联通/广东", "note": "their port"},
        {"act": "accept"},
        {"act": "verify"},
        {
            "act": "measure",
            "kind": "port_suspended",
            "about": "106900010001",
            "at": "2025-11-25T19:30:00+08:00",
        },
        {  # the same one again
            "act": "measure",
            "kind": "port_suspended",
            "about": "106900010001",
            "at": "2025-11-25T11:30:00Z",
        },
        {"act": "feedback", "finding": "confirmed", "evidence": "records", "system_id": "sp1"},
        {"act": "tell"},
        {"act": "close", "note": "done"},
    ]

    answers = [await ask("officer", "POST", "/v1/cases/2/acts", json=act) for act in acts]

    assert [one.status_code for one in answers] == [200] * len(acts)
    last = answers[-1].json()
    assert (last["state"], last["owner"], last["finding"]) == (
        "closed",
        "中国联通/广东",
        "confirmed",
    )
    assert [one["about"] for one in last["measures"]] == ["106900010001"]
    journal = await stores.cases.journal_of(2)
    assert {one.by for one in journal if one.act != "open"} == {"officer"}
    assert [one.note for one in journal if one.note] == ["their port", "done"]


@pytest.mark.usefixtures("officer")
@pytest.mark.parametrize(
    ("client", "number", "act", "status"),
    [
        ("officer", 9, {"act": "verify"}, 404),
        ("officer", 2, {"act": "close"}, 409),
        ("officer", 2, {"act": "feedback", "finding": "confirmed"}, 422),
        ("officer", 2, {"act": "feedback", "finding": "unfounded"}, 409),
        ("officer", 2, {"act": "dispatch"}, 422),
        ("officer", 2, {"act": "verify", "to": "中国联通/广东"}, 422),
        ("officer", 2, {"act": "refer", "to": "police"}, 422),
        ("officer", 2, {"act": "note"}, 422),
        ("officer", 2, {"act": "note", "note": "a\u0000b"}, 422),
        ("officer", 2, {"act": "note", "note": "x" * 401}, 422),
        ("officer", 2, {"act": "measure", "kind": "hanged", "about": "1069"}, 422),
        ("officer", 2, {"act": "measure", "kind": "port_closed", "about": "1069"}, 422),
        ("police", 2, {"act": "verify"}, 403),
        ("shop", 2, {"act": "verify"}, 403),
    ],
)
async def test_an_act_that_is_not_allowed_changes_nothing(
    ask: Ask, stores: Stores, client: str, number: int, act: dict[str, str], status: int
) -> None:
    before = await stores.cases.get(2)

    answer = await ask(client, "POST", f"/v1/cases/{number}/acts", json=act)

    assert answer.status_code == status
    assert await stores.cases.get(2) == before
    assert len(await stores.cases.journal_of(2)) == 1


async def test_r85_a_confirmed_finding_without_measures_is_a_422_and_with_one_stops_the_clock(
    ask: Ask, officer: CaseDesk
) -> None:
    await officer.verify(2, Actor("lin", NOON))
    path = "/v1/cases/2/acts"
    found = {"act": "feedback", "finding": "confirmed", "evidence": "records"}
    measure = {"act": "measure", "kind": "port_suspended", "about": "106900010001"}

    lacking = await ask("officer", "POST", path, json=found)
    await ask("officer", "POST", path, json=measure | {"at": "2025-11-25T20:00:00+08:00"})
    unproved = await ask("officer", "POST", path, json=found | {"evidence": None})
    done = await ask("officer", "POST", path, json=found)

    assert [one.status_code for one in (lacking, unproved, done)] == [422, 422, 200]
    assert lacking.json()["detail"] == "a confirmed finding needs a measure and its time"
    (clock,) = [one for one in done.json()["clocks"] if one["name"] == "feedback"]
    assert (done.json()["state"], clock["stop"]) == ("feedback_received", "2025-11-25T12:00:00Z")


@pytest.mark.usefixtures("officer")
async def test_a_refused_act_tells_why(ask: Ask) -> None:
    answer = await ask("officer", "POST", "/v1/cases/2/acts", json={"act": "close"})

    assert answer.json()["detail"] == "close is not possible while it is open"


@pytest.mark.usefixtures("officer")
@pytest.mark.parametrize(
    ("client", "path", "status"),
    [
        ("police", "/v1/cases/9", 404),
        ("police", "/v1/cases/0", 422),
        ("police", "/v1/cases?state=lost", 422),
        ("police", "/v1/cases?limit=501", 422),
        ("app", "/v1/cases", 403),
        ("shop", "/v1/cases/1", 403),
        ("12321", "/v1/cases/1", 403),
    ],
)
async def test_what_is_not_there_or_not_for_a_client_is_refused(
    ask: Ask, client: str, path: str, status: int
) -> None:
    assert (await ask(client, "GET", path)).status_code == status


async def test_cases_are_searched_by_sender_reporter_and_words_and_the_look_is_journaled(
    ask: Ask, officer: CaseDesk, stores: Stores
) -> None:
    told = CaseComplaint(9, "c9", "106900010009", 8613800138000, NOON, HERE)
    await officer.take([told], "complaints")

    async def found(**wanted: object) -> list[int]:
        answer = await ask("police", "POST", "/v1/cases/search", json=wanted)
        assert answer.status_code == 200, answer.text
        return [one["number"] for one in answer.json()["cases"]]

    assert await found(sender="106900010002") == [3]
    assert await found(prefix="1069") == [4, 3, 2]
    assert await stores.journals.accesses() == []
    assert await found(reporter="13800138000") == [4]
    assert await found(sender=PERSON) == [1]
    assert await found(words="贷款") == []
    assert [(one.by, one.action, one.about) for one in await stores.journals.accesses()] == [
        ("api: police", "cases search", "cases by words of the text"),
        ("api: police", "cases search", "cases of the sender 139****2222"),
        ("api: police", "cases search", "cases of the reporter 138****8000"),
    ]


@pytest.mark.usefixtures("officer")
async def test_a_search_pages_and_refuses_what_it_cannot_look_for(ask: Ask) -> None:
    first = await ask("police", "POST", "/v1/cases/search", json={"prefix": "1069", "limit": 1})
    page = first.json()

    assert ([one["number"] for one in page["cases"]], page["next"], page["is_cut"]) == (
        [3],
        3,
        False,
    )
    for wrong in ({"words": "  "}, {"reporter": "10690001x"}, {"prefix": ""}, {"text": "x"}):
        answer = await ask("police", "POST", "/v1/cases/search", json=wrong)
        assert answer.status_code == 422
    assert (await ask("shop", "POST", "/v1/cases/search", json={})).status_code == 403


@pytest.mark.usefixtures("officer")
async def test_overdue_cases_are_listed_over_http(ask: Ask) -> None:
    answer = await ask("police", "GET", "/v1/cases?overdue=true")

    assert answer.json() == {"cases": [], "next": None, "is_cut": False}
