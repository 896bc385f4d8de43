"""The warnings that findings raise, counted in the tick until they are taken."""

from datetime import UTC, datetime
from typing import TypeAlias

from gateway.domain.verdict import Finding
from gateway.domain.warning import MAX_SAMPLES, Severity, WarningCount, WarningKind
from gateway.policy.submission import Home, Submission

# Kinds are rules times ports, both of the configuration: 600 octets each, 6 MB at most.
MAX_KINDS = 10_000

# Where a message stands in the records: its session's number, its sequence_number, and the
# gateway's message id if it has one.
Trace: TypeAlias = tuple[int, int, int]


class _Count:
    """What is known of one kind so far. A plain class: it is changed per message."""

    __slots__ = (
        "campaign",
        "category",
        "count",
        "first_at",
        "last_at",
        "on_trial",
        "severity",
        "traces",
    )

    def __init__(self, severity: Severity | None, at: float) -> None:
        self.severity = severity
        self.count = 0
        self.on_trial = 0
        self.first_at = self.last_at = at
        self.traces: list[Trace] = []
        self.category = self.campaign = ""


class WarningTally:
    """Counts by kind the messages that rules warn of; only those with findings cost anything.

    Between two calls of `take` at most `MAX_KINDS` are counted separately; messages of more kinds
    are counted in `others`, which only grows.
    """

    __slots__ = ("_at_hand", "_counts", "others")

    def __init__(self) -> None:
        self._counts: dict[WarningKind, _Count] = {}
        # A finding is kept with its count, so that its id is not reused meanwhile.
        self._at_hand: dict[tuple[int, Home], tuple[Finding, _Count]] = {}
        self.others = 0

    def note(self, submission: Submission, at: float, trace: Trace) -> None:
        """Count a judged message for each of its findings that warns, `at` in epoch seconds."""
        home = submission.origin.home
        for finding in submission.findings:
            if finding.warning is not None:
                known = self._at_hand.get((id(finding), home))
                count = known[1] if known is not None else self._count_of(submission, finding, at)
                if count is not None:
                    _add(count, finding, at, trace)

    def _count_of(self, submission: Submission, finding: Finding, at: float) -> _Count | None:
        """Return the count of a kind; None if there is no room for one more."""
        assert finding.warning is not None  # noqa: S101 - the caller has looked
        port = submission.port.number if submission.port is not None else ""
        kind = WarningKind(finding.warning, finding.rule, submission.account.system_id, port)
        count = self._counts.get(kind)
        if count is None:
            if len(self._counts) >= MAX_KINDS:
                self.others += 1
                return None
            count = self._counts[kind] = _Count(finding.severity, at)
        count.category = count.category or finding.category
        count.campaign = count.campaign or finding.campaign
        if len(self._at_hand) < MAX_KINDS:
            self._at_hand[id(finding), submission.origin.home] = finding, count
        return count

    def take(self) -> tuple[WarningCount, ...]:
        """Return what was counted since the last call, and begin anew."""
        counts, self._counts = self._counts, {}
        self._at_hand.clear()
        return tuple(_gathered(kind, count) for kind, count in counts.items())


def _add(count: _Count, finding: Finding, at: float, trace: Trace) -> None:
    count.count += 1
    count.on_trial += finding.shadow
    count.last_at = at
    if len(count.traces) < MAX_SAMPLES:
        count.traces.append(trace)


def _gathered(kind: WarningKind, count: _Count) -> WarningCount:
    first, last = sorted((count.first_at, count.last_at))  # clocks are set back
    return WarningCount(
        kind,
        count.severity,
        count.count,
        count.on_trial,
        datetime.fromtimestamp(first, UTC),
        datetime.fromtimestamp(last, UTC),
        tuple(map(_sample, count.traces)),
        count.category,
        count.campaign,
    )


def _sample(trace: Trace) -> str:
    session, sequence, message_id = trace
    return str(message_id) if message_id else f"{session}:{sequence}"
