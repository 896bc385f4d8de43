"""The data that rules look up; code outside the policy keeps it current."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.filter.classifier.score import Scorer
from gateway.policy.filings import Filings
from gateway.policy.hours.places import ProvinceTable
from gateway.policy.preferences import Preferences
from gateway.policy.sets.subscriber_sets import ConsentSets, SuspendedSources

MAX_WITHIN = timedelta(hours=1)
_STEP_S = 30
_KEPT_STEPS = int(MAX_WITHIN.total_seconds()) // _STEP_S


class _HalfMinute:
    """What half a minute added."""

    __slots__ = ("number", "passed", "unknown")

    def __init__(self, number: int) -> None:
        self.number = number
        self.passed = 0
        self.unknown = 0


class AnswerCounts:
    """Sums of the last hour; the reader of the data plane's counters keeps them current.

    `version` increases with each `feed`. A sender takes 15 KB at most.
    """

    __slots__ = ("_before", "_now", "_steps", "version")

    def __init__(self) -> None:
        self.version = 0
        self._now = 0
        self._before: dict[str, tuple[int, int]] = {}
        self._steps: dict[str, deque[_HalfMinute]] = {}

    def feed(self, totals: Mapping[str, tuple[int, int]], at: float) -> None:
        """Take the totals of each sender: messages passed on, and those of them to unknown numbers.

        Call it about once a second with an epoch time. If the clock is set back, time stands still.
        """
        self.version += 1
        self._now = max(self._now, int(at // _STEP_S))
        for system_id, total in totals.items():
            before = self._before.get(system_id, (0, 0))
            if total != before:
                step = self._step_of(system_id)
                step.passed += total[0] - before[0]
                step.unknown += total[1] - before[1]
        self._before.update(totals)  # a sender may be taken out and come back
        self._forget()

    def within(self, system_id: str, seconds: float) -> tuple[int, int]:
        """Return how many messages were passed on in so many seconds, and to unknown numbers."""
        passed = unknown = 0
        first = self._now - int(seconds // _STEP_S)
        for step in self._steps.get(system_id, ()):
            if step.number > first:
                passed += step.passed
                unknown += step.unknown
        return passed, unknown

    def _step_of(self, system_id: str) -> _HalfMinute:
        steps = self._steps.get(system_id)
        if steps is None:
            steps = self._steps[system_id] = deque(maxlen=_KEPT_STEPS)
        if not steps or steps[-1].number != self._now:
            steps.append(_HalfMinute(self._now))
        return steps[-1]

    def _forget(self) -> None:
        past = self._now - _KEPT_STEPS
        gone = [who for who, steps in self._steps.items() if steps[-1].number <= past]
        for system_id in gone:
            del self._steps[system_id]


@dataclass(slots=True)
class Knowledge:
    """What is known of subscribers and senders; shared by one version of the rules and the next.

    `scorer` is the classifier in force, None if no model is installed; `RuleSet.ask_scorer`
    replaces it. `unscored` counts the texts of personal numbers that it failed on. `veil` is a
    secret of this process: without it, a sender that knows how people are counted could choose
    recipients so that many count as few.
    """

    consent: ConsentSets = field(default_factory=ConsentSets)
    filings: Filings = field(default_factory=Filings)
    preferences: Preferences = field(default_factory=Preferences)
    provinces: ProvinceTable = field(default_factory=ProvinceTable)
    suspended: SuspendedSources = field(default_factory=SuspendedSources)
    answers: AnswerCounts = field(default_factory=AnswerCounts)
    scorer: Scorer | None = None
    unscored: int = 0
    veil: int = field(default=0, repr=False)
