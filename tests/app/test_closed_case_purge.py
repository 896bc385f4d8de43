"""How long cases are kept: open ones always, closed ones as records, or as a legal hold asks."""

from datetime import UTC, datetime, timedelta

from gateway.app.housekeeping import PurgeJob, PurgeResult, purge_before, purgers_of
from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases.model import Actor, CaseComplaint, CaseFeedback, CaseFinding
from gateway.systems.cases.service import CaseDesk
from gateway.systems.legal_holds.model import LegalHold

THEN = datetime(2013, 9, 30, 8, 30, tzinfo=UTC)
NOW = datetime(2014, 4, 15, 3, tzinfo=UTC)
DAY = timedelta(days=1)
HOLD = LegalHold(THEN - DAY, THEN + DAY, "shop", None, "case", "12", "wu", NOW, 1)


async def test_r72_a_closed_case_goes_when_records_go_unless_a_hold_keeps_it(
    stores: Stores,
) -> None:
    desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
    who = Actor("lin", THEN)
    given = [CaseComplaint(n, f"c{n}", "1069", None, THEN, "cmcc/福建") for n in (1, 2)]
    await desk.take(given, "intake")
    await desk.verify(1, who)
    await desk.feedback(1, CaseFeedback(CaseFinding.UNFOUNDED), who)
    await desk.tell_user(1, who)
    await desk.close(1, who)
    purger = purgers_of(stores)["cases"]

    held = await purger.purge(PurgeJob(purge_before(6, NOW), [HOLD], NOW, "daily"))
    gone = await purger.purge(PurgeJob(purge_before(6, NOW), [], NOW, "daily"))

    assert (held, gone) == (PurgeResult("cases", 0, 1), PurgeResult("cases", 1, 0))
    assert [one.number for one in await stores.cases.find()] == [2]
