"""Search of cases by sender, reporter and words of the text, on every store."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases import case_search
from gateway.systems.cases.case_search import CaseFilter, CasePage
from gateway.systems.cases.model import (
    Actor,
    CaseComplaint,
    CaseFeedback,
    CaseFinding,
    CaseHandover,
    CaseRefusal,
    CaseState,
    ClockProfile,
    PlainAct,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import Complaint, ComplaintSource

pytestmark = pytest.mark.every_store

ComplaintBuilder: TypeAlias = Callable[..., CaseComplaint]
Numbers: TypeAlias = Callable[..., Awaitable[list[int]]]

PERSON, REPORTER = "13800138001", 8613800138000


@pytest.fixture
def desk(stores: Stores, calendar: HolidayCalendar) -> CaseDesk:
    return CaseDesk(stores.cases, lambda: calendar)


@pytest.fixture
def numbers(stores: Stores) -> Numbers:
    """Return what gives the numbers of the cases that fit a filter."""

    async def numbers(**wanted: object) -> list[int]:
        page = await stores.cases.search(CaseFilter(**wanted))  # type: ignore[arg-type]
        return [one.number for one in page.cases]

    return numbers


async def keep_texts(stores: Stores, at: datetime, *texts: str) -> None:
    """Keep complaints with these texts; their numbers are 1, 2 and so on."""
    given = [
        Complaint(
            number=0,
            source=ComplaintSource.CUSTOMER_SERVICE,
            source_id=f"call {one}",
            reported_at=at,
            taken_at=at,
            sender="1069000112",
            text=text,
        )
        for one, text in enumerate(texts)
    ]
    await stores.complaints.receive(given, lambda _one: [])


async def test_cases_are_found_by_a_whole_sender_a_number_in_any_form(
    desk: CaseDesk, complaint: ComplaintBuilder, numbers: Numbers
) -> None:
    given = [complaint(1, campaign="c1"), complaint(2, campaign="c2", sender=PERSON)]
    await desk.take(given, "intake")
    await desk.take([complaint(3, campaign="c2")], "intake")

    assert await numbers(sender="1069000112") == [2, 1]
    assert await numbers(sender=PERSON) == await numbers(sender=f"+86{PERSON}") == [2]
    assert await numbers(sender="1069") == []
    assert await numbers(sender=PERSON, state=CaseState.CLOSED) == []


async def test_a_case_of_another_node_is_found_by_its_sender(
    desk: CaseDesk, numbers: Numbers, noon: datetime
) -> None:
    given = CaseHandover("unicom-gd", "unicom-gd.7", "106900077", "a/b", "c/d", "loan", 3)
    assert not isinstance(await desk.receive(given, Actor("node", noon)), CaseRefusal)

    assert await numbers(sender="106900077") == await numbers(prefix="1069000") == [1]


async def test_a_prefix_is_of_senders_and_its_signs_stand_for_themselves(
    desk: CaseDesk, complaint: ComplaintBuilder, numbers: Numbers
) -> None:
    given = [
        complaint(1, campaign="c1", sender="10690001"),
        complaint(2, campaign="c2", sender="10680001"),
        complaint(3, campaign="c3", sender="A_B%"),
    ]
    await desk.take(given, "intake")

    assert await numbers(prefix="1069") == [1]
    assert await numbers(prefix="106") == [2, 1]
    assert (
        await numbers(prefix="10_") == await numbers(prefix="%") == await numbers(prefix="*") == []
    )
    assert await numbers(prefix="A_B%") == [3]


async def test_cases_of_a_reporter_are_found_by_the_number(
    desk: CaseDesk, complaint: ComplaintBuilder, numbers: Numbers
) -> None:
    given = [
        complaint(1, campaign="c1"),
        complaint(2, campaign="c2", reporter=REPORTER + 1),
        complaint(3, campaign="c3", reporter=None),
    ]
    await desk.take(given, "intake")

    assert await numbers(reporter=REPORTER) == [1]
    assert await numbers(reporter=REPORTER + 9) == []


async def test_words_stand_in_one_text_in_any_order_and_case(
    desk: CaseDesk,
    stores: Stores,
    complaint: ComplaintBuilder,
    numbers: Numbers,
    noon: datetime,
) -> None:
    await keep_texts(stores, noon, "【某银行】贷款免息 VIP 100%", "贷款", "免息")
    of_one = [complaint(1, campaign="c1"), complaint(2, campaign="c2"), complaint(3, campaign="c2")]
    await desk.take(of_one, "intake")

    assert await numbers(words="贷款") == [2, 1]
    assert await numbers(words="免息 vip 贷款") == [1]
    assert await numbers(words="100%") == [1]
    assert await numbers(words="贷款 免息") == [1]  # case 2 has each in another text
    assert await numbers(words="贷_") == []
    assert await numbers(words="贷款", campaign="c2") == [2]


async def test_overdue_cases_are_narrowed_as_others_are(
    desk: CaseDesk, complaint: ComplaintBuilder, numbers: Numbers, friday: datetime
) -> None:
    internal = ClockProfile.INTERNAL
    given = [complaint(1, campaign="c1", profile=internal), complaint(2, campaign="c2")]
    await desk.take(given, "intake")

    later = friday + timedelta(days=2)
    assert await numbers(overdue_at=later) == [1]
    assert await numbers(overdue_at=later, campaign="c2") == []
    assert await numbers(overdue_at=friday) == []


async def test_r84_a_case_that_went_to_another_owner_stays_an_assist_task_here_until_its_end(
    desk: CaseDesk, stores: Stores, complaint: ComplaintBuilder, numbers: Numbers, noon: datetime
) -> None:
    await desk.take([complaint(one, campaign=f"c{one}") for one in (1, 2, 3)], "intake")
    given = CaseHandover("unicom-gd", "unicom-gd.7", "106900077", "a/b", "c/d", "loan", 3)
    await desk.receive(given, Actor("node", noon))
    who, owner = Actor("lin", noon), "telecom/广东"
    before = await numbers(is_assist=True)

    await desk.dispatch(1, owner, who)
    await desk.dispatch(2, owner, who)
    await desk.dispatch(3, complaint().front_owner, who)
    dispatched = await numbers(is_assist=True)
    for act in (PlainAct.ACCEPT, PlainAct.VERIFY):
        await desk.act(act, 1, "", who)
    await desk.feedback(1, CaseFeedback(CaseFinding.UNFOUNDED), who)
    answered = await numbers(is_assist=True)
    for act in (PlainAct.TELL, PlainAct.CLOSE):
        await desk.act(act, 1, "", who)

    assert (before, dispatched, answered) == ([], [2, 1], [2, 1])
    assert await numbers(is_assist=True) == [2]
    assert [one.number for one in await stores.cases.find() if one.is_assist] == [2]


async def test_a_search_opens_so_many_cases_and_the_next_goes_on_behind_them(
    desk: CaseDesk,
    stores: Stores,
    complaint: ComplaintBuilder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(case_search, "MOST_OPENED", 3)
    monkeypatch.setattr(case_search, "_CASES_AT_ONCE", 2)
    senders = ["10690001", "10680001", "10680001", "10680001", "10690001"]
    given = [
        complaint(one, campaign=f"c{one}", sender=sender)
        for one, sender in enumerate(senders, start=1)
    ]
    await desk.take(given, "intake")
    wanted = CaseFilter(prefix="1069")

    async def found(before: int | None, limit: int = 50) -> tuple[list[int], int | None, bool]:
        page: CasePage = await stores.cases.search(wanted, before=before, limit=limit)
        return [one.number for one in page.cases], page.before, page.is_cut

    assert await found(None) == ([5], 3, True)
    assert await found(3) == ([1], None, False)
    assert await found(None, limit=1) == ([5], 5, False)


async def test_r73_what_is_looked_for_is_not_in_the_words_of_the_journal() -> None:
    wanted = CaseFilter(sender=PERSON, reporter=REPORTER, words="某某人")

    assert CaseFilter(sender="1069000112", prefix="1069").journaled() == ""
    assert wanted.journaled() == (
        "cases of the reporter 138****8000, of the sender 138****8001, by words of the text"
    )
    assert PERSON not in repr(wanted)
    assert str(REPORTER) not in repr(wanted)
