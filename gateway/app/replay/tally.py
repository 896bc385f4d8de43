"""What came of replaying: counts by rule, sender and action, with a few places to look at."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from operator import attrgetter

from gateway.app.replay.decisions import Decision, Kept
from gateway.app.replay.replaying import Change, Found
from gateway.domain.msisdn import masked

SAMPLES = 3
_NUMBER = attrgetter("number")
_MAX_KINDS = 1000  # records may name rules that never were


@dataclass(frozen=True, slots=True)
class Sample:
    """Where one changed record stands. It names nobody: the number is masked."""

    file: str
    line: int
    at: str
    system_id: str
    destination: str


@dataclass(slots=True)
class Changed:
    """One kind of change: how often, and the first records of it."""

    count: int = 0
    samples: list[Sample] = field(default_factory=list)


@dataclass(slots=True)
class SenderChanges:
    """What would change for one SP: in all, what would no longer pass, and what would."""

    changed: int = 0
    stopped: int = 0
    passed: int = 0


class ReplayTally:
    """Counts; bounded, whatever stands in the records.

    `lines` are of any kind. `stopped` are messages that passed and would not, `passed` those
    that would and did not; the other changes are of the rule alone, or between two ways to be
    stopped. `unseen` were judged without their text. The place of None in `by_rule` is for
    kinds beyond the bound.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.decisions = 0
        self.changed = 0
        self.stopped = 0
        self.passed = 0
        self.unseen = 0
        self.kept: Counter[Kept] = Counter()
        self.by_action: Counter[tuple[str, str]] = Counter()
        self.by_rule: dict[Change | None, Changed] = {}
        self.by_sender: dict[str, SenderChanges] = {}

    @property
    def judged(self) -> int:
        """Return of how many decisions it could be told whether they would change."""
        return self.decisions - self.kept.total()

    def add(self, file: str, found: Iterable[Found]) -> None:
        """Count what came of decisions that stand in a file."""
        changes: defaultdict[Change, list[Decision]] = defaultdict(list)
        for what, decisions in found:
            if isinstance(what, Kept):
                self.add_unread({what: len(decisions)})
                continue
            self.decisions += len(decisions)
            self.unseen += sum(one.text is None for one in decisions)
            if what is not None:
                changes[what] += decisions
        for change, decisions in changes.items():
            self._add_change(change, decisions, file)

    def add_unread(self, kept: Mapping[Kept, int]) -> None:
        """Count lines that may have been decisions."""
        self.kept.update(kept)
        self.decisions += sum(kept.values())

    def _add_change(self, change: Change, decisions: Sequence[Decision], file: str) -> None:
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

    def _kind(self, change: Change) -> Changed:
        found = self.by_rule.get(change)
        if found is None:
            known = change if len(self.by_rule) < _MAX_KINDS else None
            found = self.by_rule.setdefault(known, Changed())
        return found


def _sample(decision: Decision, file: str) -> Sample:
    number = masked(decision.destination.decode("latin-1"))
    return Sample(file, decision.number, decision.stamp, decision.head.system_id, number)
