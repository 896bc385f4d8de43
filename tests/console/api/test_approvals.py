"""Programs read which acts wait for a second person; they decide on none."""

import json
from datetime import timedelta

from gateway.console.approved_acts import UnmaskQuota
from gateway.domain.records import NewAccess
from gateway.systems.approvals.model import ApprovalAct
from gateway.systems.approvals.service import ApprovalDesk, TwoPersonRule
from tests.console.api.conftest import NOON, Ask, Desk


async def test_requests_come_in_pages_to_roles_that_may_do_the_act(ask: Ask, desk: Desk) -> None:
    rule = TwoPersonRule(unmask_in_bulk_above=2)
    approvals = ApprovalDesk(desk.stores.approvals, rule)
    unmasking = UnmaskQuota(approvals, desk.stores.journals)
    for number, by in enumerate(("user: lin", "user: mei", "user: hao")):
        at = NOON + timedelta(minutes=number)
        await unmasking.ask(NewAccess(by, "quarantine unmask", "投诉核查", "message 7", at))
    await approvals.ask(ApprovalAct.MAKE_ADMIN, {"name": "mei"}, "mei", "", "user: lin", NOON)
    first = await desk.stores.approvals.get(1)
    assert first is not None
    await approvals.approve(1, first.digest, "user: wu", NOON)

    page = (await ask("senior_reviewer", "GET", "/v1/approvals?limit=2")).json()
    path = f"/v1/approvals?limit=2&cursor={page['next']}"
    rest = (await ask("senior_reviewer", "GET", path)).json()
    of_admin = (await ask("admin", "GET", "/v1/approvals")).json()["approvals"]
    statuses = [
        (await ask(role, "GET", "/v1/approvals")).status_code for role in ("reviewer", "viewer")
    ]

    ids = [f"R{number}" for number in range(20)]
    given = {"rules": "R0", "files": "x.yaml", "switched": json.dumps(ids)}
    await approvals.ask(ApprovalAct.SWITCH_RULE_OFF, given, "R0", "", "user: lin", NOON)
    asked = (await ask("operator", "GET", "/v1/approvals")).json()["approvals"]
    of_switch = next(one["switched"] for one in asked if one["act"] == "switch_rule_off")

    assert [one["number"] for one in page["approvals"] + rest["approvals"]] == [3, 2, 1]
    assert rest["next"] is None
    done = rest["approvals"][0]
    assert (done["state"], done["decided_by"], done["by"]) == ("done", "user: wu", "user: lin")
    assert done["outcome"] == "2 more whole numbers may be shown within an hour"
    assert (done["about"], done["switched"]) == ("2 more within an hour", [])
    assert of_switch == ids
    assert [one["act"] for one in of_admin] == ["make_admin", *["unmask_in_bulk"] * 3]
    assert statuses == [200, 403]
