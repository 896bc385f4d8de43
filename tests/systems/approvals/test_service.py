"""Acts that need two persons: asked for, approved by another one, carried out once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from gateway.stores import Stores
from gateway.systems.approvals.model import (
    ApprovalAct,
    ApprovalRefusal,
    ApprovalRequest,
    ApprovalState,
    NewApproval,
)
from gateway.systems.approvals.service import (
    PERMISSIONS,
    ActFailedError,
    ApprovalDesk,
    TwoPersonRule,
)
from gateway.systems.approvals.sql import REQUESTS_KEPT

LIN, WU = "user: lin", "user: wu"


@dataclass
class Carried:
    """What was carried out: parameters and persons; it fails where `problem` says why."""

    acts: list[tuple[dict[str, str], str]] = field(default_factory=list)
    problem: str = ""

    async def out(self, given: Mapping[str, str], by: str, _at: datetime) -> str:
        if self.problem:
            raise ActFailedError(self.problem)
        self.acts.append((dict(given), by))
        return "mei is an admin"


@pytest.fixture
def carried() -> Carried:
    return Carried()


@pytest.fixture
def desk(stores: Stores, carried: Carried) -> ApprovalDesk:
    desk = ApprovalDesk(stores.approvals, TwoPersonRule(make_admin=True))
    desk.register(ApprovalAct.MAKE_ADMIN, carried.out)
    return desk


async def ask(
    desk: ApprovalDesk, at: datetime, name: str = "mei", by: str = LIN
) -> ApprovalRequest:
    return await desk.ask(ApprovalAct.MAKE_ADMIN, {"name": name}, name, "on leave", by, at)


async def acts(stores: Stores) -> list[tuple[str, str, str]]:
    found = reversed(await stores.journals.accesses())
    return [(one.by, one.action, one.about) for one in found]


def test_every_act_has_a_permission() -> None:
    assert PERMISSIONS.keys() == set(ApprovalAct)


@pytest.mark.every_store
async def test_another_person_approves_and_the_act_is_carried_out_once(
    desk: ApprovalDesk, stores: Stores, carried: Carried, noon: datetime
) -> None:
    asked = await ask(desk, noon)

    done = await desk.approve(asked.number, asked.digest, WU, noon)
    again = await desk.approve(asked.number, asked.digest, WU, noon)

    assert isinstance(done, ApprovalRequest)
    assert (done.state, done.decided_by, done.outcome) == ("done", WU, "mei is an admin")
    assert again is ApprovalRefusal.OVER
    assert carried.acts == [({"name": "mei"}, f"{LIN} (approved by {WU})")]
    assert await acts(stores) == [
        (LIN, "approval ask", "request 1, make_admin: mei"),
        (WU, "approval give", f"request 1 of {LIN}, make_admin: mei"),
    ]


async def test_nobody_approves_or_declines_what_is_asked_by_oneself(
    desk: ApprovalDesk, carried: Carried, noon: datetime
) -> None:
    asked = await ask(desk, noon)

    approved = await desk.approve(asked.number, asked.digest, LIN, noon)
    declined = await desk.decline(asked.number, asked.digest, LIN, noon)

    assert approved is declined is ApprovalRefusal.SAME_PERSON
    assert carried.acts == []


async def test_what_is_declined_is_not_done(
    desk: ApprovalDesk, stores: Stores, carried: Carried, noon: datetime
) -> None:
    asked = await ask(desk, noon)

    declined = await desk.decline(asked.number, asked.digest, WU, noon)
    approved = await desk.approve(asked.number, asked.digest, "user: mei", noon)

    assert isinstance(declined, ApprovalRequest)
    assert (declined.state, approved) == (ApprovalState.DECLINED, ApprovalRefusal.OVER)
    assert carried.acts == []
    assert (await acts(stores))[-1][1] == "approval decline"


async def test_a_request_is_good_for_a_time(
    desk: ApprovalDesk, carried: Carried, noon: datetime
) -> None:
    asked = await ask(desk, noon)
    late = noon + timedelta(hours=24)

    assert await desk.approve(asked.number, asked.digest, WU, late) is ApprovalRefusal.OVER
    assert (await ask(desk, late)).number == asked.number + 1
    assert carried.acts == []


async def test_only_what_was_shown_is_approved(
    desk: ApprovalDesk, carried: Carried, noon: datetime
) -> None:
    asked, other = await ask(desk, noon), await ask(desk, noon, "wu")

    found = await desk.approve(asked.number, other.digest, WU, noon)
    missing = await desk.approve(99, asked.digest, WU, noon)

    assert (found, missing) == (ApprovalRefusal.OTHER_TERMS, ApprovalRefusal.MISSING)
    assert carried.acts == []


async def test_numbers_in_what_a_person_wrote_are_masked_wherever_they_are_kept(
    desk: ApprovalDesk, stores: Stores, carried: Carried, noon: datetime
) -> None:
    why = "call from 13900139000"
    given = {"name": "20251125", "note": why, "reason": why}

    asked = await desk.ask(ApprovalAct.MAKE_ADMIN, given, "mei", why, LIN, noon)
    await desk.approve(asked.number, asked.digest, WU, noon)

    masked = "call from 139****9000"
    kept = {"name": "20251125", "note": masked, "reason": masked}
    assert (asked.reason, asked.given) == (masked, kept)
    assert carried.acts == [(kept, f"{LIN} (approved by {WU})")]
    assert {one.reason for one in await stores.journals.accesses()} <= {masked, ""}


async def test_the_same_asked_again_is_one_request(desk: ApprovalDesk, noon: datetime) -> None:
    first, again, of_wu = await ask(desk, noon), await ask(desk, noon), await ask(desk, noon, by=WU)

    assert (again, of_wu.number) == (first, 2)
    assert [one.number for one in await desk.listed()] == [2, 1]


async def test_an_act_that_fails_is_told(
    desk: ApprovalDesk, carried: Carried, noon: datetime
) -> None:
    carried.problem = "there is no user mei"
    asked = await ask(desk, noon)

    done = await desk.approve(asked.number, asked.digest, WU, noon)

    assert isinstance(done, ApprovalRequest)
    assert (done.state, done.outcome) == (ApprovalState.FAILED, "there is no user mei")


async def test_of_two_who_approve_at_once_one_does(
    desk: ApprovalDesk, carried: Carried, noon: datetime
) -> None:
    asked = await ask(desk, noon)

    outcomes = await asyncio.gather(
        *(desk.approve(asked.number, asked.digest, by, noon) for by in (WU, "user: mei"))
    )

    assert sorted(isinstance(one, ApprovalRequest) for one in outcomes) == [False, True]
    assert len(carried.acts) == 1


async def test_old_requests_go(stores: Stores, noon: datetime) -> None:
    for number in range(REQUESTS_KEPT + 2):
        given = {"name": str(number)}
        new = NewApproval(ApprovalAct.MAKE_ADMIN, given, "x", "", LIN, noon, noon)
        await stores.approvals.ask(new)

    found = await stores.approvals.listed(2 * REQUESTS_KEPT)

    assert (len(found), found[-1].number) == (REQUESTS_KEPT, 3)
    assert found[0].given == {"name": str(REQUESTS_KEPT + 1)}
