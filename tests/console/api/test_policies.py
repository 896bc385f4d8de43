"""Programs check files of the policy, bring them into force, roll back, and replay."""

from pathlib import Path

import httpx
import pytest

from gateway.app.policies import PolicyRequests
from gateway.stores import Stores
from gateway.systems.policy_history import PolicyRequest, PolicyStore
from tests.console.api.conftest import Ask, Desk
from tests.console.test_policy_pages import FILE, FILES, MINE, RunningGateway

WHY = {"note": "工单 2026-118"}
WRONG = "version: 1\nrules:\n  - id: R21\n    mode: never\n"


@pytest.fixture
def place(desk: Desk, tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "policies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    desk.policies = tmp_path / "policies"
    return desk.policies


@pytest.fixture
async def running(stores: Stores, place: Path, monkeypatch: pytest.MonkeyPatch) -> RunningGateway:
    """A gateway that answers each request as soon as it is there."""
    found = RunningGateway(stores.policies, place)
    await found.record("start")
    ask = PolicyStore.ask

    async def ask_and_answer(self: PolicyStore, request: PolicyRequest) -> int:
        number = await ask(self, request)
        await PolicyRequests(self, found.take).meet()
        return number

    monkeypatch.setattr(PolicyStore, "ask", ask_and_answer)
    return found


async def active(ask: Ask) -> httpx.Response:
    return await ask("operator", "GET", "/v1/policies/active")


@pytest.mark.usefixtures("running")
async def test_a_mistake_is_told_at_its_place_and_nothing_is_brought_into_force(
    ask: Ask, place: Path
) -> None:
    before = await active(ask)
    body = {"files": {FILE: WRONG}}
    checked = await ask("operator", "POST", "/v1/policies/check", json=body)
    headers = {"If-Match": before.headers["ETag"]}
    refused = await ask(
        "operator", "POST", "/v1/policies/activate", json=body | WHY, headers=headers
    )

    (fault,) = checked.json()["faults"]
    assert (fault["file"], fault["line"], fault["column"]) == (FILE, 4, 11)
    assert refused.status_code == 422
    assert refused.json()["faults"][0]["pointer"] == f"/files/{FILE}"
    assert refused.json()["faults"][0]["problem"].startswith("4:11 ")
    assert (await active(ask)).json() == before.json()
    assert not (place / FILE).is_file()


async def test_files_are_checked_brought_into_force_and_rolled_back(
    ask: Ask, running: RunningGateway
) -> None:
    first, body = await active(ask), {"files": {FILE: MINE}}
    headers = {"If-Match": first.headers["ETag"]}
    path = "/v1/policies/activate"

    checked = (await ask("operator", "POST", "/v1/policies/check", json=body)).json()
    meant = body | WHY | {"force": True}
    without = await ask("operator", "POST", path, json=meant)
    weaker = await ask("operator", "POST", path, json=body | WHY, headers=headers)
    done = await ask("operator", "POST", path, json=meant, headers=headers)
    stale = await ask("operator", "POST", path, json=meant, headers=headers)
    second = await active(ask)
    back = await ask(
        "operator",
        "POST",
        "/v1/policies/rollback",
        json=WHY | {"version": first.json()["number"]},
        headers={"If-Match": second.headers["ETag"]},
    )

    assert checked["faults"] == []
    assert [one["change"] for one in checked["changes"]] == ["enforce → shadow"]
    assert checked["loss"] == "R21 was enforced and is shadow"
    assert [one.status_code for one in (without, weaker, stale)] == [428, 409, 412]
    assert (done.json()["state"], done.json()["said"]) == ("taken", checked["digest"])
    assert second.json()["by"] == "api: operator"
    assert back.json()["state"] == "taken"
    assert (await active(ask)).json()["digest"] == first.json()["digest"]
    assert [one.by for one in running.asked] == ["api: operator"] * 2


async def test_what_the_gateway_refuses_is_told_and_the_files_are_put_back(
    ask: Ask, running: RunningGateway, place: Path
) -> None:
    running.refusal = "rules/consent.yaml:3:5 no such thing"
    headers = {"If-Match": (await active(ask)).headers["ETag"]}
    body = {"files": {FILE: MINE}, "force": True} | WHY

    answer = await ask("operator", "POST", "/v1/policies/activate", json=body, headers=headers)
    number = answer.json()["number"]
    asked = await ask("viewer", "GET", f"/v1/policies/requests/{number}")

    assert answer.json()["state"] == "refused"
    assert asked.json() == answer.json()
    assert not (place / FILE).is_file()


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("name", ["../mine.yaml", "/etc/passwd", "notes.md", "rules/..%2f.yaml"])
async def test_a_file_is_one_of_a_policy(ask: Ask, name: str) -> None:
    body = {"files": {name: "x"}}
    headers = {"If-Match": "*"}

    checked = await ask("operator", "POST", "/v1/policies/check", json=body)
    done = await ask("operator", "POST", "/v1/policies/activate", json=body | WHY, headers=headers)
    replayed = await ask("auditor", "POST", "/v1/policies/replays", json=body)

    assert [one.status_code for one in (checked, done, replayed)] == [422, 422, 422]


async def test_versions_are_listed_read_and_compared(
    ask: Ask, running: RunningGateway, place: Path
) -> None:
    (place / "local.d/rules").mkdir(parents=True)
    (place / FILE).write_text(MINE, encoding="utf-8")
    await running.record("lin", "shadow")

    first = (await ask("regulator", "GET", "/v1/policies/versions?limit=1")).json()
    path = f"/v1/policies/versions?limit=1&cursor={first['next']}"
    rest = (await ask("regulator", "GET", path)).json()
    number = rest["versions"][0]["number"]
    files = await ask("viewer", "GET", f"/v1/policies/versions/{number}/files")
    changes = await ask("viewer", "GET", f"/v1/policies/versions/{number}/difference")
    rules = await ask("regulator", "GET", "/v1/policies/rules")

    assert [one["by"] for one in first["versions"] + rest["versions"]] == ["lin", "start"]
    assert rest["next"] is None
    assert files.json()["files"]["bundle.yaml"] == FILES["bundle.yaml"]
    assert len(changes.json()["changes"]) == 1
    assert [(one["id"], one["mode"]) for one in rules.json()["rules"]] == [("R21", "shadow")]
    for path in ("99", "99/files", "99/difference"):
        answer = await ask("viewer", "GET", f"/v1/policies/versions/{path}")
        assert answer.status_code == 404
    assert (await ask("regulator", "GET", f"/v1/policies/versions/{number}/files")).status_code == (
        403
    )


@pytest.mark.usefixtures("running")
async def test_a_replay_is_a_job_that_one_follows(desk: Desk) -> None:
    app = desk.app()
    async with desk.asking("auditor", app=app) as client:
        body = {"files": {FILE: MINE}, "rule": "R21", "system_id": "sp1", "against_active": True}
        begun = await client.post("/v1/policies/replays", json=body)
        meanwhile = await client.post("/v1/rules/hits", json={"since": "7d"})
        job = begun.json()
        while job["state"] == "running":
            desk.monotonic += 60.0
            job = (await client.get(begun.headers["Location"])).json()
        counted = await client.post("/v1/rules/hits", json={"since": "7d"})
        stopped = await client.post(f"{counted.headers['Location']}/stop")
        missing = await client.get("/v1/jobs/99")
        desk.monotonic += 60.0
    async with desk.asking("reviewer", app=app) as client:
        of_another = await client.post(f"{counted.headers['Location']}/stop")
    await desk.jobs.stop()

    assert (begun.status_code, meanwhile.status_code, counted.status_code) == (202, 409, 202)
    assert (job["state"], job["answer"], job["by"]) == ("finished", {"rules": []}, "api: auditor")
    assert job["about"]["files"] == FILE
    assert (stopped.status_code, missing.status_code, of_another.status_code) == (200, 404, 404)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "wrong", [{"system_id": "-x"}, {"enforce": True}, {"rule": "R21", "enforce": True, "x": 1}]
)
async def test_a_replay_that_cannot_be_meant_is_a_422(ask: Ask, wrong: dict[str, object]) -> None:
    assert (await ask("auditor", "POST", "/v1/policies/replays", json=wrong)).status_code == 422
