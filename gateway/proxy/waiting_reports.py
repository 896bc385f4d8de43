"""Queue of reports to the authority: bounded, with room for every SP (R60)."""

from collections import deque
from itertools import islice

from gateway.domain.authority_report import NewAuthorityReport

# Memory of one report without its text; a character of the text takes up to four octets.
_REPORT_OCTETS = 1_000
_OCTETS_PER_CHAR = 4


class _SenderQueue:
    """Waiting reports of one SP, in order."""

    __slots__ = ("octets", "reports")

    def __init__(self) -> None:
        self.reports: deque[NewAuthorityReport] = deque()
        self.octets = 0


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
            largest = max(self._shares.values(), key=_octets_of, default=share)
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


def _octets_of(share: _SenderQueue) -> int:
    return share.octets


def _cost_of(report: NewAuthorityReport) -> int:
    return _REPORT_OCTETS + _OCTETS_PER_CHAR * len(report.text)
