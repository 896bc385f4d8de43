"""What gateway.systems.cases.sql promises, on every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewPurge
from gateway.domain.warning import Severity
from gateway.policy.hours import HolidayCalendar
from gateway.runtime.clock import utcnow
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.cases.model import (
    Actor,
    Case,
    CaseChange,
    CaseClock,
    CaseComplaint,
    CaseEntry,
    CaseFinding,
    CaseMeasure,
    CaseRefusal,
    CaseState,
    ClockName,
    ClockProfile,
    MeasureKind,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.cases.sql import CaseStore
from gateway.systems.cases.tables import case_journal

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

ComplaintBuilder: TypeAlias = Callable[..., CaseComplaint]

DAY = timedelta(days=1)


@pytest.fixture
def desk(stores: Stores, calendar: HolidayCalendar) -> CaseDesk:
    return CaseDesk(stores.cases, lambda: calendar)


def every_field(case: Case, at: datetime) -> Case:
    """Return a case in which no field has its usual value."""
    return replace(
        case,
        category="fraud",
        severity=Severity.MAJOR,
        state=CaseState.CLOSED,
        profile=ClockProfile.TRAI,
        owner="cmcc/广东",
        hops=2,
        closed_at=at + DAY,
        finding=CaseFinding.CONFIRMED,
        measures=(CaseMeasure(MeasureKind.NUMBER_SUSPENDED, at, "13800138001"),),
        evidence="CDR #118",
        system_id="shop",
        answer="已停用",
        authority="police",
        referred_by="lin",
        clocks=(
            CaseClock(ClockName.ACTION, at, at + 5 * DAY, at + DAY, 80),
            CaseClock(ClockName.ACK, at, None),
        ),
        origin="unicom-gd",
        subject="unicom-gd.7",
        sender="1069000112",
    )


async def test_a_case_is_kept_with_all_its_fields(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, noon: datetime
) -> None:
    await desk.take([complaint()], "intake")

    changed = await stores.cases.change(1, lambda case: CaseChange(every_field(case, noon), ()))

    assert isinstance(changed, CaseChange)
    assert await stores.cases.get(1) == changed.case
    assert await stores.cases.get(2) is None


async def test_a_refused_change_changes_nothing(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder
) -> None:
    await desk.take([complaint()], "intake")
    before = await stores.cases.get(1)
    refusal = CaseRefusal(1, CaseState.OPEN, "no")

    assert await stores.cases.change(1, lambda _case: refusal) == refusal
    assert await stores.cases.get(1) == before
    assert len(await stores.cases.journal_of(1)) == 1


async def test_cases_are_found_by_what_they_are_the_newest_first(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, noon: datetime
) -> None:
    await desk.take([complaint(one, campaign=f"c{one}") for one in (1, 2, 3)], "intake")
    await stores.cases.change(2, lambda case: CaseChange(every_field(case, noon), ()))
    find = stores.cases.find

    async def numbers(**wanted: object) -> list[int]:
        return [one.number for one in await find(**wanted)]  # type: ignore[arg-type]

    assert await numbers() == [3, 2, 1]
    assert await numbers(limit=1, before=3) == [2]
    assert await numbers(state=CaseState.CLOSED) == [2]
    assert await numbers(owner="cmcc/广东") == [2]
    assert await numbers(category="fraud") == [2]
    assert await numbers(campaign="c3") == [3]


async def test_a_case_knows_its_complaints(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder
) -> None:
    await desk.take([complaint(8), complaint(9, sender="13800138001")], "intake")

    assert await stores.cases.complaints_of(1) == [(9, "13800138001"), (8, "1069000112")]
    assert await stores.cases.complaints_of(2) == []


async def test_r82_many_complaints_of_a_campaign_cost_few_statements(
    desk: CaseDesk, database: Database, complaint: ComplaintBuilder
) -> None:
    given = [complaint(one, reporter=8613800138000 + one // 2) for one in range(500)]
    statements: list[str] = []
    engine = database._writing.sync_engine
    sa.event.listen(engine, "before_cursor_execute", lambda *called: statements.append(called[2]))

    joined = await desk.take(given, "intake")

    assert {one.case_number for one in joined} == {1}
    assert len(statements) < 15
    case = await CaseStore(database).get(1)
    assert case is not None
    assert (case.complaints, case.reporters) == (500, 250)


async def test_overdue_cases_are_found_page_by_page_the_oldest_first(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, friday: datetime
) -> None:
    sent = [
        complaint(
            one,
            campaign=f"c{one}",
            profile=ClockProfile.INTERNAL if one in (4, 6) else ClockProfile.TRAI,
            taken_at=friday,
        )
        for one in range(1, 7)
    ]
    await desk.take(sent, "intake")
    later = friday + 4.5 * DAY  # five days: at 80 % and not overdue

    assert [one.number for one in await stores.cases.overdue(later)] == [4, 6]
    assert [one.number for one in await stores.cases.overdue(later, limit=1)] == [4]
    assert await stores.cases.to_be_looked_at(friday) == []
    assert await stores.cases.to_be_looked_at(friday + DAY) == [4, 6]
    assert len(await stores.cases.to_be_looked_at(later)) == 6


async def test_nobody_changes_the_journal_of_a_case(
    desk: CaseDesk, database: Database, complaint: ComplaintBuilder, stores: Stores
) -> None:
    await desk.take([complaint()], "intake")

    with pytest.raises(IntegrityError, match="append-only"):
        await database.change(sa.update(case_journal).values(by="nobody"))

    (entry,) = await stores.cases.journal_of(1)
    assert entry == CaseEntry("open", "intake", complaint().taken_at, "", "unicom/北京")


async def test_r72_closed_cases_go_with_their_complaints_and_journals(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, noon: datetime
) -> None:
    await desk.take([complaint(one, campaign=f"c{one}") for one in (1, 2, 3)], "intake")
    for number in (1, 2):
        await stores.cases.change(number, lambda case: CaseChange(every_field(case, noon), ()))
    purge = NewPurge("cases", noon, noon, 9, datetime(2026, 1, 1, tzinfo=UTC), "daily")

    due = [one.number for one in await stores.cases.closed_before(noon + 2 * DAY)]
    page = [one.number for one in await stores.cases.closed_before(noon + 2 * DAY, after=1)]
    none = await stores.cases.closed_before(noon + DAY)
    gone = await stores.cases.forget([1, 3], purge)

    assert (due, page, none, gone) == ([1, 2], [2], [], 1)  # case 3 is open
    assert await stores.cases.get(1) is None
    assert await stores.cases.complaints_of(1) == []
    assert await stores.cases.journal_of(1) == []
    assert len(await stores.cases.complaints_of(3)) == 1
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.count) == ("cases", 1)


async def test_campaigns_of_cases_that_may_grow_are_found_with_a_complaint_of_each(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, friday: datetime
) -> None:
    await desk.take([complaint(one, campaign=f"c{one % 3}") for one in range(1, 7)], "intake")
    await desk.take([complaint(9, campaign="c9", taken_at=friday + DAY)], "intake")

    for number, at in ((1, friday), (2, friday - DAY)):
        await stores.cases.change(
            number,
            lambda case, at=at: CaseChange(  # type: ignore[misc]
                replace(case, state=CaseState.CLOSED, closed_at=at), ()
            ),
        )

    found = dict(await stores.cases.campaigns_since(friday - DAY, 9))
    assert found.keys() == {"c0", "c1", "c2", "c9"}
    assert found["c9"] == 9
    assert found["c1"] % 3 == 1
    assert dict(await stores.cases.campaigns_since(friday + DAY, 9)).keys() == {"c0", "c9"}
    assert len(await stores.cases.campaigns_since(friday, 2)) == 2


async def test_cases_of_a_front_owner_are_found_that_it_has_to_tell_of(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, noon: datetime
) -> None:
    await desk.take([complaint(one, campaign=f"c{one}") for one in range(1, 7)], "intake")
    await desk.take([complaint(9, campaign="c9", front_owner="cmcc/广东")], "intake")
    told, closed = CaseState.FEEDBACK_RECEIVED, CaseState.CLOSED
    for number, state, at in (
        (1, told, None),
        (2, closed, noon + DAY),
        (3, closed, noon - DAY),
        (4, closed, noon),
        (5, closed, noon),
        (6, CaseState.USER_TOLD, None),
        (7, told, None),
    ):
        await stores.cases.change(
            number,
            lambda case, state=state, at=at: CaseChange(  # type: ignore[misc]
                replace(case, state=state, closed_at=at), ()
            ),
        )

    async def closed_of(*numbers: int) -> list[int]:
        return [one.number for one in await stores.cases.closed_of("unicom/北京", numbers)]

    assert [one.number for one in await stores.cases.answered("unicom/北京")] == [1, 6]
    assert await closed_of(5, 1, 3, 6, 99) == [3, 5]
    assert await closed_of(7) == []


async def test_the_journal_of_all_cases_is_read_in_the_order_of_its_numbers(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, noon: datetime
) -> None:
    await desk.take([complaint(one, campaign=f"c{one}") for one in (1, 2)], "intake")
    await desk.verify(2, Actor("lin", noon))

    found = await stores.cases.journal_after(1, 10)

    assert [(number, case, entry.act) for number, case, entry in found] == [
        (2, 2, "open"),
        (3, 2, "verify"),
    ]
    assert await stores.cases.journal_after(3, 10) == []


async def test_what_goes_along_with_a_change_is_in_its_commit(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, calendar: HolidayCalendar
) -> None:
    await desk.take([complaint()], "intake")

    async def fail(_connection: AsyncConnection) -> None:
        raise StoreUnavailable("full")

    along = CaseDesk(stores.cases.along(fail), lambda: calendar)
    with pytest.raises(StoreUnavailable):
        await along.verify(1, Actor("lin", utcnow()))

    case = await stores.cases.get(1)
    assert case is not None
    assert case.state is CaseState.OPEN


async def test_a_case_with_an_objection_is_not_changed(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, calendar: HolidayCalendar
) -> None:
    await desk.take([complaint()], "intake")
    ran: list[object] = []

    async def note(connection: AsyncConnection) -> None:
        ran.append(connection)

    guarded = stores.cases.along(note, lambda case: f"{case.number} is not yours")
    refused = await CaseDesk(guarded, lambda: calendar).verify(1, Actor("lin", utcnow()))

    assert refused == CaseRefusal(1, CaseState.OPEN, "1 is not yours")
    assert ran == []
