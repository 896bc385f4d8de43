"""What came of replaying: counts by rule, sender and action, with a few places to look at."""

from collections import Counter
from dataclasses import dataclass, field

from gateway.app.replay.decisions import Decision, Kept
from gateway.app.replay.replaying import Change
from gateway.domain.msisdn import masked

SAMPLES = 3
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

    `stopped` are messages that passed and would not, `passed` those that would and did not;
    the other changes are of the rule alone, or between two ways to be stopped. `unseen` were
    judged without their text. The place of None in `by_rule` is for kinds beyond the bound.
    """

    def __init__(self) -> None:
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

    def add(self, found: Change | Kept | None, decision: Decision, place: tuple[str, int]) -> None:
        """Count what came of one decision; `place` is its file and line."""
        self.decisions += 1
        if isinstance(found, Kept):
            self.kept[found] += 1
            return
        if decision.text is None:
            self.unseen += 1
        if found is not None:
            self._add_change(found, decision, place)

    def add_unread(self, kept: Kept) -> None:
        """Count a line that may have been a decision."""
        self.decisions += 1
        self.kept[kept] += 1

    def _add_change(self, change: Change, decision: Decision, place: tuple[str, int]) -> None:
        self.changed += 1
        self.by_action[change.old.action, change.new.action] += 1
        sender = self.by_sender.get(decision.system_id)
        if sender is None:
            sender = self.by_sender[decision.system_id] = SenderChanges()
        sender.changed += 1
        if change.old.passes and not change.new.passes:
            self.stopped += 1
            sender.stopped += 1
        elif change.new.passes and not change.old.passes:
            self.passed += 1
            sender.passed += 1
        kind = self._kind(change)
        kind.count += 1
        if len(kind.samples) < SAMPLES:
            kind.samples.append(_sample(decision, place))

    def _kind(self, change: Change) -> Changed:
        found = self.by_rule.get(change)
        if found is None:
            known = change if len(self.by_rule) < _MAX_KINDS else None
            found = self.by_rule.setdefault(known, Changed())
        return found


def _sample(decision: Decision, place: tuple[str, int]) -> Sample:
    number = masked(decision.destination.decode("latin-1"))
    return Sample(*place, decision.stamp, decision.system_id, number)
