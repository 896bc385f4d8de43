"""The in-memory twin of reports to the authority (contract: gateway.ports.authority_reports).

One event loop uses it, and no call awaits anything else: each is atomic as it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import islice

from gateway.domain.authority_report import AuthorityReport, NewAuthorityReport, ReportState
from gateway.domain.privacy import NewPurge
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores.memory_privacy import MemoryJournals
from gateway.stores.memory_quarantine import MemoryQuarantine


class MemoryAuthorityReports:
    """Twin of the store of reports, beside the twin that holds the messages."""

    def __init__(self, quarantine: MemoryQuarantine, journals: MemoryJournals) -> None:
        self._quarantine = quarantine
        self._journals = journals
        self._last = 0
        self._reports: dict[int, AuthorityReport] = {}
        self._reported: set[int] = set()

    async def add(self, reports: Sequence[NewAuthorityReport]) -> int:
        return sum(map(self._add, reports))

    async def add_with(
        self, reports: Sequence[NewAuthorityReport], held: Sequence[HeldMessage]
    ) -> None:
        await self._quarantine.hold(held)
        await self.add(reports)

    async def get(self, number: int) -> AuthorityReport | None:
        return self._reports.get(number)

    async def find(
        self,
        *,
        state: ReportState | None = None,
        system_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[AuthorityReport]:
        found = (
            report
            for number, report in reversed(self._reports.items())
            if state in (None, report.state)
            and system_id in (None, report.system_id)
            and (before is None or number < before)
        )
        return list(islice(found, limit))

    async def count_by_state(self) -> dict[ReportState, int]:
        counts = Counter(report.state for report in self._reports.values())
        return {state: counts[state] for state in ReportState}

    async def mark_sent(self, number: int, reference: str, by: str, at: datetime) -> bool:
        report = self._reports.get(number)
        if report is None or report.state is not ReportState.PENDING:
            return False
        self._reports[number] = replace(
            report, state=ReportState.SENT, sent_at=at, sent_by=by, reference=reference
        )
        return True

    async def settle_released(self, at: datetime, limit: int = 500) -> int:
        pending = {
            report.message_id: number
            for number, report in self._reports.items()
            if report.state is ReportState.PENDING
        }
        held = await self._quarantine.get_many(pending)
        released = [one.message_id for one in held if one.state is HoldState.RELEASED][:limit]
        for message_id in released:
            number = pending[message_id]
            self._reports[number] = replace(
                self._reports[number], state=ReportState.RELEASED, sent_at=at
            )
        return len(released)

    async def sent_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[AuthorityReport]:
        found = (
            report
            for number, report in self._reports.items()
            if number > after and report.sent_at is not None and report.sent_at < before
        )
        return list(islice(found, limit))

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        gone = [number for number in set(numbers) if self._is_settled(number)]
        for number in gone:
            self._reported.discard(self._reports.pop(number).message_id)
        if gone:
            await self._journals.note_purge(replace(purge, count=len(gone)))
        return len(gone)

    def _is_settled(self, number: int) -> bool:
        report = self._reports.get(number)
        return report is not None and report.state is not ReportState.PENDING

    def _add(self, report: NewAuthorityReport) -> bool:
        if report.message_id in self._reported:
            return False
        self._reported.add(report.message_id)
        number = self._last = self._last + 1
        given = {field.name: getattr(report, field.name) for field in fields(report)}
        self._reports[number] = AuthorityReport(number=number, **given)
        return True
