"""R70 to R72 over reports, audits, suspensions, warnings, complaints: what goes, and what stays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.app.housekeeping import (
    PurgeJob,
    PurgeResult,
    purge_before,
    purgers_of,
)
from gateway.domain.authority_report import NewAuthorityReport
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceKind,
)
from gateway.domain.suspension import Lift, NewSuspension
from gateway.domain.warning import WarningCode, WarningCount, WarningKind
from gateway.storage.database import Database
from gateway.stores import Stores, stores_of
from gateway.systems.complaints.model import Complaint, ComplaintSource
from gateway.systems.consent_audits.model import AuditItem, NewConsentAudit
from gateway.systems.legal_holds.model import LegalHold

THEN = datetime(2013, 9, 30, 8, 30, tzinfo=UTC)
NOW = datetime(2014, 4, 15, 3, tzinfo=UTC)
MSISDN, OTHER = 8613800138007, 8613900139000
REPORT = NewAuthorityReport(
    message_id=8 * 10**18,
    system_id="shop",
    source="10690001",
    msisdn=MSISDN,
    recipients=1,
    action="reject",
    rule="K-FRAUD",
    category="fraud",
    keyword="代开发票",
    digest="0123456789ab",
    text="代开发票",
    text_sha256="ab" * 32,
    stopped_at=THEN,
)
HOLD = LegalHold(
    THEN - timedelta(days=1), THEN + timedelta(days=1), None, None, "诈骗", "公7", "lin", NOW, 1
)


def job(
    *holds: LegalHold, is_rehearsal: bool = False, at: datetime = NOW, months: int = 6
) -> PurgeJob:
    return PurgeJob(purge_before(months, at), holds, at, "lin", is_rehearsal)


@pytest.fixture
async def stores(stores: Stores) -> Stores:
    """Three reports, of which one was sent long ago and one lately, and an audit."""
    reports = stores.authority_reports
    await reports.add([replace(REPORT, message_id=REPORT.message_id + at) for at in range(3)])
    await reports.mark_sent(1, "公网安77", "lin", THEN)
    await reports.mark_sent(2, "公网安78", "lin", NOW)
    audit = NewConsentAudit("shop", THEN, "lin", 7, 1, 1)
    await stores.consent_audits.keep(audit, [AuditItem(1, MSISDN, THEN, "import")])
    return stores


async def test_r60_only_a_report_that_was_sent_long_ago_goes(stores: Stores) -> None:
    purged = await purgers_of(stores)["reports"].purge(job())

    assert purged == PurgeResult("reports", 1, 0)
    assert [one.number for one in await stores.authority_reports.find()] == [3, 2]
    (log,) = await stores.journals.purges()
    assert (log.what, log.count, log.since, log.by) == ("reports", 1, THEN, "lin")


async def test_an_audit_goes_with_its_sample(stores: Stores) -> None:
    purged = await purgers_of(stores)["audits"].purge(job())

    assert purged == PurgeResult("audits", 1, 0)
    assert await stores.consent_audits.items_of(1) == []


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({}, True),
        ({"system_id": "shop"}, True),
        ({"system_id": "other"}, False),
        ({"msisdn": MSISDN}, True),
        ({"msisdn": OTHER}, False),
        ({"until": THEN}, False),
        ({"since": THEN}, True),
    ],
)
async def test_what_a_hold_is_about_stays(
    stores: Stores, changes: dict[str, object], *, is_kept: bool
) -> None:
    hold = replace(HOLD, **changes)  # type: ignore[arg-type]

    purged = await purgers_of(stores)["reports"].purge(job(hold))

    assert purged == PurgeResult("reports", int(not is_kept), int(is_kept))


@pytest.mark.parametrize(
    "changes", [{"recipients": 2}, {"msisdn": None}, {"source": "13900139000"}]
)
async def test_a_report_that_may_be_about_the_subscriber_stays(
    changes: dict[str, object], database: Database
) -> None:
    stores = stores_of(database)
    await stores.authority_reports.add([replace(REPORT, **changes)])  # type: ignore[arg-type]
    await stores.authority_reports.mark_sent(1, "公网安77", "lin", THEN)

    purged = await purgers_of(stores)["reports"].purge(job(replace(HOLD, msisdn=OTHER)))

    assert purged == PurgeResult("reports", 0, 1)


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [({}, True), ({"msisdn": OTHER}, True), ({"system_id": "other"}, False)],
)
async def test_an_audit_under_hold_stays_whole(
    stores: Stores, changes: dict[str, object], *, is_kept: bool
) -> None:
    hold = replace(HOLD, **changes)  # type: ignore[arg-type]

    purged = await purgers_of(stores)["audits"].purge(job(hold))

    assert purged == PurgeResult("audits", int(not is_kept), int(is_kept))


async def test_a_rehearsal_deletes_nothing(stores: Stores) -> None:
    rehearsal = job(is_rehearsal=True)

    assert await purgers_of(stores)["reports"].purge(rehearsal) == PurgeResult("reports", 1, 0)
    assert await purgers_of(stores)["audits"].purge(rehearsal) == PurgeResult("audits", 1, 0)
    assert len(await stores.authority_reports.find()) == 3
    assert await stores.journals.purges() == []


LIFTED = THEN + timedelta(days=1)
OVER_LONG = LIFTED + timedelta(days=201)


async def suspended(stores: Stores) -> None:
    """Put one on record that was lifted long ago, one lately, and one that stands."""
    for nth, until in enumerate((THEN + timedelta(days=3), NOW, NOW + timedelta(days=3))):
        given = NewSuspension(MSISDN + nth, "shop", "R43", THEN, until)
        await stores.suspensions.suspend(given)
    await stores.suspensions.lift(1, Lift(LIFTED, "li"))
    await stores.suspensions.end_due(NOW)


async def test_r72_a_suspension_goes_months_after_it_was_over_and_the_log_tells_of_it(
    stores: Stores,
) -> None:
    await suspended(stores)

    purged = await purgers_of(stores)["suspensions"].purge(job(at=OVER_LONG))

    assert purged == PurgeResult("suspensions", 1, 0)
    assert [one.number for one in await stores.suspensions.listed()] == [3, 2]
    [noted] = await stores.journals.purges()
    assert (noted.what, noted.count, noted.by) == ("suspensions", 1, "lin")


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({}, True),
        ({"msisdn": MSISDN}, True),
        ({"msisdn": OTHER}, False),
        ({"system_id": "bank"}, False),
        ({"since": THEN + timedelta(hours=1)}, True),  # it stood then
        ({"since": THEN + timedelta(days=2), "until": NOW}, False),
        ({"until": THEN}, False),
    ],
)
async def test_r70_a_suspension_under_hold_stays(
    changes: dict[str, object], stores: Stores, *, is_kept: bool
) -> None:
    await suspended(stores)

    purged = await purgers_of(stores)["suspensions"].purge(
        job(replace(HOLD, **changes), at=OVER_LONG)  # type: ignore[arg-type]
    )

    assert purged == PurgeResult("suspensions", int(not is_kept), int(is_kept))


async def test_r70_a_suspension_that_people_made_is_of_no_sp_under_hold(stores: Stores) -> None:
    await stores.suspensions.suspend(NewSuspension(MSISDN, "", "R43", THEN, LIFTED))
    await stores.suspensions.end_due(NOW)
    on_sp, on_all = (replace(HOLD, since=THEN, until=NOW, system_id=one) for one in ("sp1", None))
    purger = purgers_of(stores)["suspensions"]

    kept = await purger.purge(job(on_all, at=OVER_LONG))
    gone = await purger.purge(job(on_sp, at=OVER_LONG))

    assert (kept.held, gone.gone) == (1, 1)


@pytest.mark.parametrize("days", [40, 180, 199, 201])
async def test_r43_a_suspension_stays_while_a_rule_may_ask_how_often_it_was_lifted(
    days: int, stores: Stores
) -> None:
    await suspended(stores)
    due = job(at=LIFTED + timedelta(days=days), months=1)

    purged = await purgers_of(stores)["suspensions"].purge(due)

    assert purged == PurgeResult("suspensions", int(days > 200), 0)


WALKS = WarningKind(WarningCode.W9, "R28", "shop", "10690001")
LEDGER_OVER = THEN + timedelta(days=1100)


async def add_warnings(stores: Stores) -> None:
    """Add two warnings: one that grew for a day and then no more, and one of lately."""
    old = WarningCount(WALKS, None, 7, 0, THEN, THEN + timedelta(days=1))
    new = WarningCount(WALKS, None, 1, 0, LEDGER_OVER, LEDGER_OVER)
    await stores.warnings.add([old, new])


@pytest.mark.parametrize("days", [200, 1098, 1101])
async def test_r72_a_warning_stays_as_long_as_a_sanction_looks_back(
    stores: Stores, days: int
) -> None:
    await add_warnings(stores)
    due = job(at=THEN + timedelta(days=days), months=1)

    purged = await purgers_of(stores)["warnings"].purge(due)

    assert purged == PurgeResult("warnings", int(days > 1100), 0)


async def test_r72_of_warnings_that_went_the_log_tells(stores: Stores) -> None:
    await add_warnings(stores)

    await purgers_of(stores)["warnings"].purge(job(at=LEDGER_OVER))

    assert [one.number for one in await stores.warnings.find()] == [2]
    [noted] = await stores.journals.purges()
    assert (noted.what, noted.count, noted.by) == ("warnings", 1, "lin")
    assert noted.since == noted.until == THEN + timedelta(days=1)


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({}, True),
        ({"msisdn": OTHER}, True),  # it does not tell whom its messages were for
        ({"system_id": "other"}, False),
        ({"since": THEN + timedelta(hours=1)}, True),
        ({"since": THEN + timedelta(days=2), "until": NOW}, False),
        ({"until": THEN}, False),
    ],
)
async def test_r72_a_warning_under_hold_stays(
    stores: Stores, changes: dict[str, object], *, is_kept: bool
) -> None:
    await add_warnings(stores)
    hold = replace(HOLD, **changes)  # type: ignore[arg-type]

    purged = await purgers_of(stores)["warnings"].purge(job(hold, at=LEDGER_OVER))

    assert purged == PurgeResult("warnings", int(not is_kept), int(is_kept))


@pytest.mark.parametrize(
    ("holds", "gone", "held"),
    [
        ((), 3, 0),
        ((HOLD,), 0, 3),
        ((replace(HOLD, msisdn=MSISDN),), 2, 1),
        ((replace(HOLD, system_id="shop"),), 3, 0),
        ((replace(HOLD, since=THEN + timedelta(hours=1)),), 3, 0),
    ],
)
async def test_r72_the_history_of_preferences_goes_and_the_preferences_stay(
    stores: Stores, holds: tuple[LegalHold, ...], gone: int, held: int
) -> None:
    preferences = stores.preferences
    wish = Preference(PreferenceKind.NUMBER, "13911112222", PreferenceAction.BLOCK)
    for msisdn, at in ((MSISDN, THEN), (OTHER, THEN), (OTHER + 1, THEN), (OTHER + 2, NOW)):
        await preferences.change(msisdn, lambda _: (wish,), ChangeOrigin(Channel.CLI, at, "lin"))
    await preferences.erase(OTHER + 1, ChangeOrigin(Channel.CLI, THEN, "lin"))

    rehearsed = await purgers_of(stores)["preferences"].purge(job(*holds, is_rehearsal=True))
    purged = await purgers_of(stores)["preferences"].purge(job(*holds))

    assert rehearsed == purged == PurgeResult("preferences", gone, held)
    assert len(await preferences.journal_of(OTHER + 2)) == 1
    assert await preferences.of(MSISDN) == (wish,)
    assert sum(one.count for one in await stores.journals.purges()) == gone


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({}, True),
        ({"msisdn": MSISDN}, True),  # the reporter
        ({"msisdn": OTHER}, False),
        ({"system_id": "shop"}, True),
        ({"system_id": "other"}, False),
        ({"since": THEN + timedelta(hours=1)}, False),
    ],
)
async def test_r72_a_complaint_goes_with_its_months_but_for_a_hold(
    stores: Stores, changes: dict[str, object], *, is_kept: bool
) -> None:
    of_then = Complaint(
        number=0,
        source=ComplaintSource.MO,
        source_id="1",
        reported_at=THEN,
        taken_at=THEN,
        sender="10690001",
        reporter=MSISDN,
        system_id="shop",
        port="10690001",
    )
    await stores.complaints.receive(
        [of_then, replace(of_then, source_id="2", taken_at=NOW)], lambda _one: []
    )

    hold = replace(HOLD, **changes)  # type: ignore[arg-type]
    purged = await purgers_of(stores)["complaints"].purge(job(hold))

    assert purged == PurgeResult("complaints", int(not is_kept), int(is_kept))
    left = [one.number for one in await stores.complaints.find()]
    assert left == ([2, 1] if is_kept else [2])
