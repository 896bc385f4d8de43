"""What programs with the roles of people do: the running gateway, suspensions, filings, users."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.permissions import UserRole
from gateway.domain.suspension import NewPortSuspension, SuspensionState
from gateway.systems.users.model import UserState, own_act
from gateway.systems.users.service import UserDesk
from gateway.terminal.control import OrderRefusedByGatewayError
from gateway.terminal.failure import CommandError
from tests.console.api.conftest import LIVE_SENDER, NOON, SUSPENDED, Ask, Desk, token_of

WHY = {"note": " 工单 2026-118 "}


# The running gateway


async def test_how_the_gateway_stands_is_told(ask: Ask) -> None:
    answer = await ask("viewer", "GET", "/v1/status")

    assert answer.status_code == 200
    assert answer.json()["per_s"] == {"forwarded": 12.5}
    assert answer.json()["smscs"][0]["name"] == "a"


async def test_sessions_and_senders_come_in_pages(ask: Ask) -> None:
    first = (await ask("viewer", "GET", "/v1/sessions?limit=1")).json()
    rest = (await ask("viewer", "GET", f"/v1/sessions?limit=1&cursor={first['next']}")).json()
    own = (await ask("viewer", "GET", "/v1/sessions?system_id=sp2")).json()
    senders = (await ask("viewer", "GET", "/v1/senders?limit=1")).json()
    behind = (await ask("viewer", "GET", f"/v1/senders?cursor={senders['next']}")).json()

    assert [one["number"] for one in first["sessions"] + rest["sessions"]] == [17, 18]
    assert rest["next"] is None
    assert [one["number"] for one in own["sessions"]] == [18]
    names = [one["system_id"] for one in senders["senders"] + behind["senders"]]
    assert names == ["sp1", "sp2"]


async def test_a_port_that_is_a_persons_number_is_masked(ask: Ask, desk: Desk) -> None:
    ports = {"13900139000": "commercial"}
    desk.gateway.answers["senders"] = (replace(LIVE_SENDER, ports=ports),)

    answer = await ask("viewer", "GET", "/v1/senders/sp1")

    assert answer.json()["ports"] == {"139****9000": "commercial"}


@pytest.mark.parametrize(
    ("path", "body", "order"),
    [
        ("/v1/sessions/17/close", WHY, ("session close", {"number": 17})),
        ("/v1/senders/sp1/disconnect", WHY, ("session close", {"system_id": "sp1"})),
        (
            "/v1/senders/sp1/suspend",
            WHY | {"unbind": True},
            ("sender suspend", {"system_id": "sp1", "unbind": True}),
        ),
        (
            "/v1/smscs/a/drain",
            WHY | {"force": True},
            ("smsc drain", {"name": "a", "force": True}),
        ),
        ("/v1/smscs/a/resume", WHY, ("smsc resume", {"name": "a", "force": False})),
    ],
)
async def test_an_order_reaches_the_gateway_with_who_and_why(
    ask: Ask, desk: Desk, path: str, body: dict[str, object], order: tuple[str, dict[str, object]]
) -> None:
    answer = await ask("operator", "POST", path, json=body)

    assert answer.status_code == 200
    said = {"by": "api: operator", "note": "工单 2026-118"}
    assert desk.gateway.orders == [(order[0], said | order[1])]


@pytest.mark.parametrize(
    "path", ["/v1/sessions/99/close", "/v1/senders/sp9/suspend", "/v1/smscs/z/drain"]
)
async def test_what_the_gateway_does_not_know_is_a_404(ask: Ask, desk: Desk, path: str) -> None:
    assert (await ask("operator", "POST", path, json=WHY)).status_code == 404
    assert desk.gateway.orders == []


async def test_who_lets_a_sender_send_again_has_read_which_suspension_that_ends(
    ask: Ask, desk: Desk
) -> None:
    desk.gateway.answers["senders"] = (replace(LIVE_SENDER, suspended=SUSPENDED),)
    read = (await ask("operator", "GET", "/v1/senders/sp1")).headers["ETag"]
    other = replace(SUSPENDED, note="工单 2026-119")
    path = "/v1/senders/sp1/resume"

    without = await ask("operator", "POST", path, json=WHY)
    desk.gateway.answers["senders"] = (replace(LIVE_SENDER, suspended=other),)
    stale = await ask("operator", "POST", path, json=WHY, headers={"If-Match": read})
    fresh = {"If-Match": stale.headers["ETag"]}
    good = await ask("operator", "POST", path, json=WHY, headers=fresh)

    assert [one.status_code for one in (without, stale, good)] == [428, 412, 200]
    assert [order for order, _ in desk.gateway.orders] == ["sender resume"]


async def test_what_the_gateway_refuses_is_a_409_and_its_silence_a_503(
    ask: Ask, desk: Desk
) -> None:
    desk.gateway.failure = OrderRefusedByGatewayError("no other SMSC is up", advice="--force")
    refused = await ask("operator", "GET", "/v1/status")
    desk.gateway.failure = CommandError("nothing answers at /run/gateway.sock")
    silent = await ask("operator", "GET", "/v1/status")

    assert (refused.status_code, refused.json()["detail"]) == (409, "no other SMSC is up")
    assert (silent.status_code, silent.headers["Retry-After"]) == (503, "1")
    assert "gateway.sock" not in silent.text


# Suspensions


async def test_a_number_is_suspended_and_sends_again_and_no_answer_has_it_whole(
    ask: Ask,
) -> None:
    order = {"number": "13900139000", "days": 3, **WHY}

    made = await ask("operator", "POST", "/v1/suspensions/numbers", json=order)
    again = await ask("operator", "POST", "/v1/suspensions/numbers", json=order)
    del order["days"]
    lifted = await ask("operator", "POST", "/v1/suspensions/numbers/lift", json=order)
    twice = await ask("operator", "POST", "/v1/suspensions/numbers/lift", json=order)
    asked = {"number": "13900139000"}
    found = await ask("viewer", "POST", "/v1/suspensions/numbers/query", json=asked)
    listed = await ask("viewer", "GET", "/v1/suspensions/numbers")

    assert [one.status_code for one in (made, again, lifted, twice)] == [201, 409, 200, 409]
    assert made.json()["number"] == "139****9000"
    assert made.json()["note"] == "api: operator: 工单 2026-118"
    assert lifted.json()["state"] == SuspensionState.LIFTED
    assert found.json()["suspensions"] == listed.json()["suspensions"] == [lifted.json()]
    assert "13900139000" not in listed.text


async def test_a_port_is_suspended_until_the_last_that_holds_it_is_lifted(
    ask: Ask, desk: Desk
) -> None:
    by_sanction = NewPortSuspension("sp1", "10690001", NOON, "system", "R96", sanction=3)
    await desk.stores.suspended_ports.suspend(by_sanction)
    order = {"system_id": "sp1", "port": "10690001", **WHY}

    foreign = await ask("operator", "POST", "/v1/suspensions/ports", json=order | {"port": "1"})
    made = await ask("operator", "POST", "/v1/suspensions/ports", json=order)
    again = await ask("operator", "POST", "/v1/suspensions/ports", json=order)
    lifted = await ask("operator", "POST", "/v1/suspensions/ports/lift", json=order)
    twice = await ask("operator", "POST", "/v1/suspensions/ports/lift", json=order)
    held = (await ask("viewer", "GET", "/v1/suspensions/ports")).json()["suspensions"]
    every = (await ask("viewer", "GET", "/v1/suspensions/ports?in_force=false&limit=1")).json()
    rest = f"/v1/suspensions/ports?in_force=false&cursor={every['next']}"
    first = (await ask("viewer", "GET", rest)).json()["suspensions"]

    statuses = [one.status_code for one in (foreign, made, again, lifted, twice)]
    assert statuses == [422, 201, 409, 200, 409]
    assert len(made.json()["suspensions"]) == 2
    assert [one["sanction"] for one in lifted.json()["suspensions"]] == [3]
    assert [one["sanction"] for one in held] == [3]
    assert [one["sanction"] for one in every["suspensions"] + first] == [0, 3]


# Filings

FILED = {
    "licence": {"number": "B2-20250001", "valid_until": "2035-12-31"},
    "signatures": [{"name": "示例商城"}],
    "templates": [{"id": "T-1", "kind": "service", "text": "您的订单{1}已发货"}],
}


async def test_what_an_sp_files_takes_the_place_of_what_it_has_filed(ask: Ask) -> None:
    path = "/v1/filings/sp1"
    nothing = await ask("viewer", "GET", path)
    made = await ask("operator", "PUT", path, json=FILED, headers={"If-Match": "*"})
    shown = await ask("viewer", "GET", path)
    etag = {"If-Match": shown.headers["ETag"]}
    fewer = {"licence": FILED["licence"], "signatures": [{"name": "示例"}]}
    changed = await ask("operator", "PUT", path, json=fewer, headers=etag)
    stale = await ask("operator", "PUT", path, json=fewer, headers=etag)

    assert nothing.status_code == 404
    assert made.json() == {"added": 3, "changed": 0, "unchanged": 0, "removed": 0}
    assert shown.json()["templates"][0]["text"] == "您的订单{1}已发货"
    assert changed.json() == {"added": 1, "changed": 0, "unchanged": 1, "removed": 2}
    assert stale.status_code == 412


@pytest.mark.parametrize(
    "wrong",
    [
        {"licence": {"number": "B2", "valid_until": "never"}},
        {"scopes": [{"port": "10690009", "province": "福建"}]},
        {"signatures": [{"name": "【】"}]},
        {"signatures": [{"name": "甲", "sources": ["1069"]}, {"name": "乙", "sources": ["1069"]}]},
        {"unknown": 1},
    ],
)
async def test_what_cannot_be_filed_is_a_422_and_nothing_is_filed(
    ask: Ask, wrong: dict[str, object]
) -> None:
    answer = await ask("operator", "PUT", "/v1/filings/sp1", json=wrong, headers={"If-Match": "*"})

    assert answer.status_code == 422
    assert (await ask("viewer", "GET", "/v1/filings")).json()["senders"] == []


async def test_an_sp_sees_what_it_has_filed_and_of_others_nothing(ask: Ask) -> None:
    for one in ("sp1", "sp2"):
        path = f"/v1/filings/{one}"
        await ask("operator", "PUT", path, json=FILED, headers={"If-Match": "*"})

    own = await ask("shop", "GET", "/v1/filings")
    every = await ask("viewer", "GET", "/v1/filings?limit=1")
    ending = await ask("shop", "GET", "/v1/filings/expiring?within=3660")

    assert [one["system_id"] for one in own.json()["senders"]] == ["sp1"]
    assert every.json()["next"] is not None
    assert {one["system_id"] for one in ending.json()["filings"]} == {"sp1"}
    assert (await ask("shop", "GET", "/v1/filings/sp1")).status_code == 200
    assert (await ask("shop", "GET", "/v1/filings/sp2")).status_code == 404
    assert (await ask("shop", "PUT", "/v1/filings/sp1", json=FILED)).status_code == 403


# Users


async def test_a_user_is_added_with_a_link_that_is_told_once(ask: Ask, desk: Desk) -> None:
    new = {"name": "lin", "role": "reviewer"}
    key = {"Idempotency-Key": "add-lin"}

    made = await ask("admin", "POST", "/v1/users", json=new, headers=key)
    again = await ask("admin", "POST", "/v1/users", json=new, headers=key)
    taken = await ask("admin", "POST", "/v1/users", json=new)

    assert (made.status_code, again.status_code, taken.status_code) == (201, 409, 409)
    token = made.json()["path"].removeprefix("/enrol/")
    enrolment = await UserDesk(desk.stores.users).open_link(token, desk.now)
    assert enrolment.name == "lin"
    kept = await desk.stores.users.get("lin")
    assert kept is not None
    assert kept.created_by == "api: admin"


async def test_who_changes_a_user_has_read_it_as_it_is(ask: Ask, desk: Desk) -> None:
    for name, role in (("chen", UserRole.ADMIN), ("lin", UserRole.REVIEWER)):
        await UserDesk(desk.stores.users).add(name, role, own_act("wu", NOON))
    path, sender = "/v1/users/lin", {"role": "sender", "system_id": "sp1"}
    read = (await ask("auditor", "GET", path)).headers["ETag"]
    desk.now += timedelta(minutes=1)

    without = await ask("admin", "PUT", f"{path}/role", json=sender)
    given = await ask("admin", "PUT", f"{path}/role", json=sender, headers={"If-Match": read})
    stale = await ask("admin", "POST", f"{path}/disable", headers={"If-Match": read})
    now = {"If-Match": stale.headers["ETag"]}
    disabled = await ask("admin", "POST", f"{path}/disable", headers=now)
    reset = await ask("admin", "POST", f"{path}/reset", headers={"If-Match": "*"})
    enabled = await ask("admin", "POST", f"{path}/enable", headers={"If-Match": "*"})

    answers = (without, given, stale, disabled, reset, enabled)
    assert [one.status_code for one in answers] == [428, 200, 412, 200, 409, 200]
    assert given.json()["system_id"] == "sp1"
    assert disabled.json()["state"] == UserState.DISABLED
    assert enabled.json()["changed_by"] == "api: admin"


@pytest.mark.parametrize(
    "role",
    [
        {"role": "sender"},
        {"role": "regulator"},
        {"role": "viewer", "province": "福建"},
        {"role": "root"},
    ],
)
async def test_a_role_without_its_limit_is_a_422(ask: Ask, role: dict[str, str]) -> None:
    new = {"name": "lin", **role}

    assert (await ask("admin", "POST", "/v1/users", json=new)).status_code == 422


async def test_users_come_in_pages_and_are_signed_out(ask: Ask, desk: Desk) -> None:
    for name in ("chen", "lin", "wu"):
        await UserDesk(desk.stores.users).add(name, UserRole.VIEWER, own_act("wu", NOON))

    first = (await ask("auditor", "GET", "/v1/users?limit=2")).json()
    rest = (await ask("auditor", "GET", f"/v1/users?limit=2&cursor={first['next']}")).json()
    sessions = await ask("auditor", "GET", "/v1/users/lin/sessions")
    ended = await ask("admin", "POST", "/v1/users/lin/sign-out")
    unknown = await ask("admin", "POST", "/v1/users/nobody/sign-out")

    assert [one["name"] for one in first["users"] + rest["users"]] == ["chen", "lin", "wu"]
    assert rest["next"] is None
    assert sessions.json() == {"sessions": []}
    assert ended.json() == {"ended": 0}
    assert unknown.status_code == 404


async def test_no_answer_has_a_token_of_a_client(ask: Ask) -> None:
    for path in ("/v1/users", "/v1/status", "/v1/senders"):
        assert token_of("admin") not in (await ask("admin", "GET", path)).text
