"""Cases are opened, sent to who must act, answered and closed by the rules R82 to R90."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.warning import Severity
from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases.model import (
    MAX_MEASURES,
    Actor,
    Case,
    CaseComplaint,
    CaseEscalation,
    CaseFeedback,
    CaseFinding,
    CaseJoin,
    CaseMeasure,
    CaseRefusal,
    CaseState,
    ClockName,
    ClockProfile,
    MeasureKind,
    Recheck,
)
from gateway.systems.cases.service import CaseDesk

ComplaintBuilder: TypeAlias = Callable[..., CaseComplaint]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UNFOUNDED = CaseFeedback(CaseFinding.UNFOUNDED, answer="未发现违规")


class Officer:
    """A person who acts on case 1, an hour after the last act."""

    def __init__(self, desk: CaseDesk, now: datetime, name: str = "lin") -> None:
        self.desk = desk
        self.now = now
        self.name = name

    def who(self, note: str = "") -> Actor:
        self.now += HOUR
        return Actor(self.name, self.now, note)

    async def dispatched(self, owner: str = "unicom/广东") -> Case:
        return done(await self.desk.dispatch(1, owner, self.who()))

    async def verifying(self) -> Case:
        return done(await self.desk.verify(1, self.who()))

    async def closed(self) -> Case:
        await self.verifying()
        done(await self.desk.feedback(1, UNFOUNDED, self.who()))
        done(await self.desk.tell_user(1, self.who()))
        return done(await self.desk.close(1, self.who()))


@pytest.fixture
def desk(stores: Stores, calendar: HolidayCalendar) -> CaseDesk:
    return CaseDesk(stores.cases, lambda: calendar)


@pytest.fixture
async def officer(desk: CaseDesk, complaint: ComplaintBuilder, friday: datetime) -> Officer:
    """Return who handles a case that was opened an hour ago, on a Friday."""
    await desk.take([complaint(100)], "intake")
    return Officer(desk, friday)


def done(result: Case | CaseRefusal) -> Case:
    assert isinstance(result, Case), result
    return result


def why(result: Case | CaseRefusal) -> str:
    assert isinstance(result, CaseRefusal)
    return result.why


def suspended(at: datetime) -> CaseMeasure:
    return CaseMeasure(MeasureKind.PORT_SUSPENDED, at, "1069000112")


def clock(case: Case, name: ClockName) -> tuple[datetime | None, datetime | None]:
    """Return when the newest clock of a name is due, and when it was stopped."""
    newest = [one for one in case.clocks if one.name is name][-1]
    return newest.due, newest.stop


async def test_r82_forty_complaints_of_one_campaign_are_one_case(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, friday: datetime
) -> None:
    sent = [
        complaint(
            number,
            sender=f"10690001{number % 7}",
            reporter=8613800138000 + number % 30,
            taken_at=friday + number * HOUR,
        )
        for number in range(1, 41)
    ]

    joined = await desk.take(sent[:25], "intake") + await desk.take(sent[25:], "intake")

    assert {one.case_number for one in joined} == {1}
    assert [one.act for one in joined] == ["open", *39 * ["join"]]
    case = await stores.cases.get(1)
    assert case is not None
    assert (case.complaints, case.reporters, case.grown_at) == (40, 30, friday + 40 * HOUR)


async def test_r82_a_complaint_that_is_given_again_is_in_its_case_already(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder
) -> None:
    first = await desk.take([complaint(1), complaint(1)], "intake")

    again = await desk.take([complaint(1)], "intake")

    assert first == [CaseJoin(1, 1, "open"), CaseJoin(1, 1, "")]
    assert again == [CaseJoin(1, 1, "")]
    case = await stores.cases.get(1)
    assert case is not None
    assert (case.complaints, case.reporters) == (1, 1)


async def test_r82_after_72_hours_of_silence_a_campaign_is_another_case(
    desk: CaseDesk, complaint: ComplaintBuilder, friday: datetime
) -> None:
    await desk.take([complaint(1), complaint(2, taken_at=friday + 70 * HOUR)], "intake")

    joined = await desk.take([complaint(3, taken_at=friday + 142 * HOUR)], "intake")
    later = await desk.take([complaint(4, taken_at=friday + 215 * HOUR)], "intake")
    other = await desk.take([complaint(5, campaign="another")], "intake")

    assert [one.case_number for one in (*joined, *later, *other)] == [1, 2, 3]


async def test_r82_without_a_reporter_a_complaint_counts_and_nobody_else_does(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder
) -> None:
    await desk.take([complaint(1, reporter=None), complaint(2, reporter=None)], "intake")

    case = await stores.cases.get(1)
    assert case is not None
    assert (case.complaints, case.reporters) == (2, 0)


async def test_r83_a_case_has_the_clocks_of_its_profile(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, friday: datetime
) -> None:
    await desk.take([complaint(1)], "intake")
    ours = complaint(2, campaign="ours", profile=ClockProfile.INTERNAL)
    await desk.take([ours], "intake")

    case, internal = [done_get(await stores.cases.get(number)) for number in (1, 2)]

    midnight = datetime(2013, 10, 10, 16, tzinfo=UTC)  # October 10, 24:00 in Shanghai
    assert clock(case, ClockName.FORWARD) == (midnight, None)
    assert clock(case, ClockName.FEEDBACK) == (midnight + 13 * DAY, None)
    assert not case.overdue(midnight - timedelta(seconds=1))
    assert [one.name for one in case.overdue(midnight)] == [ClockName.FORWARD]
    assert clock(internal, ClockName.FIRST_RESPONSE) == (friday + DAY, None)


async def test_r83_each_share_of_a_clock_is_escalated_once_and_journaled(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, friday: datetime
) -> None:
    await desk.take([complaint(1, profile=ClockProfile.INTERNAL)], "intake")
    eighty = CaseEscalation(1, ClockName.FIRST_RESPONSE, 80, "unicom/北京")

    assert [one async for one in desk.escalate_due(friday + 19 * HOUR)] == []
    assert [one async for one in desk.escalate_due(friday + 19.5 * HOUR)] == [eighty]
    assert [one async for one in desk.escalate_due(friday + 20 * HOUR)] == []
    assert await stores.cases.overdue(friday + 20 * HOUR) == []
    assert len(await stores.cases.overdue(friday + DAY)) == 1
    assert [one async for one in desk.escalate_due(friday + DAY)] == [eighty._replace(share=100)]
    assert [one async for one in desk.escalate_due(friday + 9 * DAY)] == []

    assert [one.number for one in await stores.cases.overdue(friday + 9 * DAY)] == [1]
    notes = [(one.act, one.note, one.about) for one in await stores.cases.journal_of(1)]
    assert notes[1:] == [
        ("escalate", "80 %", "first_response"),
        ("escalate", "100 %", "first_response"),
    ]


async def test_r83_a_late_look_tells_the_higher_share_alone(
    desk: CaseDesk, complaint: ComplaintBuilder, friday: datetime
) -> None:
    await desk.take([complaint(1, profile=ClockProfile.INTERNAL)], "intake")

    told = [one async for one in desk.escalate_due(friday + 2 * DAY)]

    assert [one.share for one in told] == [100]


async def test_r83_a_clock_gets_its_due_time_when_the_calendar_has_the_year(
    stores: Stores, calendar: HolidayCalendar, complaint: ComplaintBuilder
) -> None:
    known = [calendar]
    desk = CaseDesk(stores.cases, lambda: known[0])
    start = datetime(2026, 12, 28, 4, tzinfo=UTC)
    await desk.take([complaint(1, taken_at=start)], "intake")
    case = done_get(await stores.cases.get(1))
    assert clock(case, ClockName.FORWARD) == (None, None)
    assert case.next_look(start) == start + DAY

    known[0] = replace(calendar, years=calendar.years | {2027})
    far = datetime(2100, 1, 1, tzinfo=UTC)  # a look that is due whenever this test runs
    told = [one async for one in desk.escalate_due(far)]

    assert {one.clock for one in told} == {ClockName.FORWARD, ClockName.FEEDBACK}
    case = done_get(await stores.cases.get(1))
    assert clock(case, ClockName.FORWARD) == (datetime(2027, 1, 4, 16, tzinfo=UTC), None)


async def test_r84_not_mine_sends_a_case_on_twice_and_then_to_arbitration(
    desk: CaseDesk, officer: Officer, stores: Stores
) -> None:
    await officer.dispatched("unicom/广东")

    second = done(await desk.refuse(1, "telecom/广东", officer.who("ported out")))
    third = done(await desk.refuse(1, "cmcc/广东", officer.who()))
    last = done(await desk.refuse(1, "unicom/广东", officer.who()))

    assert (second.state, second.owner, second.hops) == (CaseState.DISPATCHED, "telecom/广东", 1)
    assert (third.state, third.owner, third.hops) == (CaseState.DISPATCHED, "cmcc/广东", 2)
    assert (last.state, last.owner) == (CaseState.ARBITRATION, "cmcc/广东")
    journal = [(one.act, one.about, one.note) for one in await stores.cases.journal_of(1)]
    assert journal[2] == ("redispatch", "telecom/广东", "ported out")
    decided = done(await desk.assign(1, "telecom/广东", officer.who()))
    assert (decided.state, decided.owner) == (CaseState.DISPATCHED, "telecom/广东")
    again = done(await desk.refuse(1, "cmcc/广东", officer.who()))
    assert again.state is CaseState.ARBITRATION


@pytest.mark.parametrize("suggested", ["", "unicom/广东"])
async def test_r84_not_mine_without_another_owner_is_for_arbitration(
    desk: CaseDesk, officer: Officer, suggested: str
) -> None:
    await officer.dispatched("unicom/广东")

    case = done(await desk.refuse(1, suggested, officer.who()))

    assert case.state is CaseState.ARBITRATION


async def test_r84_the_owner_has_24_hours_to_accept(
    desk: CaseDesk, officer: Officer, friday: datetime
) -> None:
    sent = await officer.dispatched()
    assert clock(sent, ClockName.FORWARD)[1] == friday + HOUR
    assert clock(sent, ClockName.ACK) == (friday + 25 * HOUR, None)

    on = done(await desk.refuse(1, "cmcc/广东", officer.who()))
    case = done(await desk.accept(1, officer.who()))

    assert clock(on, ClockName.ACK) == (friday + 26 * HOUR, None)
    assert clock(case, ClockName.ACK) == (friday + 26 * HOUR, friday + 3 * HOUR)
    assert case.state is CaseState.ACKED


async def test_r85_confirmed_without_measures_is_refused(
    desk: CaseDesk, officer: Officer, stores: Stores
) -> None:
    await officer.verifying()
    before = done_get(await stores.cases.get(1))

    bare = CaseFeedback(CaseFinding.CONFIRMED, evidence="CDR 2013-09-27 #118")
    refused = await desk.feedback(1, bare, officer.who())
    no_evidence = CaseFeedback(CaseFinding.CONFIRMED, (suspended(officer.now),))
    refused_too = await desk.feedback(1, no_evidence, officer.who())

    assert "measure" in why(refused)
    assert "evidence" in why(refused_too)
    assert await stores.cases.get(1) == before


async def test_r85_with_a_suspended_port_the_clock_stops_at_the_time_of_the_measure(
    desk: CaseDesk, officer: Officer
) -> None:
    await officer.dispatched()
    done(await desk.accept(1, officer.who()))
    measured_at = officer.now + HOUR / 2
    officer.now += 30 * DAY

    given = CaseFeedback(
        CaseFinding.CONFIRMED, (suspended(measured_at),), "CDR #118", "shop", "已停用该端口"
    )
    case = done(await desk.feedback(1, given, officer.who()))

    assert case.state is CaseState.FEEDBACK_RECEIVED
    assert (case.finding, case.system_id) == (CaseFinding.CONFIRMED, "shop")
    due, stop = clock(case, ClockName.FEEDBACK)
    assert stop == measured_at
    assert due is not None
    assert stop < due < officer.now
    assert case.overdue(officer.now) == []


async def test_r85_a_measure_before_the_case_was_opened_stops_the_clock_at_its_start(
    desk: CaseDesk, officer: Officer, friday: datetime
) -> None:
    await officer.verifying()
    done(await desk.measure(1, suspended(friday - DAY), officer.who()))

    given = CaseFeedback(CaseFinding.CONFIRMED, evidence="CDR #118")
    case = done(await desk.feedback(1, given, officer.who()))

    assert clock(case, ClockName.FEEDBACK)[1] == friday
    assert case.measures == (suspended(friday - DAY),)


async def test_r85_a_measure_of_the_year_26_is_refused(desk: CaseDesk, officer: Officer) -> None:
    await officer.verifying()

    for year in (1, 26, 1989):
        slip = suspended(officer.now.replace(year=year))
        assert "before 1990" in why(await desk.measure(1, slip, officer.who()))


async def test_r85_a_measure_of_tomorrow_is_refused(desk: CaseDesk, officer: Officer) -> None:
    await officer.verifying()
    tomorrow = suspended(officer.now + DAY)

    given = CaseFeedback(CaseFinding.CONFIRMED, (tomorrow,), "CDR #118")

    assert "future" in why(await desk.feedback(1, given, officer.who()))
    assert "future" in why(await desk.measure(1, tomorrow, officer.who()))


@pytest.mark.parametrize("finding", [CaseFinding.UNFOUNDED, CaseFinding.UNVERIFIABLE])
async def test_r85_what_is_not_confirmed_has_no_measures(
    desk: CaseDesk, officer: Officer, finding: CaseFinding
) -> None:
    await officer.verifying()

    both = CaseFeedback(finding, (suspended(officer.now),))
    refused = await desk.feedback(1, both, officer.who())
    case = done(await desk.feedback(1, CaseFeedback(finding), officer.who()))

    assert "no measures" in why(refused)
    assert (case.state, case.finding) == (CaseState.FEEDBACK_RECEIVED, finding)
    assert clock(case, ClockName.FEEDBACK)[1] == officer.now


async def test_r85_a_case_whose_measures_are_on_record_is_not_unfounded(
    desk: CaseDesk, officer: Officer
) -> None:
    await officer.verifying()
    done(await desk.measure(1, suspended(officer.now), officer.who()))

    refused = await desk.feedback(1, UNFOUNDED, officer.who())

    assert why(refused) == "dismiss is not possible while it is actioned"


async def test_r85_a_case_is_closed_only_after_its_feedback(
    desk: CaseDesk, officer: Officer
) -> None:
    assert "close is not possible" in why(await desk.close(1, officer.who()))
    await officer.verifying()
    assert "close is not possible" in why(await desk.close(1, officer.who()))

    done(await desk.feedback(1, UNFOUNDED, officer.who()))
    assert "close is not possible" in why(await desk.close(1, officer.who()))
    done(await desk.tell_user(1, officer.who()))
    case = done(await desk.close(1, officer.who()))

    assert (case.state, case.closed_at) == (CaseState.CLOSED, officer.now)


async def test_r85_no_more_measures_than_a_case_has_room_for(
    desk: CaseDesk, officer: Officer, friday: datetime
) -> None:
    await officer.verifying()
    measures = [suspended(friday - timedelta(minutes=minute)) for minute in range(MAX_MEASURES + 1)]
    given = CaseFeedback(CaseFinding.CONFIRMED, tuple(measures), "CDR")

    assert f"{MAX_MEASURES} measures" in why(await desk.feedback(1, given, officer.who()))


async def closed(desk: CaseDesk, number: int, at: datetime) -> None:
    who = Actor("lin", at)
    done(await desk.verify(number, who))
    done(await desk.feedback(number, UNFOUNDED, who))
    done(await desk.tell_user(number, who))
    done(await desk.close(number, who))


@pytest.fixture
async def ended(desk: CaseDesk, complaint: ComplaintBuilder, friday: datetime) -> datetime:
    """Close cases 1 to 21, and return when; 22 is open."""
    sent = [complaint(number, campaign=f"c{number}") for number in range(1, 23)]
    await desk.take(sent, "intake")
    for number in range(1, 22):
        await closed(desk, number, friday + HOUR)
    return friday + HOUR


async def test_r85_five_percent_of_closed_cases_are_drawn_for_a_second_look(
    desk: CaseDesk, stores: Stores, ended: datetime
) -> None:
    wang = Actor("wang", ended + DAY)

    drawn = await desk.draw(ended, 5, wang, lambda numbers, count: numbers[-count:])
    again = await desk.draw(ended, 5, wang)
    more = await desk.draw(ended, 100, wang)
    later = await desk.draw(ended + HOUR, 100, wang)

    assert [one.number for one in drawn] == [20, 21]  # 5 % of 21, rounded up
    assert again == later == []
    assert [one.number for one in more] == list(range(1, 20))
    found = await stores.cases.find(recheck=Recheck.DRAWN, limit=50)
    assert len(found) == 21
    assert (await stores.cases.journal_of(20))[-1][:2] == ("draw", "wang")


async def test_r85_a_second_look_is_another_person_s_and_counts_once(
    desk: CaseDesk, ended: datetime
) -> None:
    lin, wang = Actor("lin", ended + DAY), Actor("wang", ended + DAY, "as it was")
    await desk.draw(ended, 100, wang)

    refused = why(await desk.recheck(3, Recheck.AGREED, lin, lin.by.__eq__))
    agreed = done(await desk.recheck(3, Recheck.AGREED, wang, wang.by.__eq__))
    twice = why(await desk.recheck(3, Recheck.REVERSED, wang, wang.by.__eq__))
    never_drawn = why(await desk.recheck(22, Recheck.AGREED, wang, wang.by.__eq__))
    missing = await desk.recheck(99, Recheck.AGREED, wang, wang.by.__eq__)

    assert "ask another person" in refused
    assert (agreed.state, agreed.recheck) == (CaseState.CLOSED, Recheck.AGREED)
    assert "wang has worked on it" in twice
    assert "not drawn" in never_drawn
    assert isinstance(missing, CaseRefusal)
    assert missing.state is None


@pytest.mark.parametrize(("days", "state"), [(29, CaseState.REOPENED), (31, CaseState.CLOSED)])
async def test_r85_a_case_whose_finding_is_reversed_is_open_again_within_30_days(
    desk: CaseDesk, stores: Stores, ended: datetime, days: int, state: CaseState
) -> None:
    wang = Actor("wang", ended + days * DAY, "the port is still in use")
    await desk.draw(ended, 100, wang)

    case = done(await desk.recheck(3, Recheck.REVERSED, wang, wang.by.__eq__))

    is_open = state is CaseState.REOPENED
    assert (case.state, case.recheck) == (state, None if is_open else Recheck.REVERSED)
    acts = [one.act for one in await stores.cases.journal_of(3)]
    assert acts[-2:] == (["recheck", "reopen"] if is_open else ["draw", "recheck"])


async def test_r85_a_drawn_case_stays_drawn_through_another_end(
    desk: CaseDesk, stores: Stores, ended: datetime
) -> None:
    lin = Actor("lin", ended + DAY)
    await desk.draw(ended, 100, lin)
    done(await desk.reopen(3, lin))

    await closed(desk, 3, ended + 2 * DAY)

    (case,) = [one for one in await stores.cases.find(recheck=Recheck.DRAWN) if one.number == 3]
    assert case.state is CaseState.CLOSED


async def test_r87_the_first_contact_tells_the_user_whoever_disposes(
    desk: CaseDesk, officer: Officer
) -> None:
    sent = await officer.dispatched("cmcc/广东")
    assert (sent.front_owner, sent.responsible) == ("unicom/北京", "cmcc/广东")
    done(await desk.accept(1, officer.who()))

    given = CaseFeedback(CaseFinding.CONFIRMED, (suspended(officer.now),), "CDR #118")
    case = done(await desk.feedback(1, given, officer.who()))

    assert (case.front_owner, case.owner) == ("unicom/北京", "cmcc/广东")
    assert case.responsible == "unicom/北京"
    due, stop = clock(case, ClockName.TELL_USER)
    # Fed back on Friday, September 27: days one and two are Sunday and Monday, then a week off.
    assert (due, stop) == (datetime(2013, 10, 8, 16, tzinfo=UTC), None)
    told = done(await desk.tell_user(1, officer.who()))
    assert clock(told, ClockName.TELL_USER)[1] == officer.now


async def test_a_closed_case_is_reopened_for_30_days_with_a_higher_severity(
    desk: CaseDesk, stores: Stores, officer: Officer, complaint: ComplaintBuilder
) -> None:
    closed = await officer.closed()
    again = officer.now + 30 * DAY

    (joined,) = await desk.take([complaint(101, taken_at=again)], "intake")

    case = done_get(await stores.cases.get(1))
    assert joined == CaseJoin(101, 1, "reopen")
    assert (closed.severity, case.severity) == (Severity.GENERAL, Severity.SERIOUS)
    assert (case.state, case.complaints, case.finding) == (CaseState.REOPENED, 2, None)
    assert clock(case, ClockName.FEEDBACK)[1] is None
    assert len(case.clocks) > len(closed.clocks)


async def test_a_case_is_reopened_by_hand_in_the_same_30_days(
    desk: CaseDesk, officer: Officer
) -> None:
    await officer.closed()
    ended = officer.now

    late = await desk.reopen(1, Actor("lin", ended + 31 * DAY))
    case = done(await desk.reopen(1, Actor("lin", ended + 29 * DAY, "it goes on")))

    assert "30 days" in why(late)
    assert case.state is CaseState.REOPENED
    assert "reopen is not possible" in why(await desk.reopen(1, officer.who()))


async def test_the_journal_keeps_what_a_reopened_case_was_answered_with(
    desk: CaseDesk, officer: Officer, stores: Stores
) -> None:
    await officer.verifying()
    at = officer.now
    given = CaseFeedback(CaseFinding.CONFIRMED, (suspended(at),), evidence="line 118")
    done(await desk.feedback(1, given, officer.who()))
    done(await desk.tell_user(1, officer.who()))
    done(await desk.close(1, officer.who()))

    case = done(await desk.reopen(1, officer.who()))

    about = [one.about for one in await stores.cases.journal_of(1)]
    assert (case.measures, case.evidence) == ((), "")
    assert f"port_suspended at {at.astimezone(UTC).isoformat(timespec='minutes')}" in about
    assert "confirmed: line 118" in about


async def test_a_complaint_after_those_30_days_opens_another_case(
    desk: CaseDesk, officer: Officer, complaint: ComplaintBuilder
) -> None:
    await officer.closed()

    (joined,) = await desk.take([complaint(7, taken_at=officer.now + 31 * DAY)], "intake")

    assert joined == CaseJoin(7, 2, "open")


async def test_a_complaint_from_before_the_end_does_not_reopen_a_case(
    desk: CaseDesk, officer: Officer, complaint: ComplaintBuilder, stores: Stores
) -> None:
    await officer.closed()

    (joined,) = await desk.take([complaint(7, taken_at=officer.now - HOUR)], "intake")

    assert joined == CaseJoin(7, 1, "join")
    assert done_get(await stores.cases.get(1)).state is CaseState.CLOSED


async def test_the_severity_of_a_case_does_not_rise_above_the_highest(
    desk: CaseDesk, officer: Officer
) -> None:
    found = []
    for _ in range(3):
        await officer.closed()
        found.append(done(await desk.reopen(1, officer.who())).severity)

    assert found == [Severity.SERIOUS, Severity.MAJOR, Severity.MAJOR]


async def test_r90_one_approver_is_refused_and_two_refer_the_case(
    desk: CaseDesk, complaint: ComplaintBuilder, friday: datetime, stores: Stores
) -> None:
    await desk.take([complaint(1, category="fraud_prize")], "intake")
    lin, wu = Officer(desk, friday), Officer(desk, friday + DAY, "wu")
    await lin.verifying()

    first = done(await desk.refer(1, "police", lin.who()))
    alone = await desk.refer(1, "police", lin.who())
    second = done(await desk.refer(1, "police", wu.who()))

    assert (first.state, first.referred_by) == (CaseState.VERIFYING, "lin")
    assert "one approver is not enough" in why(alone)
    assert (second.state, second.authority) == (CaseState.REFERRED, "police")
    journal = [(one.act, one.by, one.about) for one in await stores.cases.journal_of(1)]
    assert journal[-2:] == [("approve", "lin", "police"), ("refer", "wu", "police")]
    back = done(await desk.take_back(1, wu.who("filed as 2013-118")))
    assert back.state is CaseState.VERIFYING


async def test_r90_both_approve_the_same_authority_and_the_same_referral(
    desk: CaseDesk, complaint: ComplaintBuilder, friday: datetime
) -> None:
    await desk.take([complaint(1, category="fraud_prize")], "intake")
    lin, wu = Officer(desk, friday), Officer(desk, friday + DAY, "wu")
    await lin.verifying()

    done(await desk.refer(1, "police", lin.who()))
    other = done(await desk.refer(1, "commerce", wu.who()))
    referred = done(await desk.refer(1, "commerce", lin.who()))

    assert (other.state, other.authority, other.referred_by) == (
        CaseState.VERIFYING,
        "commerce",
        "wu",
    )
    assert referred.state is CaseState.REFERRED
    done(await desk.take_back(1, wu.who()))
    again = done(await desk.refer(1, "commerce", lin.who()))
    assert (again.state, again.referred_by) == (CaseState.VERIFYING, "lin")


async def test_r90_only_illegal_content_is_referred(desk: CaseDesk, officer: Officer) -> None:
    await officer.verifying()

    assert "illegal content" in why(await desk.refer(1, "police", officer.who()))


async def test_notes_and_acts_are_journaled_with_who_and_when(
    desk: CaseDesk, officer: Officer, stores: Stores, friday: datetime
) -> None:
    await officer.dispatched()
    done(await desk.note(1, officer.who("called the SP")))

    journal = await stores.cases.journal_of(1)

    assert [(one.act, one.by, one.at, one.note) for one in journal] == [
        ("open", "intake", friday, ""),
        ("dispatch", "lin", friday + HOUR, ""),
        ("note", "lin", friday + 2 * HOUR, "called the SP"),
    ]


async def test_a_case_that_does_not_exist_is_refused(desk: CaseDesk, friday: datetime) -> None:
    assert await desk.accept(7, Actor("lin", friday)) == CaseRefusal(
        7, None, "there is no such case"
    )


@pytest.mark.parametrize("word", ["", " ", "x" * 65, "a\u202eb", "a\nb"])
async def test_words_that_cannot_be_meant_are_refused(
    desk: CaseDesk, complaint: ComplaintBuilder, friday: datetime, word: str
) -> None:
    who = Actor("lin", friday)

    with pytest.raises(ValueError, match="owner"):
        await desk.dispatch(1, word, who)
    with pytest.raises(ValueError, match="authority"):
        await desk.refer(1, word, who)
    with pytest.raises(ValueError, match="campaign"):
        await desk.take([complaint(campaign=word)], "intake")


async def test_no_more_than_500_complaints_are_taken_at_once(
    desk: CaseDesk, complaint: ComplaintBuilder
) -> None:
    with pytest.raises(ValueError, match="500"):
        await desk.take([complaint(number) for number in range(501)], "intake")


async def test_an_answer_is_bounded(desk: CaseDesk, friday: datetime) -> None:
    with pytest.raises(ValueError, match="answer"):
        await desk.feedback(1, replace(UNFOUNDED, answer="x" * 1001), Actor("lin", friday))


def done_get(case: Case | None) -> Case:
    assert case is not None
    return case


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("caller 13800138000, port 1069000112", "caller 138****8000, port 1069000112"),
        ("+86 138-0013-8000与１３９００１３９０００", "138****8000与139****9000"),
        ("2026-11-19 08:00, case 12", "2026-11-19 08:00, case 12"),
        ("证" * 995 + "13800138000", "证" * 995 + "138**"),
    ],
)
async def test_r73_mobile_numbers_in_notes_are_masked_before_they_are_kept(
    stores: Stores, desk: CaseDesk, officer: Officer, note: str, kept: str
) -> None:
    await officer.verifying()
    measure = CaseMeasure(MeasureKind.PORT_SUSPENDED, officer.now)
    given = CaseFeedback(CaseFinding.CONFIRMED, (measure,), evidence="call of 13800138000")

    case = done(await desk.feedback(1, given, officer.who(note)))

    assert case.evidence == "call of 138****8000"
    journal = await stores.cases.journal_of(1)
    assert journal[-1].note == kept
    assert "13800138000" not in repr(journal)
