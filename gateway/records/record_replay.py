"""A directory of records replayed: which verdicts would change, counted, hour after hour."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import repeat
from math import inf
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from gateway.domain.msisdn import masked
from gateway.records.archive import RecordArchive, size_of
from gateway.records.replay_judge import OF_THE_MOMENT, Judge
from gateway.records.replay_reader import (
    Block,
    Decision,
    DecisionHead,
    Read,
    ReplayOutcome,
    UnchangedReason,
)
from gateway.smpp.commands import CommandId

_SUBMIT_MULTI = int(CommandId.SUBMIT_MULTI)


class VerdictChange(NamedTuple):
    """A verdict that would be another."""

    old: ReplayOutcome
    new: ReplayOutcome


# What came of decisions, which are in their order.
Found: TypeAlias = tuple[VerdictChange | UnchangedReason | None, list[Decision]]


class Replayer:
    """Compares what `new` makes of recorded messages with their records, or with `old`.

    Give it every record in the order of time: some rules count, and go on counting a message
    for `memory_s` at most.
    """

    def __init__(self, new: Judge, old: Judge | None = None) -> None:
        self._new = new
        self._old = old
        self.memory_s = max(judge.memory_s for judge in (new, old) if judge is not None)

    def replay(self, decisions: Sequence[Decision]) -> list[Found]:
        """Return how verdicts would change, why it cannot be told, or None where they stay.

        Under the policy that made the record no other verdict comes of the policy: it comes of
        answers since, or of what the record does not hold.
        """
        asked = [one for one in decisions if one.head.reason not in OF_THE_MOMENT]
        before = repeat(None) if self._old is None else self._old.judge(asked)
        # Told apart by their ids: they are few, and to compare them takes a microsecond each.
        alike: dict[tuple[int, int, int], Found] = {}
        for decision, old, new in zip(asked, before, self._new.judge(asked), strict=False):
            key = id(decision.head), id(old), id(new)
            found = alike.get(key)
            if found is None:
                found = alike[key] = self._compared(decision.head, old, new), []
            found[1].append(decision)
        of_the_moment = [one for one in decisions if one.head.reason in OF_THE_MOMENT]
        return [
            *alike.values(),
            *([(UnchangedReason.OF_THE_MOMENT, of_the_moment)] if of_the_moment else []),
        ]

    def _compared(
        self,
        head: DecisionHead,
        before: ReplayOutcome | UnchangedReason | None,
        after: ReplayOutcome | UnchangedReason,
    ) -> VerdictChange | UnchangedReason | None:
        if isinstance(after, UnchangedReason):
            return after
        if not isinstance(before, ReplayOutcome):
            before = head.recorded
        if before == after or _is_of_others(head, before, after):
            return None
        if self._old is None and head.digest == self._new.digest:
            return UnchangedReason.SAME_POLICY
        return VerdictChange(before, after)


def _is_of_others(head: DecisionHead, before: ReplayOutcome, after: ReplayOutcome) -> bool:
    """Tell whether the difference may lie in the other destinations of a submit_multi.

    The record of each destination that it reached bears what is noted of any of them.
    """
    return head.command_id == _SUBMIT_MULTI and before.passes and after.passes


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


_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """Which decisions to tell of: those of ``since <= at < until``, of one SP or of all.

    With `rule` only changes are told that this rule decided, or would decide.
    """

    since: float = -inf
    until: float = inf
    system_id: str | None = None
    rule: str | None = None

    def tells(self, what: VerdictChange | UnchangedReason | None) -> bool:
        """Tell whether what came of decisions is of the rule."""
        if self.rule is None or not isinstance(what, VerdictChange):
            return True
        return self.rule in (what.old.rule, what.new.rule)


EVERYTHING = DecisionQuery()


class RecordReplay:
    """Replays what is wanted of one directory.

    What rules count is counted from before `since` on, as far back as any rule looks, and for
    all SPs: limits may be shared.
    """

    def __init__(self, archive: RecordArchive, wanted: DecisionQuery) -> None:
        self.tally = ReplayTally()
        self._archive = archive
        self._wanted = wanted

    def size_octets(self, replayer: Replayer) -> int:
        """Return how many octets on the disk `run` will read, about."""
        hours = self._hours(replayer)
        return size_of(self._archive, hours[0], hours[-1]) if hours else 0

    def run(self, replayer: Replayer, read: Read, told: Callable[[int], object]) -> ReplayTally:
        """Replay what is `read`; `told` hears how many more octets are. Raises what `read` does."""
        for block in read(self._hours(replayer)):
            told(block.octets)
            self._replay(replayer, block)
        return self.tally

    def _hours(self, replayer: Replayer) -> list[int]:
        first = self._wanted.since - replayer.memory_s
        return [
            hour
            for hour in self._archive.hours()
            if (hour + 1) * _HOUR_S > first and hour * _HOUR_S < self._wanted.until
        ]

    def _replay(self, replayer: Replayer, block: Block) -> None:
        tally, wanted = self.tally, self._wanted
        tally.lines += block.lines
        if (block.hour + 1) * _HOUR_S > wanted.since:
            tally.add_unread(block.kept)
        if wanted == EVERYTHING:
            tally.add(block.file, replayer.replay(block.decisions))
            return
        asked = [
            one
            for one in block.decisions
            if one.at < wanted.until and (replayer.memory_s or self._is_wanted(one))
        ]
        found = replayer.replay(asked)
        told = (
            (what if wanted.tells(what) else None, list(filter(self._is_wanted, of)))
            for what, of in found
        )
        # A change that only others' messages would see has no row, not one that says 0 either.
        tally.add(block.file, ((what, of) for what, of in told if of))

    def _is_wanted(self, decision: Decision) -> bool:
        wanted = self._wanted
        return wanted.since <= decision.at < wanted.until and (
            wanted.system_id in (None, decision.head.system_id)
        )
