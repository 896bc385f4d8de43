"""Sanctions over the API: an SP sees its own, and one approver alone reopens nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from gateway.domain.sanction import ReopeningTerms, SanctionLadder, SanctionState, SanctionStep
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind, WarningNote
from gateway.stores import Stores

Ask = Callable[..., Awaitable[httpx.Response]]

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
CLOSES = replace(SanctionLadder(), automatic=frozenset({SanctionStep.CLOSE}))
ASKED = {"reason": "已更换负责人", "conditions": "仅向已同意用户发送"}
REOPEN = "/v1/sanctions/1/reopen"


@pytest.fixture
async def sanctioned(stores: Stores) -> Stores:
    """Return stores: sp1 is closed, and a notice is proposed to it; sp2 is closed, too."""
    kinds = [("sp1", Severity.MAJOR), ("sp1", Severity.GENERAL), ("sp2", Severity.MAJOR)]
    for system_id, severity in kinds:
        kind = WarningKind(WarningCode.W5, severity, system_id, "13911112222")
        await stores.warnings.add([WarningCount(kind, severity, 1, 0, NOON, NOON)])
    await stores.sanctions.propose(CLOSES, NOON)
    return stores


ANY = {"terms": "0123456789ab"}  # the digest of no terms


def terms_of(answer: httpx.Response) -> dict[str, str]:
    return {"terms": answer.json()["reopening"]["terms"]}


def numbers(answer: httpx.Response) -> list[int]:
    return [one["number"] for one in answer.json()["sanctions"]]


@pytest.mark.usefixtures("sanctioned")
async def test_r96_an_sp_sees_what_it_was_given_and_staff_what_is_proposed(ask: Ask) -> None:
    own = await ask("shop", "GET", "/v1/sanctions")
    page = await ask("police", "GET", "/v1/sanctions?limit=2")
    behind = await ask("officer", "GET", f"/v1/sanctions?before={page.json()['next']}")
    proposed = await ask("officer", "GET", "/v1/sanctions?state=proposed&system_id=sp1")

    assert (numbers(own), numbers(page), numbers(behind)) == ([1], [3, 2], [1])
    assert numbers(proposed) == [2]
    (one,) = own.json()["sanctions"]
    assert (one["step"], one["state"], one["warning"]) == ("close", "applied", 1)
    assert one["port"] == "139****2222"


async def test_r97_an_sp_reads_the_terms_once_it_is_reopened_and_no_notes_of_staff(
    ask: Ask, sanctioned: Stores
) -> None:
    said = WarningNote("wu", NOON, "an internal note")
    await sanctioned.sanctions.decide(2, SanctionState.APPLIED, said)
    asked = await ask("officer", "POST", REOPEN, json=ASKED)
    before = await ask("shop", "GET", "/v1/sanctions")
    await ask("second officer", "POST", f"{REOPEN}/approve", json=terms_of(asked))
    after = await ask("shop", "GET", "/v1/sanctions")

    assert "internal" not in before.text
    assert [one["reopening"] for one in before.json()["sanctions"]] == [None, None]
    terms = after.json()["sanctions"][1]["reopening"]
    assert (terms["conditions"], terms["reason"], terms["terms"]) == (ASKED["conditions"], "", "")


async def test_r96_pages_of_an_sp_hide_what_is_only_proposed(ask: Ask, sanctioned: Stores) -> None:
    kind = WarningKind(WarningCode.W5, "R60", "sp1", "10690001")
    await sanctioned.warnings.add([WarningCount(kind, Severity.MAJOR, 1, 0, NOON, NOON)])
    await sanctioned.sanctions.propose(CLOSES, NOON)  # 4; the proposed one is 2

    page = await ask("shop", "GET", "/v1/sanctions?limit=1")
    behind = await ask("shop", "GET", f"/v1/sanctions?limit=1&before={page.json()['next']}")
    end = await ask("shop", "GET", f"/v1/sanctions?limit=1&before={behind.json()['next']}")
    proposed = await ask("shop", "GET", "/v1/sanctions?state=proposed&limit=1")

    assert [numbers(one) for one in (page, behind, end, proposed)] == [[4], [1], [], []]
    assert [one.json()["next"] for one in (page, behind, end, proposed)] == [4, 1, None, None]


async def test_r97_one_approver_is_a_409_and_two_reopen(ask: Ask, sanctioned: Stores) -> None:
    first = await ask("officer", "POST", REOPEN, json=ASKED)
    terms = terms_of(first)
    same = await ask("officer", "POST", f"{REOPEN}/approve", json=terms)
    again = await ask("officer", "POST", REOPEN, json=ASKED)
    changed = await ask("officer", "POST", REOPEN, json=ASKED | {"days": 60})
    unread = await ask("second officer", "POST", f"{REOPEN}/approve", json=ANY)
    other = await ask("second officer", "POST", f"{REOPEN}/approve", json=terms)
    repeated = await ask("second officer", "POST", f"{REOPEN}/approve", json=terms)
    over = await ask("officer", "POST", f"{REOPEN}/approve", json=terms)

    answers = (first, same, again, changed, unread, other, repeated, over)
    assert [one.status_code for one in answers] == [200, 409, 200, 409, 409, 200, 200, 409]
    assert (again.json(), repeated.json()) == (first.json(), other.json())
    assert unread.json()["detail"] == "the terms that are asked for are others: read them again"
    assert same.json()["detail"] == "you asked for it: another person must approve or decline it"
    assert first.json()["state"] == "applied"
    assert first.json()["reopening"]["daily_max"] == 10_000
    assert other.json()["state"] == "reopened"
    assert other.json()["probation_until"] == "2025-12-25T12:00:00Z"
    kept = await sanctioned.sanctions.get(1)
    assert kept is not None
    assert kept.reopened_by == "client second officer"


async def test_r97_what_was_asked_for_on_the_command_line_is_decided_there(
    ask: Ask, sanctioned: Stores
) -> None:
    terms = ReopeningTerms("officer", NOON, "new owner", "own lists only")
    await sanctioned.sanctions.ask_reopening(1, terms)

    approved = await ask("officer", "POST", f"{REOPEN}/approve", json={"terms": terms.digest})
    declined = await ask("officer", "POST", f"{REOPEN}/decline", json={"note": "no"})

    assert (approved.status_code, declined.status_code) == (409, 409)
    assert approved.json()["detail"] == ("it was not asked for over the API: decide where it was")


async def test_r96_an_officer_applies_or_dismisses_a_step_and_may_repeat_it(
    ask: Ask, sanctioned: Stores
) -> None:
    kind = WarningKind(WarningCode.W5, "R60", "sp1", "10690001")
    await sanctioned.warnings.add([WarningCount(kind, Severity.GENERAL, 1, 0, NOON, NOON)])
    await sanctioned.sanctions.propose(CLOSES, NOON)
    why = {"note": "三次未答复，见 13911112222"}

    applied = await ask("officer", "POST", "/v1/sanctions/2/apply", json=why)
    again = await ask("officer", "POST", "/v1/sanctions/2/apply", json=why)
    by_other = await ask("second officer", "POST", "/v1/sanctions/2/apply", json=why)
    undone = await ask("officer", "POST", "/v1/sanctions/2/dismiss", json=why)
    dismissed = await ask("officer", "POST", "/v1/sanctions/4/dismiss", json=why)

    statuses = [one.status_code for one in (applied, again, by_other, undone, dismissed)]
    assert statuses == [200, 200, 409, 409, 200]
    assert again.json() == applied.json()
    assert (applied.json()["state"], dismissed.json()["state"]) == ("applied", "dismissed")
    assert applied.json()["note"] == "三次未答复，见 139****2222"
    kept = await sanctioned.sanctions.get(2)
    assert kept is not None
    assert kept.decided_by == "client officer"
    acts = [(one.by, one.action) for one in await sanctioned.journals.accesses()]
    assert acts[:2] == [
        ("client officer", "sanction dismiss"),
        ("client officer", "sanction apply"),
    ]
    assert len(acts) == 4  # and two that were automatic: what is repeated is noted once


@pytest.mark.usefixtures("sanctioned")
async def test_r96_one_sanction_is_read_by_staff_and_by_the_sp_that_was_given_it(ask: Ask) -> None:
    staff = await ask("police", "GET", "/v1/sanctions/2")
    own = await ask("shop", "GET", "/v1/sanctions/1")
    proposed = await ask("shop", "GET", "/v1/sanctions/2")
    of_other = await ask("shop", "GET", "/v1/sanctions/3")

    assert [one.status_code for one in (staff, own, proposed, of_other)] == [200, 200, 404, 404]
    assert (staff.json()["step"], own.json()["step"]) == ("notice", "close")


@pytest.mark.usefixtures("sanctioned")
async def test_r97_what_is_declined_by_another_client_stays_as_it_is(ask: Ask) -> None:
    words = ASKED | {"conditions": "不再发给 13911112222"}
    asked = await ask("officer", "POST", REOPEN, json=words)

    own = await ask("officer", "POST", f"{REOPEN}/decline", json={"note": "other terms"})
    declined = await ask("second officer", "POST", f"{REOPEN}/decline", json={"note": "no"})
    approved = await ask("second officer", "POST", f"{REOPEN}/approve", json=terms_of(asked))

    assert (own.status_code, declined.status_code, approved.status_code) == (409, 200, 409)
    assert asked.json()["reopening"]["conditions"] == "不再发给 139****2222"
    assert (declined.json()["state"], declined.json()["reopening"]) == ("applied", None)


@pytest.mark.usefixtures("sanctioned")
@pytest.mark.parametrize(
    ("client", "method", "path", "body", "status"),
    [
        ("shop", "GET", "/v1/sanctions?system_id=sp2", None, 403),
        ("app", "GET", "/v1/sanctions", None, 403),
        ("police", "GET", "/v1/sanctions?state=lost", None, 422),
        ("shop", "POST", REOPEN, ASKED, 403),
        ("police", "POST", REOPEN, ASKED, 403),
        ("officer", "POST", REOPEN, {"reason": "x"}, 422),
        ("officer", "POST", REOPEN, ASKED | {"daily_max": 0}, 422),
        ("officer", "POST", REOPEN, ASKED | {"days": 367}, 422),
        ("officer", "POST", "/v1/sanctions/2/reopen", ASKED, 409),
        ("officer", "POST", "/v1/sanctions/9/reopen", ASKED, 404),
        ("officer", "POST", "/v1/sanctions/9/reopen/approve", ANY, 404),
        ("officer", "POST", f"{REOPEN}/approve", None, 422),
        ("officer", "POST", f"{REOPEN}/approve", {"terms": "all"}, 422),
        ("shop", "POST", "/v1/sanctions/2/apply", {"note": "x"}, 403),
        ("police", "POST", "/v1/sanctions/2/dismiss", {"note": "x"}, 403),
        ("officer", "POST", "/v1/sanctions/2/apply", {"note": " "}, 422),
        ("officer", "POST", "/v1/sanctions/2/apply", {"note": "x", "by": "wu"}, 422),
        ("officer", "POST", "/v1/sanctions/9/dismiss", {"note": "x"}, 404),
        ("police", "GET", "/v1/sanctions/9", None, 404),
    ],
)
async def test_what_is_not_there_or_not_for_a_client_is_refused(
    ask: Ask, client: str, method: str, path: str, body: object, status: int
) -> None:
    more = {} if body is None else {"json": body}
    assert (await ask(client, method, path, **more)).status_code == status
