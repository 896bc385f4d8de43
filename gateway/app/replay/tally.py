"""Result of a replay: counts by rule, sender and action, with a few sample records."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from operator import attrgetter

from gateway.app.replay.decisions import Decision, UnchangedReason
from gateway.app.replay.verdict_changes import Found, VerdictChange
from gateway.domain.msisdn import masked

SAMPLES = 3
_NUMBER = attrgetter("number")
_MAX_KINDS = 1000  # records may name rules that never existed


@dataclass(frozen=True, slots=True)
class ChangedRecord:
    """The place of one changed record; its number is masked."""

    file: str
    line: int
    at: str
    system_id: str
    destination: str


@dataclass(slots=True)
class VerdictChangeKind:
    """One kind of change: its count and its first records."""

    count: int = 0
    samples: list[ChangedRecord] = field(default_factory=list)


@dataclass(slots=True)
class SenderChanges:
    """Changes for one SP: all, messages that would no longer pass, messages that would now."""

    changed: int = 0
    stopped: int = 0
    passed: int = 0


class ReplayTally:
    """Counts of a replay, with bounded memory for any content of the records.

    `lines` are of any kind. `stopped` are messages that passed and would not now, `passed` those
    that did not and would now; other changes are of the rule only, or between two actions that
    stop. `unseen` were judged without their text. `by_rule[None]` counts kinds over the limit.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.decisions = 0
        self.changed = 0
        self.stopped = 0
        self.passed = 0
        self.unseen = 0
        self.kept: Counter[UnchangedReason] = Counter()
        self.by_action: Counter[tuple[str, str]] = Counter()
        self.by_rule: dict[VerdictChange | None, VerdictChangeKind] = {}
        self.by_sender: dict[str, SenderChanges] = {}

    @property
    def judged(self) -> int:
        """Return the number of decisions that could be judged again."""
        return self.decisions - self.kept.total()

    def add(self, file: str, found: Iterable[Found]) -> None:
        """Count the results for decisions of one file."""
        changes: defaultdict[VerdictChange, list[Decision]] = defaultdict(list)
        for what, decisions in found:
            if isinstance(what, UnchangedReason):
                self.add_unread({what: len(decisions)})
                continue
            self.decisions += len(decisions)
            self.unseen += sum(one.text is None for one in decisions)
            if what is not None:
                changes[what] += decisions
        for change, decisions in changes.items():
            self._add_change(change, decisions, file)

    def add_unread(self, kept: Mapping[UnchangedReason, int]) -> None:
        """Count decisions that could not be judged again, and lines that may be decisions."""
        self.kept.update(kept)
        self.decisions += sum(kept.values())

    def _add_change(self, change: VerdictChange, decisions: Sequence[Decision], file: str) -> None:
        self.changed += len(decisions)
        self.by_action[change.old.action, change.new.action] += len(decisions)
        is_stopped = change.old.passes and not change.new.passes
        is_passed = change.new.passes and not change.old.passes
        for system_id, count in Counter(one.head.system_id for one in decisions).items():
            sender = self.by_sender.setdefault(system_id, SenderChanges())
            sender.changed += count
            sender.stopped += count * is_stopped
            sender.passed += count * is_passed
        self.stopped += len(decisions) * is_stopped
        self.passed += len(decisions) * is_passed
        kind = self._kind(change)
        kind.count += len(decisions)
        room = SAMPLES - len(kind.samples)
        kind.samples += (_sample(one, file) for one in nsmallest(room, decisions, _NUMBER))

    def _kind(self, change: VerdictChange) -> VerdictChangeKind:
        found = self.by_rule.get(change)
        if found is None:
            known = change if len(self.by_rule) < _MAX_KINDS else None
            found = self.by_rule.setdefault(known, VerdictChangeKind())
        return found


def _sample(decision: Decision, file: str) -> ChangedRecord:
    number = masked(decision.destination.decode("latin-1"))
    return ChangedRecord(file, decision.number, decision.stamp, decision.head.system_id, number)
