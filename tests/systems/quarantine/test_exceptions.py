"""Exceptions: what is released by itself from now on, and what is not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.held_findings import OverruledFindings, told_items
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action, Finding
from gateway.policy.checks.bad_link import BadLink
from gateway.storage.database import Database
from gateway.stores import Stores
from gateway.systems.quarantine import exceptions
from gateway.systems.quarantine.decisions import ReviewDesk
from gateway.systems.quarantine.exceptions import (
    IN_FORCE,
    LONGEST,
    NOT_OF_A_RULE,
    OF_LAW,
    TOO_MANY,
    ExceptionDesk,
    ExceptionReleaser,
    HoldException,
)
from gateway.systems.quarantine.model import (
    Grounds,
    MessageIds,
    NewReview,
    PersonDecision,
    lowest_id_at,
)
from gateway.systems.quarantine.service import ActResult, NotDone, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.quarantine.tables import never_excepted

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.every_store

CAMPAIGN, OTHER = "c0000000000000001", "c0000000000000002"
LIN, DAY = "user: lin", timedelta(days=1)


def nothing_besides(
    _held: HeldMessage, _others: Sequence[HeldMessage], _overruled: OverruledFindings
) -> bool:
    return False


@pytest.fixture
def grants(stores: Stores) -> ExceptionDesk:
    return ExceptionDesk(stores.exceptions, lambda text: text.replace("13900139000", "139****9000"))


@pytest.fixture
def releaser(stores: Stores, desk: QuarantineDesk) -> ExceptionReleaser:
    return ExceptionReleaser(stores.exceptions, stores.quarantine, desk, nothing_besides)


@pytest.fixture
def message(held: Builder, noon: datetime) -> Builder:
    """Return what builds a message held by the rule R of a campaign, with an id of now."""
    first = lowest_id_at(int(noon.timestamp() * 1000))

    def build(number: int, **changes: object) -> HeldMessage:
        usual = {"message_id": first + number, "campaign": CAMPAIGN, "rule": "R", "reason": "LINK"}
        return held(**usual | changes)

    return build


async def granted(
    grants: ExceptionDesk, stores: Stores, held: HeldMessage, noon: datetime
) -> HoldException:
    await stores.quarantine.hold([held])
    made = await grants.add(held, LIN, "its own notice", noon, noon + DAY)
    assert isinstance(made, HoldException)
    return made


async def released(stores: Stores) -> list[int]:
    found = await stores.quarantine.find(state=HoldState.RELEASE_REQUESTED)
    return sorted(one.message_id % 1000 for one in found)


async def test_what_comes_later_for_the_same_rule_sp_and_campaign_is_released_and_no_more(
    grants: ExceptionDesk,
    releaser: ExceptionReleaser,
    stores: Stores,
    message: Builder,
    noon: datetime,
) -> None:
    made = await granted(grants, stores, message(1), noon)
    await stores.quarantine.hold(
        [
            message(2),
            message(3, rule="Q"),
            message(4, system_id="bank"),
            message(5, campaign=OTHER),
            message(6, is_reviewed=True),
            message(7, expires_at=noon),
            message(8),
        ]
    )
    await ReviewDesk(stores.reviews, str).decide(
        NewReview(message(8).message_id, PersonDecision.REJECTED, LIN), noon
    )

    asked = [await releaser.look(noon) for _ in range(2)]

    assert (asked, await released(stores)) == ([1, 0], [2])
    one = await stores.quarantine.get(message(2).message_id)
    assert one is not None
    assert one.is_reviewed
    assert one.decision == (
        f"release asked by exception {made.number} of user: lin: its own notice"
    )


async def test_what_something_else_holds_too_stays_held(
    grants: ExceptionDesk, stores: Stores, desk: QuarantineDesk, message: Builder, noon: datetime
) -> None:
    asked: list[tuple[int, bool]] = []
    finding = Finding("R", BadLink.reason, Action.QUARANTINE, "a link")

    def besides(
        held: HeldMessage, _others: Sequence[HeldMessage], overruled: OverruledFindings
    ) -> bool:
        asked.append((held.message_id % 1000, overruled.covers(finding)))
        return held.message_id % 1000 == 2

    await granted(grants, stores, message(1), noon)
    await stores.quarantine.hold([message(2), message(3)])
    releaser = ExceptionReleaser(stores.exceptions, stores.quarantine, desk, besides)

    for turn in range(4):
        await releaser.look(noon + turn * timedelta(seconds=15))

    assert asked == [(2, True), (3, True)]
    assert await released(stores) == [3]


async def test_a_long_message_goes_whole_or_not_at_all(
    grants: ExceptionDesk,
    releaser: ExceptionReleaser,
    stores: Stores,
    message: Builder,
    noon: datetime,
) -> None:
    await granted(grants, stores, message(1), noon)
    await stores.quarantine.hold(
        [
            message(2, assembly=2, part=1),
            message(3, assembly=2, part=2),
            message(4, assembly=4, part=1),
            message(5, assembly=4, part=2, rule="Q"),
            message(6, assembly=6, part=1),
            message(7, assembly=6, part=2, rule="Q", reason="CAMPAIGN"),
        ]
    )

    await releaser.look(noon)

    assert await released(stores) == [2, 3, 6, 7]


async def test_an_exception_ends_by_its_time_and_at_once_when_it_is_revoked(
    grants: ExceptionDesk,
    releaser: ExceptionReleaser,
    stores: Stores,
    message: Builder,
    noon: datetime,
) -> None:
    made = await granted(grants, stores, message(1), noon)
    await stores.quarantine.hold([message(2, expires_at=noon + 3 * DAY)])

    late = await releaser.look(noon + DAY)
    revoked = await grants.revoke(made.number, "user: mei", noon)
    after = await releaser.look(noon)
    again = await grants.revoke(made.number, "user: mei", noon)

    assert (late, revoked, after, again) == (0, True, 0, False)
    (listed,) = await stores.exceptions.listed()
    assert (listed.revoked_by, listed.is_in_force(noon)) == ("user: mei", False)
    assert made.is_in_force(noon)
    assert not made.is_in_force(noon + DAY)
    assert await stores.exceptions.forget(noon + DAY) == 0
    assert await stores.exceptions.forget(noon + 2 * DAY) == 1


async def test_what_became_visible_late_is_released_too_and_each_in_its_turn(
    grants: ExceptionDesk,
    releaser: ExceptionReleaser,
    stores: Stores,
    message: Builder,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exceptions, "_EXCEPTIONS_AT_ONCE", 1)
    await granted(grants, stores, message(1), noon)
    await granted(grants, stores, message(2, campaign=OTHER), noon)
    await stores.quarantine.hold([message(4), message(5, campaign=OTHER)])

    first = await releaser.look(noon)
    second = await releaser.look(noon)
    await stores.quarantine.hold([message(3)])
    later = noon + timedelta(minutes=1)
    third = [await releaser.look(later), await releaser.look(later)]
    await stores.quarantine.hold([message(60_000_000), message(6)])
    last = [await releaser.look(later) for _ in range(2)]

    assert (first, second, sum(third)) == (1, 1, 1)
    assert sum(last) == 2
    assert len(await stores.quarantine.find(state=HoldState.RELEASE_REQUESTED)) == 5


async def test_who_may_be_excepted_and_how_is_limited(
    grants: ExceptionDesk,
    message: Builder,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exceptions, "MAX_IN_FORCE", 1)
    ours = message(1)
    made = await grants.add(ours, LIN, "asked 13900139000", noon, noon + DAY)

    refused = [
        await grants.add(one, LIN, "why", noon, noon + DAY)
        for one in (
            ours,
            message(2, rule="Q"),
            message(3, campaign=""),
            message(4, rule=""),
            *(message(5, reason=reason) for reason in sorted(never_excepted())),
        )
    ]

    assert isinstance(made, HoldException)
    assert made.note == "asked 139****9000"
    assert [one.why for one in refused if isinstance(one, NotDone)] == [
        IN_FORCE,
        TOO_MANY,
        NOT_OF_A_RULE,
        NOT_OF_A_RULE,
        *[OF_LAW] * len(never_excepted()),
    ]
    for note, until in (("", noon + DAY), ("字" * 1001, noon + DAY)):
        with pytest.raises(ValueError, match="a note has"):
            await grants.add(ours, LIN, note, noon, until)
    for until in (noon, noon + LONGEST + DAY):
        with pytest.raises(ValueError, match="an exception ends"):
            await grants.add(ours, LIN, "why", noon, until)


async def test_what_is_held_for_the_size_of_the_campaign_goes_too_and_what_the_law_holds_never(
    grants: ExceptionDesk,
    releaser: ExceptionReleaser,
    stores: Stores,
    message: Builder,
    noon: datetime,
) -> None:
    await granted(grants, stores, message(1), noon)
    law = sorted(never_excepted())
    await stores.quarantine.hold(
        [
            message(2, rule="R61-BULK", reason="CAMPAIGN"),
            message(3, rule="R61-BULK", reason="CAMPAIGN", campaign=OTHER),
            *(message(10 + at, reason=reason) for at, reason in enumerate(law)),
        ]
    )

    await releaser.look(noon)

    assert await released(stores) == [2]
    one = await stores.quarantine.get(message(2).message_id)
    assert one is not None
    assert told_items(one.overruled) == [("R", ""), ("CAMPAIGN", "")]


async def test_what_people_let_go_and_what_came_back_is_not_let_go_by_an_exception(
    grants: ExceptionDesk,
    releaser: ExceptionReleaser,
    stores: Stores,
    message: Builder,
    noon: datetime,
) -> None:
    await granted(grants, stores, message(1), noon)
    await stores.quarantine.hold([message(2, is_reviewed=True, overruled="R\tQ\n")])

    assert await releaser.look(noon) == 0


HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@dataclass
class Opening:
    """What waits for its hour, and comes to be held then; `now` is the time of the store."""

    database: Database
    now: datetime

    async def hold(self, *messages: HeldMessage, rule: str = "R") -> None:
        """Judge messages again, all parts of a long one at once, and hold them by a rule."""
        desk = QuarantineDesk(
            QuarantineStore(self.database, lambda: self.now), MessageIds(worker=2)
        )
        first, *others = (one.message_id for one in messages)
        grounds = Grounds("LINK", rule, "", "", "d", self.now + DAY, campaign=CAMPAIGN)
        moved = await desk.hold(first, grounds, "judged again", self.now, others=tuple(others))
        assert isinstance(moved, ActResult)


@pytest.fixture
def opening(database: Database, noon: datetime) -> Opening:
    return Opening(database, noon + HOUR)


async def test_what_came_before_and_is_held_after_it_waited_for_its_hour_is_released_too(  # noqa: PLR0913, PLR0917 - a releaser, and a store with a clock
    grants: ExceptionDesk,
    releaser: ExceptionReleaser,
    stores: Stores,
    desk: QuarantineDesk,
    message: Builder,
    opening: Opening,
    noon: datetime,
) -> None:
    waits = [message(one, state=HoldState.RELEASE_REQUESTED, rule="R40") for one in (1, 2, 3, 5, 6)]
    await stores.quarantine.hold(waits)
    await granted(grants, stores, message(4), noon)
    await stores.quarantine.hold([message(60_000_000)])
    before = [await releaser.look(noon + 2 * HOUR), await releaser.look(noon + 2 * HOUR)]

    await opening.hold(waits[0])
    await opening.hold(waits[1], rule="Q")
    await opening.hold(waits[3])
    after = [await releaser.look(noon + HOUR), await releaser.look(noon + 2 * HOUR)]
    await opening.hold(waits[4])
    other = ExceptionReleaser(stores.exceptions, stores.quarantine, desk, nothing_besides)

    assert (before, after) == ([1, 0], [2, 0])
    assert await other.look(noon + 2 * HOUR) == 1  # another gateway, or after a restart
    assert await released(stores) == [0, 1, 3, 5, 6]  # the third still waits: it is as it was
    held = await stores.quarantine.find(state=HoldState.HELD)
    assert sorted(one.message_id - message(0).message_id for one in held) == [2, 4]


async def test_what_is_held_again_in_one_moment_is_looked_at_once_each_and_anew_when_it_comes_back(  # noqa: PLR0913, PLR0917 - a releaser, and a store with a clock
    grants: ExceptionDesk,
    stores: Stores,
    desk: QuarantineDesk,
    message: Builder,
    opening: Opening,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exceptions, "_MESSAGES_AT_ONCE", 2)
    asked: list[int] = []

    def besides(
        held: HeldMessage, _others: Sequence[HeldMessage], _overruled: OverruledFindings
    ) -> bool:
        asked.append(held.message_id - message(0).message_id)
        return True

    requested = HoldState.RELEASE_REQUESTED
    waits = [message(one, assembly=1, part=one, state=requested) for one in range(1, 6)]
    await stores.quarantine.hold(waits)
    await granted(grants, stores, message(6), noon)
    await opening.hold(*waits)
    releaser = ExceptionReleaser(stores.exceptions, stores.quarantine, desk, besides)

    for turn in range(4):
        await releaser.look(noon + HOUR + turn * SECOND)
    at_once = asked[:]
    for turn in range(4):
        await releaser.look(noon + HOUR + (11 + turn) * SECOND)
    each = asked[:]
    moved = await stores.quarantine.move_each(
        [waits[0].message_id], allowed=frozenset({HoldState.HELD}), to=requested, at=noon
    )
    opening.now += 15 * SECOND
    await opening.hold(*moved)
    await releaser.look(noon + HOUR + 16 * SECOND)

    assert at_once == [1, 2]
    assert each == [1, 2, 3, 4, 5]
    assert asked == [1, 2, 3, 4, 5, 1]
