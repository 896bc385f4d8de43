"""Ports that many subscribers complain of are suspended, once, until a person has looked (R88)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.app.complaint_worker import CampaignCases
from gateway.domain.sender import Port, PortOwners, Purpose
from gateway.domain.suspension import ComplaintThreshold, Lift
from gateway.domain.warning import Severity
from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.complaint_matcher import ValidComplaint
from gateway.systems.complaints.model import InvalidReason, is_malicious
from gateway.systems.complaints.service import ComplaintDesk, PortReview
from tests.systems.complaints.conftest import SHARED, SUBSCRIBER, Clock, ComplaintBuilder, sender

DAY = timedelta(days=1)
PORT = "10690001"


@pytest.fixture
def desk(stores: Stores, clock: Clock) -> ComplaintDesk:
    """Return a desk that suspends ports after five reporters within ten days."""
    owners = PortOwners([sender("sp1", Port(PORT, 4), SHARED), sender("sp2", SHARED)])
    review = PortReview(stores.complaints, stores.suspended_ports)
    return ComplaintDesk(stores.complaints, lambda: owners, clock, review)


class Reporters:
    """Complains as one subscriber after the other."""

    def __init__(self, desk: ComplaintDesk, complaint: ComplaintBuilder, clock: Clock) -> None:
        self._desk, self._complaint, self._clock = desk, complaint, clock
        self._count = 0

    async def complain(self, reporters: Iterable[int | None], sender: str = PORT) -> None:
        for one in reporters:
            self._count += 1
            reporter = None if one is None else SUBSCRIBER + one
            given = self._complaint(
                source_id=f"phone:{self._count}",
                reporter=reporter,
                sender=sender,
                reported_at=self._clock.at,
            )
            await self._desk.receive([given])


@pytest.fixture
def reporters(desk: ComplaintDesk, complaint: ComplaintBuilder, clock: Clock) -> Reporters:
    return Reporters(desk, complaint, clock)


async def suspended(stores: Stores) -> dict[str, set[str]]:
    return {one: set(ports) for one, ports in (await stores.suspended_ports.in_force()).items()}


async def test_r88_the_fifth_subscriber_suspends_the_port_once(
    reporters: Reporters, stores: Stores, noon: datetime
) -> None:
    await reporters.complain(range(4))
    after_four = await suspended(stores)
    await reporters.complain(range(4, 12), sender=f"{PORT}12")

    assert after_four == {}
    assert await suspended(stores) == {"sp1": {PORT}}
    (one,) = await stores.suspended_ports.listed()
    assert (one.since, one.by) == (noon, "complaints")
    assert one.note == "R88: 5 subscribers complained within 10 days"
    assert [access.action for access in await stores.journals.accesses()] == ["port suspend"]


async def test_r88_the_case_of_a_port_that_complaints_suspend_is_escalated_once(
    reporters: Reporters, stores: Stores, clock: Clock
) -> None:
    cases = CampaignCases(
        CaseDesk(stores.cases, lambda: HolidayCalendar("none")),
        stores.cases,
        "unicom/北京",
        stores.suspended_ports,
    )

    async def take(first: int, last: int) -> list[str]:
        """Put complaints into the case, twice, as after a crash; return who escalated what."""
        found = [await stores.complaints.get(one) for one in range(first, last + 1)]
        valid = [ValidComplaint(one, "c1", "loan", Severity.GENERAL) for one in found if one]
        await cases.take(valid)
        await cases.take(valid)
        journal = await stores.cases.journal_of(1)
        return [f"{one.about}: {one.note}" for one in journal if one.act == "escalate"]

    await reporters.complain(range(4))
    after_four = await take(1, 4)
    await reporters.complain(range(4, 7))
    with capture_logs() as logs:
        after_five = await take(5, 7)
    await reporters.complain([7], sender="95588")
    other_sender = await take(8, 8)
    await stores.suspended_ports.lift("sp1", PORT, Lift(clock.at, "wu", "checked"))
    clock.at += timedelta(days=1)
    await reporters.complain([9])
    after_the_lift = await take(9, 9)

    assert after_four == []
    said = "port 10690001 of sp1: R88: 5 subscribers complained within 10 days"
    assert after_five == other_sender == after_the_lift == [said]
    told = [one for one in logs if one["event"] == "case.escalated"]
    assert [(one["rule"], one["number"]) for one in told] == [("R88", 1)]


async def test_r88_a_case_of_complaints_that_were_matched_before_is_escalated_too(
    reporters: Reporters, stores: Stores
) -> None:
    desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
    cases = CampaignCases(desk, stores.cases, "unicom/北京", stores.suspended_ports)
    await reporters.complain(range(4))
    found = [one for one in await stores.complaints.find() if one.number]
    await cases.take([ValidComplaint(one, "c1", "loan", Severity.GENERAL) for one in found])
    numbers = [one.number for one in found]
    await stores.complaints.judge(dict.fromkeys(numbers))
    await stores.complaints.cluster(dict.fromkeys(numbers, 1))
    await cases.escalate_suspended(stores.complaints, 10 * DAY)
    await reporters.complain([4])

    for worker in (cases, cases, CampaignCases(desk, stores.cases, "b", stores.suspended_ports)):
        await worker.escalate_suspended(stores.complaints, 10 * DAY)

    acts = [one.act for one in await stores.cases.journal_of(1)]
    assert acts == ["open", "escalate"]


async def test_r88_one_subscriber_ten_times_suspends_nothing(
    reporters: Reporters, stores: Stores
) -> None:
    await reporters.complain([1] * 10)
    await reporters.complain([None] * 10)
    await reporters.complain(range(10), sender="95588")

    assert await suspended(stores) == {}


async def test_r88_only_the_last_ten_days_count_and_what_is_older_is_forgotten(
    reporters: Reporters, stores: Stores, clock: Clock
) -> None:
    await reporters.complain(range(4))
    clock.at += 11 * DAY
    await reporters.complain([4, 5, 6, 7])
    before = await suspended(stores)

    assert await stores.complaints.reporters_of(PORT, clock.at - 30 * DAY, 9) == 4
    await reporters.complain([8])
    assert (before, await suspended(stores)) == ({}, {"sp1": {PORT}})


async def test_r88_what_a_person_has_reviewed_counts_no_more(
    reporters: Reporters, stores: Stores, clock: Clock
) -> None:
    await reporters.complain(range(5))
    clock.at += DAY
    await stores.suspended_ports.lift("sp1", PORT, Lift(clock.at, "wu", "checked"))
    clock.at += DAY
    await reporters.complain(range(4))
    after_four = await suspended(stores)
    await reporters.complain([4])

    assert after_four == {}
    assert await suspended(stores) == {"sp1": {PORT}}


async def test_r88_a_message_from_before_a_lift_counts_no_more_whenever_it_is_complained_of(
    desk: ComplaintDesk, stores: Stores, complaint: ComplaintBuilder, clock: Clock
) -> None:
    async def complain(first: int, count: int, received_at: datetime | None) -> None:
        await desk.receive(
            [
                complaint(
                    source_id=f"phone:{one}",
                    reporter=SUBSCRIBER + one,
                    sender=PORT,
                    reported_at=clock.at,
                    received_at=received_at,
                )
                for one in range(first, first + count)
            ]
        )

    await complain(0, 5, None)
    lifted_at = clock.at = clock.at + DAY
    await stores.suspended_ports.lift("sp1", PORT, Lift(lifted_at, "wu", "checked"))
    clock.at += DAY
    await complain(5, 9, lifted_at - timedelta(seconds=1))
    await complain(14, 4, lifted_at + timedelta(seconds=1))
    before = await suspended(stores)
    await complain(18, 1, lifted_at + timedelta(seconds=1))

    assert before == {}
    assert await suspended(stores) == {"sp1": {PORT}}


async def test_r88_zero_reporters_never_suspend(
    stores: Stores, complaint: ComplaintBuilder, clock: Clock
) -> None:
    owners = PortOwners([sender("sp1", Port(PORT, 4))])
    off = ComplaintThreshold(reporters=0)
    review = PortReview(stores.complaints, stores.suspended_ports, lambda: off)
    desk = ComplaintDesk(stores.complaints, lambda: owners, clock, review)

    await Reporters(desk, complaint, clock).complain(range(9))

    assert not await suspended(stores)
    clock.at += 20 * DAY
    await Reporters(desk, complaint, clock).complain([1])
    assert await stores.complaints.reporters_of(PORT, clock.at - 90 * DAY, 99) == 0


async def test_r88_a_suspension_is_told_in_the_log_once(reporters: Reporters) -> None:
    with capture_logs() as lines:
        await reporters.complain(range(7))

    (line,) = lines
    assert line["event"] == "port.suspended"
    assert (line["system_id"], line["port"], line["rule"]) == ("sp1", PORT, "R88")
    assert line["reporters"] == 5


async def test_r88_a_shared_port_is_suspended_at_each_of_its_owners(
    reporters: Reporters, stores: Stores
) -> None:
    await reporters.complain(range(5), sender="10690009")

    assert await suspended(stores) == {"sp1": {"10690009"}, "sp2": {"10690009"}}


async def test_r88_a_threshold_that_failed_is_looked_at_when_the_complaint_comes_again(
    stores: Stores, complaint: ComplaintBuilder, desk: ComplaintDesk, clock: Clock
) -> None:
    owners = PortOwners([sender("sp1", Port(PORT, 4))])
    unreviewed = ComplaintDesk(stores.complaints, lambda: owners, clock)
    batch = [complaint(source_id=f"{one}", reporter=SUBSCRIBER + one) for one in range(5)]
    await unreviewed.receive(batch)

    await desk.receive(batch[:1])

    assert await suspended(stores) == {"sp1": {PORT}}


async def test_r88_the_threshold_is_configured(
    stores: Stores, complaint: ComplaintBuilder, clock: Clock
) -> None:
    owners = PortOwners([sender("sp1", Port(PORT, 4))])
    threshold = ComplaintThreshold(reporters=2, days=1)
    review = PortReview(stores.complaints, stores.suspended_ports, lambda: threshold)
    strict = ComplaintDesk(stores.complaints, lambda: owners, clock, review)

    await strict.receive([complaint(), complaint(source_id="2", reporter=SUBSCRIBER + 1)])

    assert await suspended(stores) == {"sp1": {PORT}}


async def test_r88_what_was_completed_counts_too(
    stores: Stores, reporters: Reporters, desk: ComplaintDesk, complaint: ComplaintBuilder
) -> None:
    await reporters.complain(range(4))
    await desk.receive([complaint(source_id="7726:1", sender="", reporter=SUBSCRIBER + 9)])
    waiting = await desk.awaiting(SUBSCRIBER + 9)
    assert waiting is not None

    await desk.complete(waiting.number, sender=PORT)

    assert await suspended(stores) == {"sp1": {PORT}}


async def test_r88_no_crowd_silences_a_port_for_codes_alone(
    stores: Stores, clock: Clock, complaint: ComplaintBuilder
) -> None:
    codes = Port(PORT, purpose=Purpose.VERIFICATION, others=(Purpose.PUBLIC_INTEREST,))
    owners = PortOwners([sender("sp1", codes)])
    review = PortReview(stores.complaints, stores.suspended_ports)
    desk = ComplaintDesk(stores.complaints, lambda: owners, clock, review)

    await Reporters(desk, complaint, clock).complain(range(9))

    assert not await suspended(stores)


async def test_r88_what_was_reported_long_ago_says_nothing_of_today(
    desk: ComplaintDesk, stores: Stores, clock: Clock, complaint: ComplaintBuilder
) -> None:
    old = [
        complaint(
            source_id=f"month:{one}",
            reporter=SUBSCRIBER + one,
            sender=PORT,
            reported_at=clock.at - 20 * DAY,
        )
        for one in range(9)
    ]

    await desk.receive(old)

    assert not await suspended(stores)


async def test_r88_reporters_that_are_not_proved_suspend_and_shield_nothing(
    desk: ComplaintDesk, stores: Stores, complaint: ComplaintBuilder, noon: datetime
) -> None:
    named = [
        complaint(source_id=f"app:{one}", reporter=SUBSCRIBER + one, sender=PORT)
        for one in range(9)
    ]

    results = await desk.receive(named, are_proved=False)

    assert not any(one.is_shielded for one in results)
    assert not await suspended(stores)
    assert await stores.consent.answers_of([SUBSCRIBER]) == []
    assert await stores.complaints.reporters_of(PORT, noon - 9 * DAY, 9) == 0


async def test_a_country_code_before_a_port_is_left_out(
    desk: ComplaintDesk, complaint: ComplaintBuilder
) -> None:
    (result,) = await desk.receive([complaint(sender=f"86{PORT}12")])

    assert result.is_shielded


async def test_r89_who_mostly_complained_of_what_was_never_sent_suspends_nothing(
    desk: ComplaintDesk, reporters: Reporters, stores: Stores, complaint: ComplaintBuilder
) -> None:
    for reporter, invented in ((0, 5), (1, 4)):
        made = [
            complaint(source_id=f"{reporter}:{one}", reporter=SUBSCRIBER + reporter, sender="95588")
            for one in range(5)
        ]
        numbers = [one.number for one in await desk.receive(made)]
        reasons = [InvalidReason.NO_RECORD] * invented + [None] * (5 - invented)
        await stores.complaints.judge(dict(zip(numbers, reasons, strict=True)))

    await reporters.complain(range(5))
    before = await suspended(stores)
    await reporters.complain([5])

    assert before == {}
    assert await suspended(stores) == {"sp1": {PORT}}
    (own, *_) = await stores.complaints.find(reporter=SUBSCRIBER)
    assert own.port == PORT  # it is taken, and shields
    assert await stores.consent.answers_of([SUBSCRIBER])


def test_r89_of_less_than_five_judged_complaints_nothing_is_concluded() -> None:
    invented = InvalidReason.NO_RECORD

    assert not is_malicious([invented] * 4)
    assert is_malicious([invented] * 5)
    assert not is_malicious([invented] * 8 + [None] * 2)
    assert is_malicious([invented] * 9 + [InvalidReason.DUPLICATE])
