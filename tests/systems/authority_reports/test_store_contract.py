"""What gateway.systems.authority_reports.sql promises, on every store."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.authority_report import (
    AuthorityReport,
    NewAuthorityReport,
    ReportSeverity,
    ReportState,
)
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewPurge
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.authority_reports.sql import authority_reports

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., HeldMessage]

MESSAGE = 8176404480000000000
DAY = timedelta(days=1)


@pytest.fixture
def report(noon: datetime) -> NewAuthorityReport:
    return NewAuthorityReport(
        message_id=MESSAGE,
        system_id="sp1",
        source="10690001",
        msisdn=8613800138000,
        recipients=1,
        action="reject",
        rule="K-FRAUD",
        category="fraud",
        keyword="代开发票",
        digest="0123456789ab",
        text="代\u200b开发票，联系我",
        text_sha256="ab" * 32,
        stopped_at=noon,
    )


def test_there_is_a_column_for_each_field_of_a_report() -> None:
    assert {column.name for column in authority_reports.columns} == {
        field.name for field in fields(AuthorityReport)
    }


async def test_r60_a_report_is_pending_until_the_authority_has_it(
    stores: Stores, report: NewAuthorityReport, noon: datetime
) -> None:
    assert await stores.authority_reports.add([report]) == 1

    found = await stores.authority_reports.get(1)
    assert found is not None
    assert {name: getattr(found, name) for name in NewAuthorityReport.__slots__} == {
        name: getattr(report, name) for name in NewAuthorityReport.__slots__
    }
    assert (found.severity, found.state) == (ReportSeverity.MAJOR, ReportState.PENDING)

    later = noon + timedelta(hours=1)
    assert await stores.authority_reports.mark_sent(1, "公(2025)7", "lin", later)
    assert not await stores.authority_reports.mark_sent(1, "other", "wu", noon)
    assert not await stores.authority_reports.mark_sent(99, "other", "wu", noon)

    sent = await stores.authority_reports.get(1)
    assert sent == replace(
        found, state=ReportState.SENT, sent_at=later, sent_by="lin", reference="公(2025)7"
    )


async def test_r60_a_message_is_reported_once_however_often_it_is_tried(
    stores: Stores, report: NewAuthorityReport
) -> None:
    other = replace(report, message_id=MESSAGE + 1, msisdn=None)

    assert await stores.authority_reports.add([report]) == 1
    assert await stores.authority_reports.add([report, other]) == 1
    assert await stores.authority_reports.add([]) == 0

    found = await stores.authority_reports.find()
    assert [one.message_id for one in found] == [MESSAGE + 1, MESSAGE]
    assert found[0].msisdn is None


async def test_a_report_and_the_held_message_it_is_about_come_together(
    stores: Stores, report: NewAuthorityReport, held: Builder
) -> None:
    message = held(message_id=MESSAGE)

    await stores.authority_reports.add_with([report], [message, held(message_id=MESSAGE + 1)])

    assert await stores.quarantine.get(MESSAGE) == message
    assert await stores.quarantine.get(MESSAGE + 1) is not None
    assert [one.message_id for one in await stores.authority_reports.find()] == [MESSAGE]


async def test_r60_a_report_is_settled_when_its_message_was_released_and_not_before(
    stores: Stores, report: NewAuthorityReport, held: Builder, noon: datetime
) -> None:
    reports = stores.authority_reports
    ids = [MESSAGE + nth for nth in range(4)]
    await reports.add_with(
        [replace(report, message_id=one) for one in ids], [held(message_id=one) for one in ids]
    )
    await reports.add([replace(report, message_id=MESSAGE + 9)])  # refused: never held
    await reports.mark_sent(1, "公7", "lin", noon)
    for one, state in zip(
        ids, (HoldState.RELEASED, HoldState.RELEASED, HoldState.DISCARDED), strict=False
    ):
        await stores.quarantine.move(one, allowed=frozenset({HoldState.HELD}), to=state, at=noon)

    settled = await reports.settle_released(noon + timedelta(hours=1))
    again = await reports.settle_released(noon + timedelta(hours=2))

    assert (settled, again) == (1, 0)
    found = await reports.find()
    assert [one.state for one in reversed(found)] == [
        ReportState.SENT,
        ReportState.RELEASED,
        *[ReportState.PENDING] * 3,
    ]
    assert await reports.count_by_state() == {
        ReportState.PENDING: 3,
        ReportState.SENT: 1,
        ReportState.RELEASED: 1,
    }
    assert not await reports.mark_sent(2, "公8", "lin", noon)


async def test_r72_a_settled_report_goes_as_one_that_was_sent(
    stores: Stores, report: NewAuthorityReport, held: Builder, noon: datetime
) -> None:
    reports, later = stores.authority_reports, noon + timedelta(hours=1)
    await reports.add_with([report], [held(message_id=MESSAGE)])
    await stores.quarantine.move(
        MESSAGE, allowed=frozenset({HoldState.HELD}), to=HoldState.RELEASED, at=noon
    )
    await reports.settle_released(later)

    early, due = await reports.sent_before(later), await reports.sent_before(later + DAY)
    purge = NewPurge("reports", noon, later, 1, later + DAY, "lin")

    assert (early, [one.number for one in due]) == ([], [1])
    assert await reports.forget([1], purge) == 1
    assert await reports.find() == []


async def test_of_many_reports_some_are_settled_at_once_and_the_others_next(
    stores: Stores, report: NewAuthorityReport, held: Builder, noon: datetime
) -> None:
    ids = [MESSAGE + nth for nth in range(5)]
    await stores.authority_reports.add_with(
        [replace(report, message_id=one) for one in ids], [held(message_id=one) for one in ids]
    )
    for one in ids:
        await stores.quarantine.move(
            one, allowed=frozenset({HoldState.HELD}), to=HoldState.RELEASED, at=noon
        )

    settled = [await stores.authority_reports.settle_released(noon, limit=2) for _ in range(4)]

    assert settled == [2, 2, 1, 0]


async def test_no_report_comes_with_a_message_that_cannot_be_held(
    stores: Stores, report: NewAuthorityReport, held: Builder
) -> None:
    await stores.quarantine.hold([held(message_id=MESSAGE)])

    with pytest.raises(ValueError, match="already held"):
        await stores.authority_reports.add_with([report], [held(message_id=MESSAGE)])

    assert await stores.authority_reports.find() == []


async def test_reports_are_found_by_state_and_sender_the_newest_first(
    stores: Stores, report: NewAuthorityReport, noon: datetime
) -> None:
    reports = stores.authority_reports
    await reports.add(
        [
            replace(report, message_id=MESSAGE + at, system_id=f"sp{1 + at % 2}", recipients=at)
            for at in range(6)
        ]
    )
    await reports.mark_sent(2, "a", "lin", noon)

    async def numbers(**asked: object) -> list[int]:
        return [one.number for one in await reports.find(**asked)]  # type: ignore[arg-type]

    assert await numbers() == [6, 5, 4, 3, 2, 1]
    assert await numbers(state=ReportState.SENT) == [2]
    assert await numbers(state=ReportState.PENDING, system_id="sp2") == [6, 4]
    assert await numbers(before=5, limit=2) == [4, 3]
    assert await numbers(system_id="sp9") == []
    assert await reports.count_by_state() == {
        ReportState.PENDING: 5,
        ReportState.SENT: 1,
        ReportState.RELEASED: 0,
    }


async def test_no_report_is_counted_where_there_is_none(stores: Stores) -> None:
    assert await stores.authority_reports.count_by_state() == dict.fromkeys(ReportState, 0)
    assert await stores.authority_reports.get(1) is None


async def test_a_closed_store_keeps_no_report(sqlite_url: str, report: NewAuthorityReport) -> None:
    stores = await open_store(sqlite_url)
    await stores.close()

    with pytest.raises(StoreUnavailable):
        await stores.authority_reports.add([report])


async def test_a_report_outlives_the_process(sqlite_url: str, report: NewAuthorityReport) -> None:
    stores = await open_store(sqlite_url)
    await stores.authority_reports.add([report])
    await stores.close()

    stores = await open_store(sqlite_url)
    assert [one.message_id for one in await stores.authority_reports.find()] == [MESSAGE]
    await stores.close()


def test_a_report_prints_neither_text_nor_number(report: NewAuthorityReport) -> None:
    assert "13800138000" not in repr(report)
    assert "联系我" not in repr(report)


async def test_r60_only_what_was_sent_goes_and_stands_in_the_journal(
    stores: Stores, report: NewAuthorityReport, noon: datetime
) -> None:
    reports = stores.authority_reports
    await reports.add([replace(report, message_id=MESSAGE + at) for at in range(4)])
    for number, sent_at in ((1, noon), (2, noon + timedelta(days=1)), (3, noon)):
        await reports.mark_sent(number, "公网安77", "lin", sent_at)
    purge = NewPurge("reports", noon, noon, 0, noon, "lin")

    found = await reports.sent_before(noon + timedelta(hours=1))
    assert [one.number for one in found] == [1, 3]
    assert await reports.sent_before(noon) == []
    later = await reports.sent_before(noon + timedelta(days=9), after=1, limit=1)
    assert [one.number for one in later] == [2]

    assert await reports.forget([1, 3, 4, 9], purge) == 2
    assert await reports.forget([4, 9], purge) == 0
    assert [one.number for one in await reports.find()] == [4, 2]
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.count) == ("reports", 2)

    assert await reports.add([replace(report, message_id=MESSAGE + 9)]) == 1
    assert [one.number for one in await reports.find(limit=1)] == [5]
