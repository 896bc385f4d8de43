"""The gateway tells which cases have used up their time, and how long complaints wait."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.app.background import CaseWatch
from gateway.app.detector_worker import step_of
from gateway.policy.hours import HolidayCalendar
from gateway.runtime.clock import utcnow
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.cases.model import CaseComplaint, CaseEscalation, ClockName, ClockProfile
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import Complaint, ComplaintSource


def complaint(source_id: str, taken_at: datetime) -> Complaint:
    return Complaint(
        number=0,
        source=ComplaintSource.CARRIER,
        source_id=source_id,
        reported_at=taken_at,
        sender="1069000112",
        text="贷款请加微信",
        taken_at=taken_at,
    )


@pytest.fixture
def desk(stores: Stores) -> CaseDesk:
    return CaseDesk(stores.cases, lambda: HolidayCalendar("none"))


@pytest.fixture
def watch(desk: CaseDesk, stores: Stores) -> CaseWatch:
    return CaseWatch(desk, stores.complaints, stores.detectors)


async def test_r83_the_gateway_logs_a_case_that_is_overdue_once(
    desk: CaseDesk, watch: CaseWatch
) -> None:
    then = utcnow() - timedelta(days=2)
    profile = ClockProfile.INTERNAL
    late = CaseComplaint(1, "c1", "1069", None, then, "cmcc/福建", profile=profile)
    await desk.take([late], "intake")
    assert watch.escalated()["first_response", "100"] == 0

    with capture_logs() as logged:
        await watch.look()
        await watch.look()

    assert logged == [
        {
            "event": "case.escalated",
            "log_level": "warning",
            "number": 1,
            "clock": "first_response",
            "share": 100,
            "responsible": "cmcc/福建",
        }
    ]
    assert watch.escalated()["first_response", "100"] == 1


async def test_a_store_that_fails_is_told_behind_what_it_has_taken(
    desk: CaseDesk, watch: CaseWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_given: object) -> AsyncIterator[CaseEscalation]:
        yield CaseEscalation(1, ClockName.ACK, 80, "cmcc/福建")
        raise StoreUnavailable("full")

    monkeypatch.setattr(desk, "escalate_due", failing)

    with capture_logs() as logged:
        await watch.look()

    assert [one["event"] for one in logged] == ["case.escalated", "case.escalation_failed"]


async def test_it_tells_how_long_the_oldest_complaint_waits_for_its_case(
    watch: CaseWatch, stores: Stores
) -> None:
    await watch.look()
    assert watch.complaints_waiting_s() == 0
    then = utcnow() - timedelta(minutes=10)
    given = [complaint(f"id{minute}", then + timedelta(minutes=minute)) for minute in (0, 4)]
    await stores.complaints.receive(given, lambda _: [])

    await watch.look()
    assert 600 <= watch.complaints_waiting_s() < 660

    await stores.complaints.judge({1: None})
    await stores.complaints.cluster({1: 7})
    await watch.look()
    assert 360 <= watch.complaints_waiting_s() < 420


async def test_it_tells_how_long_ago_ports_were_judged(watch: CaseWatch, stores: Stores) -> None:
    await watch.look()
    assert watch.ports_unjudged_s() == 0

    then = utcnow() - timedelta(hours=1)
    await stores.detectors.add({}, {"judged": str(step_of(then)), "revision": "1"})
    await watch.look()

    assert 3300 <= watch.ports_unjudged_s() < 3660
