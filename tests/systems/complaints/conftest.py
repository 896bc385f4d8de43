"""A desk for complaints on a store in memory, and a complaint to give it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import pytest

from gateway.app.complaint_worker import CampaignCases
from gateway.domain.sender import BindLimits, Port, PortOwners, Rate, Sender, SenderState
from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.complaint_matcher import ComplaintMatcher
from gateway.systems.complaints.model import ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk

ComplaintBuilder: TypeAlias = Callable[..., NewComplaint]

SUBSCRIBER = 8613800138000
SHARED = Port("10690009", shared=True)


def sender(system_id: str, *ports: Port) -> Sender:
    limits = BindLimits(8, frozenset(), ())
    return Sender(system_id, "", system_id, SenderState.ACTIVE, limits, ports, Rate(10, 5), 100)


@dataclass(slots=True)
class Clock:
    at: datetime

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(noon: datetime) -> Clock:
    return Clock(noon)


@pytest.fixture
def desk(stores: Stores, clock: Clock) -> ComplaintDesk:
    """Return a desk of a carrier with two SPs that share a port."""
    owners = PortOwners(
        [sender("sp1", Port("10690001", 4), Port("10690002"), SHARED), sender("sp2", SHARED)]
    )
    return ComplaintDesk(stores.complaints, lambda: owners, clock)


@pytest.fixture
def complaint(noon: datetime) -> ComplaintBuilder:
    """Build a complaint; give what should be otherwise."""
    usual = NewComplaint(
        source=ComplaintSource.CLIENT,
        source_id="phone:1",
        reported_at=noon,
        sender="1069000112",
        text="恭喜您中奖",
        reporter=SUBSCRIBER,
    )
    return lambda **changes: replace(usual, **changes)


def cases_of(stores: Stores, front_owner: str = "unicom/北京") -> CampaignCases:
    desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
    return CampaignCases(desk, stores.cases, front_owner)


@dataclass
class Intake:
    """Takes complaints of different reporters down; give what should be otherwise of each."""

    stores: Stores
    desk: ComplaintDesk
    complaint: ComplaintBuilder
    clock: Clock
    taken: int = 0

    async def receive(self, *changes: dict[str, object], are_proved: bool = True) -> None:
        given = []
        for some in changes:
            self.taken += 1
            usual = {"source_id": str(self.taken), "reporter": SUBSCRIBER + self.taken}
            given.append(self.complaint(**{**usual, "reported_at": self.clock.at, **some}))
        await self.desk.receive(given, are_proved=are_proved)

    def matcher(self, **parts: object) -> ComplaintMatcher:
        return ComplaintMatcher(self.stores.complaints, cases_of(self.stores), **parts)  # type: ignore[arg-type]


@pytest.fixture
def intake(
    stores: Stores, desk: ComplaintDesk, complaint: ComplaintBuilder, clock: Clock
) -> Intake:
    return Intake(stores, desk, complaint, clock)
