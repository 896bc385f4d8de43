"""Recorded decisions compared with what other rules make of them: which verdicts would change."""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple, TypeAlias

from gateway.app.replay.block_judge import Judge
from gateway.app.replay.decisions import Decision, DecisionHead, ReplayOutcome, UnchangedReason
from gateway.app.replay.grounds import OF_THE_MOMENT
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
