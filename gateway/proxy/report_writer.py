"""Keeping what is to be reported to the authority, however long the store is away (R60)."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from operator import attrgetter
from typing import NoReturn

import structlog

from gateway.dataplane.attention import ProhibitedMessage
from gateway.dataplane.carriers import read_carrier
from gateway.domain.authority_report import NewAuthorityReport
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage
from gateway.domain.verdict import Finding, Verdict
from gateway.runtime.snapshot import ReportsHealth
from gateway.storage.errors import StoreUnavailable
from gateway.systems.authority_reports.sql import AuthorityReports

log = structlog.get_logger()


# Memory of one report without its text; a character of the text takes up to four octets.
_REPORT_OCTETS = 1_000
_OCTETS_PER_CHAR = 4


@dataclass(slots=True)
class _SenderQueue:
    """Waiting reports of one SP, in order."""

    reports: deque[NewAuthorityReport] = field(default_factory=deque)
    octets: int = 0


class WaitingReports:
    """Keeps at most `max_reports` reports with at most `max_octets` in all, by SP.

    When it is full, the SP with the most octets loses its newest report, so that a flood of one
    SP costs no other SP a report. A taken report keeps its place until it is settled.
    """

    def __init__(self, max_reports: int, max_octets: int) -> None:
        self._max_reports = max_reports
        self._max_octets = max_octets
        self._shares: dict[str, _SenderQueue] = {}
        self._taken: list[NewAuthorityReport] = []
        self._count = 0
        self._octets = 0

    def __len__(self) -> int:
        """Return how many reports wait, including those being written."""
        return self._count

    def add(self, report: NewAuthorityReport) -> int:
        """Queue a report; return how many reports were lost because it was full."""
        octets, lost = _cost_of(report), 0
        share = self._shares.get(report.system_id) or _SenderQueue()
        while not self._has_room(octets):
            largest = max(self._shares.values(), key=attrgetter("octets"), default=share)
            if largest.octets <= share.octets + octets:
                return lost + 1
            self._drop_newest(largest)
            lost += 1
        self._shares[report.system_id] = share
        share.reports.append(report)
        share.octets += octets
        self._count += 1
        self._octets += octets
        return lost

    def take(self, limit: int) -> list[NewAuthorityReport]:
        """Take up to `limit` reports, from every SP in turn; call `settle` or `put_back` next."""
        taken = self._taken
        while len(taken) < limit and self._shares:
            each = max(1, (limit - len(taken)) // len(self._shares))
            for system_id, share in list(islice(self._shares.items(), limit - len(taken))):
                some = [share.reports.popleft() for _ in range(min(each, len(share.reports)))]
                share.octets -= sum(map(_cost_of, some))
                taken += some
                del self._shares[system_id]
                if share.reports:
                    self._shares[system_id] = share  # moved to the end: other SPs are next
        return list(taken)

    def settle(self) -> None:
        """Forget the taken reports: the store has them."""
        self._count -= len(self._taken)
        self._octets -= sum(map(_cost_of, self._taken))
        self._taken.clear()

    def put_back(self) -> None:
        """Put the taken reports back at the front of their SPs' queues."""
        for report in reversed(self._taken):
            share = self._shares.setdefault(report.system_id, _SenderQueue())
            share.reports.appendleft(report)
            share.octets += _cost_of(report)
        self._taken.clear()

    def clear(self) -> int:
        """Forget all waiting reports; return how many."""
        count, self._count, self._octets = self._count, 0, 0
        self._shares.clear()
        self._taken.clear()
        return count

    def _has_room(self, octets: int) -> bool:
        return self._count < self._max_reports and self._octets + octets <= self._max_octets

    def _drop_newest(self, share: _SenderQueue) -> None:
        dropped = share.reports.pop()
        octets = _cost_of(dropped)
        share.octets -= octets
        self._count -= 1
        self._octets -= octets
        if not share.reports:
            del self._shares[dropped.system_id]


def _cost_of(report: NewAuthorityReport) -> int:
    return _REPORT_OCTETS + _OCTETS_PER_CHAR * len(report.text)


# What may wait for the store: past either, only the records of the decisions tell of a message.
_MAX_WAITING = 20_000
_MAX_OCTETS = 64 << 20
_AT_ONCE = 100
_RETRY_S = 1.0
_SHORT_TEXT = 200


class ReportWriter:
    """Writes reports behind the traffic, which waits for none of them.

    What is held is reported in the commit that holds it. What is refused was answered by then:
    it waits here, that of each SP in order, and is tried until the store has it. A report is
    known by its message, so trying twice makes no second one.
    """

    def __init__(self, store: AuthorityReports, retry_s: float = _RETRY_S) -> None:
        self._store = store
        self._retry_s = retry_s
        self._waiting = WaitingReports(_MAX_WAITING, _MAX_OCTETS)
        self._wake = asyncio.Event()
        self._kept = 0
        self._lost = 0
        self._is_behind = False
        self._is_losing = False

    def health(self) -> ReportsHealth:
        """Return how many reports wait, were kept, and were lost."""
        return ReportsHealth(len(self._waiting), self._kept, self._lost)

    def stopped(self, item: ProhibitedMessage) -> None:
        """Take what was refused; it is kept soon after."""
        self.put_off((report_of(item),))

    async def keep_with(
        self, reports: Sequence[NewAuthorityReport], held: Sequence[HeldMessage]
    ) -> None:
        """Keep held messages with their reports. Raises StoreUnavailable: none is held then."""
        await self._store.add_with(reports, held)
        self._kept += len(reports)

    def put_off(self, reports: Iterable[NewAuthorityReport]) -> None:
        """Let reports wait for the store; what there is no room for is counted as lost."""
        for report in reports:
            self._lose(self._waiting.add(report))
        self._wake.set()

    async def keep(self) -> NoReturn:
        """Write what waits as soon as the store takes it, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._write()
            except StoreUnavailable as error:
                if not self._is_behind:
                    self._is_behind = True
                    log.error("reports.behind", said=str(error), waiting=len(self._waiting))
                await asyncio.sleep(self._retry_s)
                self._wake.set()

    async def finish(self) -> None:
        """Write what still waits, once; what the store does not take is counted as lost.

        Call it when `keep` has ended, before the store is closed.
        """
        try:
            await self._write()
        except StoreUnavailable:
            self._lose(self._waiting.clear())

    async def _write(self) -> None:
        while some := self._waiting.take(_AT_ONCE):
            try:
                await self._store.add(some)
            except BaseException:  # cancelled in the middle as well: they are written at the end
                self._waiting.put_back()
                raise
            self._waiting.settle()
            self._kept += len(some)
            self._is_losing = False
        if self._is_behind:
            self._is_behind = False
            log.info("reports.caught_up", kept=self._kept)

    def _lose(self, count: int) -> None:
        self._lost += count
        if count and not self._is_losing:
            self._is_losing = True
            log.error("reports.lost", lost=self._lost)


def told_of_held(
    held: HeldMessage, verdict: Verdict, finding: Finding, text: str, at: float
) -> ProhibitedMessage:
    """Return what the authority is told of a held message that may not leave for `finding`."""
    return ProhibitedMessage(
        message_id=held.message_id,
        system_id=held.system_id,
        source=held.source.encode("latin-1"),
        destination=held.destination.encode("latin-1"),
        recipients=max(1, len(read_carrier(held.pdu).destinations)),
        finding=finding,
        action=verdict.action,
        digest=verdict.digest,
        text=text,
        at=at,
    )


def report_of(item: ProhibitedMessage) -> NewAuthorityReport:
    """Return the report of a message that was stopped.

    Half a character, as a cut text may hold, is written as a question mark: the digest is that
    of the text as it is kept.
    """
    octets = item.text.encode("utf-8", "replace")
    return NewAuthorityReport(
        message_id=item.message_id,
        system_id=item.system_id,
        source=item.source.decode("latin-1"),
        msisdn=msisdn_of(item.destination),
        recipients=item.recipients,
        action=item.action.value,
        rule=item.finding.rule,
        category=item.finding.category,
        keyword=item.finding.evidence[:_SHORT_TEXT],
        digest=item.digest,
        text=octets.decode(),
        text_sha256=sha256(octets).hexdigest(),
        stopped_at=datetime.fromtimestamp(item.at, UTC),
    )
