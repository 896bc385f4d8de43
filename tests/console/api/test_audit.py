"""Programs of auditors read the audit, have it verified, and take it away with a digest."""

import pytest

from gateway.domain.records import NewAccess
from gateway.stores import Stores
from gateway.systems.audit.service import verify_export
from tests.console.api.conftest import NOON, Ask, Desk


async def note(stores: Stores, by: str, action: str, about: str = "message 1") -> None:
    await stores.journals.note_access(NewAccess(by, action, "工单 2026-118", about, NOON))


async def test_entries_come_in_pages_and_are_narrowed(ask: Ask, stores: Stores) -> None:
    for number in range(3):
        await note(stores, f"user: lin{number}", "quarantine release")
    await note(stores, "user: wu", "policy activate", "policy 3f1d")

    first = (await ask("auditor", "GET", "/v1/audit?limit=3")).json()
    await note(stores, "user: wu", "user add", "lin")
    rest = (await ask("auditor", "GET", f"/v1/audit?limit=3&cursor={first['next']}")).json()
    of_kind = (await ask("auditor", "GET", "/v1/audit?kind=policy")).json()["entries"]
    by_wu = (await ask("auditor", "GET", "/v1/audit?by=wu")).json()["entries"]

    assert [one["number"] for one in first["entries"] + rest["entries"]] == [4, 3, 2, 1]
    assert [one["about"] for one in of_kind] == ["policy 3f1d"]
    assert [one["number"] for one in by_wu] == [5, 4]


@pytest.mark.parametrize("wild", ["%25", "_", "l%25n", "li_1"])
async def test_wildcards_of_sql_are_letters(ask: Ask, stores: Stores, wild: str) -> None:
    await note(stores, "user: lin1", "quarantine release")

    for name in ("by", "about"):
        assert (await ask("auditor", "GET", f"/v1/audit?{name}={wild}")).json()["entries"] == []


async def test_a_verification_is_begun_and_its_end_is_told(desk: Desk, stores: Stores) -> None:
    for _ in range(3):
        await note(stores, "user: lin", "quarantine release")
    app = desk.app()

    async with desk.asking("auditor", app=app) as client:
        begun = await client.post("/v1/audit/verify")
        status = begun.json()
        while status["is_running"]:
            desk.monotonic += 60.0
            status = (await client.get("/v1/audit/chain")).json()

    assert begun.status_code == 202
    assert [(one["journal"], one["rows"]) for one in status["chains"]] == [
        ("access_log", 3),
        ("purge_log", 0),
    ]
    assert status["verified_at"] is not None
    assert len(status["chains"][0]["head"]) == 64


async def test_what_is_taken_away_proves_itself_and_is_in_the_audit(
    ask: Ask, stores: Stores
) -> None:
    await note(stores, "user: lin", "quarantine release")
    await note(stores, "user: wu", "policy activate")

    answer = await ask("auditor", "POST", "/v1/audit/export", json={"kind": "decision"})

    lines = answer.content.splitlines(keepends=True)
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    assert verify_export(lines).is_whole
    assert len(lines) == 2
    newest, *_ = await stores.journals.accesses()
    assert (newest.by, newest.action) == ("api: auditor", "audit export")
