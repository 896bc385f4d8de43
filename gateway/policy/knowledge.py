"""The data that rules look up: answers to SPs, suspensions, filings, preferences and the like.

Code outside the policy keeps it current.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from gateway.domain.categories import CATEGORIES
from gateway.domain.consent import EVERY_SENDER, Answer, parts_of, scope_of
from gateway.domain.msisdn import misread_as
from gateway.domain.suspension import GRACE, NewSuspension
from gateway.filter.classifier.score import Scorer
from gateway.policy.filings import Filings
from gateway.policy.number_set import NumberSet
from gateway.policy.places import ProvinceTable
from gateway.policy.preferences import Preferences

_MAX_HEARD = 100_000


class ConsentSets:
    """Sets of numbers per scope: who refused, agreed, is asserted to have agreed, subscribed.

    Scopes without an answer have no set. A number is in at most one of the three answer sets of a
    scope: the last answer applied holds. `subscribed` are those with a running order of a service
    of the SP (R24), which is a proven consent while it runs. The follower of the store clears
    `is_current` while the store cannot be read: newer answers may be missing here. `read_by` is
    when the store must have been read again, in monotonic seconds. Older sets are not used to
    judge; if the process was too busy to read, messages wait (`is_behind`).

    `companions` are the other scopes of the same owner, one company, for each scope that has any. A
    refusal of one holds for all, even if the number agreed to another: the order of the two answers
    is not known here.

    `heard` are refusals that were taken over one by one, before the store has them, with when the
    follower of the store met them, infinity before that: no row that it reads meanwhile lifts one.

    A scope may be a port or a category of an SP (`scope_of`). `has_parts` says that somebody
    refused such a part. Who refused any category of an SP is also in the set of `categories_of` the
    SP, and stays there: it only tells about whom to ask.
    """

    def __init__(self) -> None:
        self.is_current = True
        self.has_parts = False
        self.heard: dict[tuple[str, int], float] = {}
        self.read_by = inf
        self.companions: Mapping[str, tuple[str, ...]] = {}
        self.refused: dict[str, NumberSet] = {}
        self.agreed: dict[str, NumberSet] = {}
        self.asserted: dict[str, NumberSet] = {}
        self.subscribed: dict[str, NumberSet] = {}

    def is_behind(self, now: float) -> bool:
        """Tell whether the store has not been read for too long, for any reason."""
        return now > self.read_by

    @contextmanager
    def judged_by(self, now: float) -> Iterator[None]:
        """Clear `is_current` within, if the store has not been read for too long at `now`."""
        is_current = self.is_current
        self.is_current = is_current and not self.is_behind(now)
        try:
            yield
        finally:
            self.is_current = is_current

    def apply(self, msisdn: int, scope: str, answer: Answer | None) -> None:
        """Take over one answer that was heard; safe to repeat."""
        self.load(scope, answer, (msisdn,))
        self.heard.pop((scope, msisdn), None)
        if answer is Answer.REFUSED and len(self.heard) < _MAX_HEARD:
            self.heard[scope, msisdn] = inf

    def load(self, scope: str, answer: Answer | None, msisdns: Iterable[int]) -> None:
        """Take over the same answer of many numbers at once, None to remove it; safe to repeat."""
        numbers = list(msisdns)
        for held, of_scope in (
            (Answer.REFUSED, self.refused),
            (Answer.AGREED, self.agreed),
            (Answer.ASSERTED, self.asserted),
        ):
            if held is answer:
                _add(of_scope, scope, numbers)
                if held is Answer.REFUSED and (parts := parts_of(scope)).is_part:
                    self.has_parts = True
                    if parts.category:
                        _add(of_scope, categories_of(parts.system_id), numbers)
            elif scope in of_scope:
                of_scope[scope].difference_update(numbers)

    def end(self, scope: str, msisdns: Iterable[int]) -> None:
        """Note that agreements have ended; a refusal received meanwhile stays."""
        numbers = list(msisdns)
        for of_scope in (self.agreed, self.asserted):
            if scope in of_scope:
                of_scope[scope].difference_update(numbers)

    def subscribe(self, scope: str, msisdns: Iterable[int]) -> None:
        """Note that numbers have a running order of the SP; safe to repeat."""
        _add(self.subscribed, scope, list(msisdns))

    def unsubscribe(self, scope: str, msisdns: Iterable[int]) -> None:
        """Note that numbers have no running order any more; safe to repeat."""
        if scope in self.subscribed:
            self.subscribed[scope].difference_update(msisdns)

    def replace(self, fresh: "ConsentSets") -> None:
        """Replace all content by that of `fresh`, which must not be used any more."""
        self.refused, self.agreed = fresh.refused, fresh.agreed
        self.asserted, self.subscribed = fresh.asserted, fresh.subscribed
        self.has_parts = fresh.has_parts

    def is_refused(self, scope: str, msisdn: int) -> bool:
        """Tell whether the number refused `scope`, another scope of its owner, or every sender.

        For a North American number, a refusal by the number that it is read as without its plus
        counts too, because the refusal may have been typed like that. An agreement of the number
        itself takes precedence over that.
        """
        own = self.refused.get(scope)
        if own is not None and own.has(msisdn):
            return True
        everyone = self.refused.get(EVERY_SENDER)
        if everyone is not None and everyone.has(msisdn):
            return True
        if self.refused_companion(scope, msisdn) is not None:
            return True
        return misread_as(msisdn) is not None and any(
            self._is_misread_refusal(one, msisdn)
            for one in (scope, *self.companions.get(scope, ()), EVERY_SENDER)
        )

    def is_refused_at(self, system_id: str, port: str, msisdn: int) -> bool:
        """Tell whether the number refused the SP as above, its `port`, or a category.

        What it refused of another account of the owner counts, too: that of the same port number.
        """
        return self.is_refused(system_id, msisdn) or any(
            self.refused_parts(one, port, msisdn)
            for one in (system_id, *self.companions.get(system_id, ()))
        )

    def is_refused_by_companion(self, system_id: str, port: str, msisdn: int) -> bool:
        """Tell whether the number may have refused another account of the owner, or its parts."""
        for one in self.companions.get(system_id, ()):
            asked = (one, scope_of(one, port), categories_of(one)) if self.has_parts else (one,)
            if any(_has(self.refused, scope, msisdn) for scope in asked):
                return True
        return False

    def refused_parts(self, system_id: str, port: str, msisdn: int) -> list[str]:
        """Return what it refused of this account: the scope of `port`, and those of categories."""
        if not self.has_parts:
            return []
        asked = [scope_of(system_id, port)] if port else []
        of_categories = categories_of(system_id)
        if _has(self.refused, of_categories, msisdn) or misread_as(msisdn) is not None:
            asked += [f"{of_categories}{one.id}" for one in CATEGORIES]
        return [
            one
            for one in asked
            if _has(self.refused, one, msisdn) or self._is_misread_refusal(one, msisdn)
        ]

    def _is_misread_refusal(self, scope: str, msisdn: int) -> bool:
        other = misread_as(msisdn)
        return (
            other is not None
            and _has(self.refused, scope, other)
            and not _has(self.agreed, scope, msisdn)
        )

    def refused_companion(self, scope: str, msisdn: int) -> str | None:
        """Return another scope of the same owner that the number refused; None without one."""
        for one in self.companions.get(scope, ()):
            if _has(self.refused, one, msisdn):
                return one
        return None

    def has_agreed(self, scope: str, msisdn: int, *, accept_asserted: bool = False) -> bool:
        """Tell whether the number agreed to `scope` itself, or has a running order there.

        An agreement to every sender lifts a refusal of every sender, but is no consent to any SP,
        because silence about an SP is not consent to it (DEC2012 art. 7). An agreement that only
        the SP asserts counts if the policy says so (R26).
        """
        own, orders = self.agreed.get(scope), self.subscribed.get(scope)
        if (own is not None and own.has(msisdn)) or (orders is not None and orders.has(msisdn)):
            return True
        said = self.asserted.get(scope) if accept_asserted else None
        return said is not None and said.has(msisdn)


def categories_of(system_id: str) -> str:
    """Return what all scopes of categories of an SP begin with."""
    return scope_of(system_id, "#")


def _has(of_scope: dict[str, NumberSet], scope: str, msisdn: int) -> bool:
    return scope in of_scope and of_scope[scope].has(msisdn)


def _add(of_scope: dict[str, NumberSet], scope: str, numbers: list[int]) -> None:
    if scope not in of_scope:
        of_scope[scope] = NumberSet()
    of_scope[scope].update(numbers)


_MAX_FOUND = 100_000
_GRACE_S = GRACE.total_seconds()


class SuspendedSources:
    """Until when numbers are suspended, and which suspensions found here are not stored yet.

    A suspension found here holds at once; `found` is for the code that stores it. After a
    suspension is lifted, its number is spared for a while: what it sent before stays counted, and
    would suspend it again with the next message. The follower of the store clears `is_current`
    while the store cannot be read: the last known state still holds.
    """

    __slots__ = ("found", "is_current", "spared", "until")

    def __init__(self) -> None:
        self.is_current = True
        self.until: dict[int, float] = {}  # in epoch seconds, as all here
        self.spared: dict[int, float] = {}
        self.found: dict[int, NewSuspension] = {}

    def is_suspended(self, msisdn: int, at: float) -> bool:
        """Tell whether the number may send nothing."""
        return self.until.get(msisdn, 0.0) > at

    def may_be_suspended(self, msisdn: int, at: float) -> bool:
        """Tell whether reaching a limit suspends the number: not if it is suspended or spared."""
        return not self.is_suspended(msisdn, at) and self.spared.get(msisdn, 0.0) <= at

    def suspend(self, new: NewSuspension) -> None:
        """Start a suspension now, and add it to `found`.

        Beyond 100 000 that are not stored yet, it holds in this process only.
        """
        self.until[new.msisdn] = new.until.timestamp()
        if len(self.found) < _MAX_FOUND:
            self.found[new.msisdn] = new

    def load(self, rows: Iterable[tuple[int, float, float]]) -> None:
        """Take over what the store says of numbers: until when, and when it was last lifted.

        0 means neither. Numbers in `found` are skipped: the store does not know them yet.
        """
        for msisdn, until, lifted_at in rows:
            if msisdn in self.found:
                continue
            _put(self.until, msisdn, until)
            _put(self.spared, msisdn, lifted_at and lifted_at + _GRACE_S)

    def replace(self, fresh: "SuspendedSources") -> None:
        """Replace all content by that of `fresh`, which must not be used any more; keep `found`."""
        self.until, self.spared = fresh.until, fresh.spared
        for new in self.found.values():
            self.until[new.msisdn] = new.until.timestamp()

    def forget(self, at: float) -> None:
        """Drop what is over."""
        self.until = {one: until for one, until in self.until.items() if until > at}
        self.spared = {one: until for one, until in self.spared.items() if until > at}


def _put(numbers: dict[int, float], msisdn: int, until: float) -> None:
    if until:
        numbers[msisdn] = until
    else:
        numbers.pop(msisdn, None)


MAX_WITHIN = timedelta(hours=1)
_STEP_S = 30
_KEPT_STEPS = int(MAX_WITHIN.total_seconds()) // _STEP_S


@dataclass(slots=True)
class _HalfMinute:
    """What half a minute added."""

    number: int
    passed: int = 0
    unknown: int = 0


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
