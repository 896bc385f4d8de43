"""Early warnings over the API: an SP reads and answers its own, staff read all."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.stores import Stores

Ask = Callable[..., Awaitable[httpx.Response]]

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
FIXED = {"note": "名单已删除，联系 13911112222"}


@pytest.fixture
async def warned(stores: Stores) -> Stores:
    """Return stores with a warning of each of two SPs, and one of a day before."""
    kinds = [
        (WarningKind(WarningCode.W4, "R40", "sp1", "10690001"), None, timedelta(days=1)),
        (WarningKind(WarningCode.W5, "R21", "sp1", "10690001"), Severity.GENERAL, timedelta()),
        (WarningKind(WarningCode.W3, "R05", "sp2", "13911112222"), Severity.SERIOUS, timedelta()),
    ]
    for kind, severity, ago in kinds:
        at = NOON - ago
        await stores.warnings.add([WarningCount(kind, severity, 2, 0, at, at, ("4:101",))])
    return stores


def numbers(answer: httpx.Response) -> list[int]:
    return [one["number"] for one in answer.json()["warnings"]]


@pytest.mark.usefixtures("warned")
async def test_r95_an_sp_lists_its_own_warnings_with_samples_and_when_its_answer_is_due(
    ask: Ask,
) -> None:
    answer = await ask("shop", "GET", "/v1/warnings")

    assert numbers(answer) == [2, 1]
    newest = answer.json()["warnings"][0]
    assert (newest["code"], newest["severity"], newest["samples"]) == ("W5", "general", ["4:101"])
    assert newest["due_at"] == "2025-11-26T12:00:00Z"
    assert answer.json()["next"] is None


@pytest.mark.usefixtures("warned")
async def test_r95_staff_see_the_warnings_of_all_and_page_through_them(ask: Ask) -> None:
    page = await ask("police", "GET", "/v1/warnings?limit=2")
    behind = await ask("营业厅", "GET", f"/v1/warnings?before={page.json()['next']}")
    of_one = await ask("police", "GET", "/v1/warnings?system_id=sp2&violations=true")
    overdue = await ask("police", "GET", "/v1/warnings?overdue=true")

    assert (numbers(page), numbers(behind)) == ([3, 2], [1])
    assert (numbers(of_one), numbers(overdue)) == ([3], [1])
    assert of_one.json()["warnings"][0]["port"] == "139****2222"


@pytest.mark.usefixtures("warned")
async def test_r95_an_sp_answers_a_warning_once_and_may_repeat_it(ask: Ask) -> None:
    first = await ask("shop", "POST", "/v1/warnings/2/answer", json=FIXED)
    again = await ask("shop", "POST", "/v1/warnings/2/answer", json=FIXED)
    other = await ask("shop", "POST", "/v1/warnings/2/answer", json={"note": "changed my mind"})
    answered = await ask("police", "GET", "/v1/warnings?state=answered")

    assert [one.status_code for one in (first, again, other)] == [200, 200, 409]
    assert first.json()["answer"]["note"] == "名单已删除，联系 139****2222"
    assert numbers(answered) == [2]


@pytest.mark.usefixtures("warned")
async def test_r95_an_officer_notes_the_answer_of_an_sp_that_telephoned(ask: Ask) -> None:
    noted = await ask("officer", "POST", "/v1/warnings/3/answer", json=FIXED)
    again = await ask("officer", "POST", "/v1/warnings/3/answer", json=FIXED)
    by_sp = await ask("other", "POST", "/v1/warnings/3/answer", json=FIXED)

    assert [one.status_code for one in (noted, again, by_sp)] == [200, 200, 409]
    assert noted.json()["state"] == "answered"


async def test_r95_an_officer_closes_a_warning_and_may_repeat_it(ask: Ask, warned: Stores) -> None:
    closed = await ask("officer", "POST", "/v1/warnings/2/close", json=FIXED)
    again = await ask("officer", "POST", "/v1/warnings/2/close", json=FIXED)
    other = await ask("second officer", "POST", "/v1/warnings/2/close", json=FIXED)
    late = await ask("shop", "POST", "/v1/warnings/2/answer", json=FIXED)

    assert [one.status_code for one in (closed, again, other, late)] == [200, 200, 409, 409]
    assert other.json()["detail"] == "the warning is closed already"
    assert (closed.json()["state"], closed.json()["answer"]) == ("closed", None)
    assert closed.json()["closing"]["note"] == "名单已删除，联系 139****2222"
    kept = await warned.warnings.get(2)
    assert kept is not None
    assert kept.closing is not None
    assert kept.closing.by == "client officer"


async def test_r95_a_late_answer_is_taken(ask: Ask, warned: Stores) -> None:
    await warned.warnings.escalate_due(NOON)

    answer = await ask("shop", "POST", "/v1/warnings/1/answer", json=FIXED)

    assert (answer.status_code, answer.json()["state"]) == (200, "answered")
    assert answer.json()["escalated_at"] == "2025-11-25T12:00:00Z"


@pytest.mark.usefixtures("warned")
@pytest.mark.parametrize(
    ("client", "method", "path", "body", "status"),
    [
        ("shop", "GET", "/v1/warnings?system_id=sp2", None, 403),
        ("app", "GET", "/v1/warnings", None, 403),
        ("shop", "GET", "/v1/warnings?limit=501", None, 422),
        ("shop", "GET", "/v1/warnings?state=lost", None, 422),
        ("shop", "POST", "/v1/warnings/3/answer", FIXED, 404),
        ("shop", "POST", "/v1/warnings/9/answer", FIXED, 404),
        ("shop", "POST", "/v1/warnings/0/answer", FIXED, 422),
        ("police", "POST", "/v1/warnings/2/answer", FIXED, 403),
        ("officer", "POST", "/v1/warnings/9/answer", FIXED, 404),
        ("shop", "POST", "/v1/warnings/2/close", FIXED, 403),
        ("police", "POST", "/v1/warnings/2/close", FIXED, 403),
        ("officer", "POST", "/v1/warnings/9/close", FIXED, 404),
        ("officer", "POST", "/v1/warnings/2/close", {"note": " "}, 422),
        ("shop", "POST", "/v1/warnings/2/answer", {"note": ""}, 422),
        ("shop", "POST", "/v1/warnings/2/answer", {"note": "\x1b[2J"}, 422),
        ("shop", "POST", "/v1/warnings/2/answer", {"note": "x" * 401}, 422),
        ("shop", "POST", "/v1/warnings/2/answer", {"note": "x", "by": "police"}, 422),
    ],
)
async def test_what_is_not_there_or_not_for_a_client_is_refused(
    ask: Ask, client: str, method: str, path: str, body: object, status: int
) -> None:
    more = {} if body is None else {"json": body}
    assert (await ask(client, method, path, **more)).status_code == status
