"""Rules ready to be asked, and courses: what is asked about messages, shared by many texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Finding
from gateway.policy.bundle import Rule
from gateway.policy.check import (
    Ask,
    AskedCheck,
    Counter,
    CountingCheck,
    Evidence,
    Sieve,
    asked_alone,
    everyone,
)
from gateway.policy.filings import SenderFilings
from gateway.policy.findings import Modes, RuleFindings
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Ending, Submission


@dataclass(frozen=True, slots=True, eq=False)
class ReadyRule:
    """A rule, ready to be asked; `sieve` selects from many messages those to ask about."""

    rule: Rule
    findings: RuleFindings
    ask: Ask
    sieve: Sieve = everyone

    def concerns(self, submission: Submission, filed: SenderFilings) -> bool:
        """Tell whether the rule is on for the port of a message, and concerns its source."""
        if self.findings.modes.of(submission) is Enforcement.OFF:
            return False
        return self.rule.check.concerns(submission, filed)

    def finding_of(self, submission: Submission, evidence: Evidence) -> Finding | None:
        """Return the finding against a text for the evidence against it."""
        if evidence.is_unread and self.findings.modes.of(submission) is not Enforcement.ENFORCE:
            # Otherwise every message would bear the note that there is no classifier; `unscored`
            # reports it once.
            return None
        return self.findings.of(submission, evidence)


@dataclass(frozen=True, slots=True, eq=False)
class StagedCounter(ReadyRule):
    """A rule that counts, with its counter."""

    counter: Counter = field(kw_only=True)

    def forget(self, submission: Submission, at: float) -> None:
        """Take a message out of the counts, unless this rule has a finding against it."""
        if all(found.rule != self.rule.id for found in submission.findings):
            self.counter.forget(submission, at)


def staged(rule: Rule, knowledge: Knowledge, locale: RuleLocale) -> ReadyRule:
    """Make a rule ready; not for a rule that exempts messages from others, which asks nothing."""
    findings = RuleFindings(rule, Modes(rule))
    if isinstance(rule.check, CountingCheck):
        counter = rule.check.counter(knowledge, locale)
        return StagedCounter(rule, findings, asked_alone(counter), counter=counter)
    assert isinstance(rule.check, AskedCheck)  # noqa: S101 - as the docstring says
    return ReadyRule(rule, findings, *rule.check.question(knowledge, locale))


# There are as many courses as combinations of classes and kinds of sources with different rules.
# Findings against texts are few, because their evidence is constant.
_MAX_KEPT = 4096


class RuleQuestion(NamedTuple):
    """Asks, and makes a finding of the evidence; `sieve` selects the messages to ask about."""

    ask: Ask
    findings: RuleFindings
    sieve: Sieve = everyone


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What is asked about messages, in order. Compared by identity, so that a tick can be sorted.

    `asking` is asked about each recipient; then come the findings against the text, then
    `counting`. `counting` counts each message that passes: all courses that count alike share one
    tuple.
    """

    asking: tuple[RuleQuestion, ...]
    counting: tuple[StagedCounter, ...]
    asks_consent: bool = False


class Courses:
    """Makes each course once, and the same tuple for the same findings against a text."""

    __slots__ = ("_countings", "_found", "_made")

    def __init__(self) -> None:
        self._countings: dict[tuple[StagedCounter, ...], tuple[StagedCounter, ...]] = {}
        self._made: dict[tuple[object, ...], Course] = {}
        self._found: dict[tuple[Finding, ...], Ending] = {}

    def of(
        self,
        asking: Sequence[RuleQuestion],
        counting: Sequence[StagedCounter],
        *,
        asks_consent: bool,
    ) -> Course:
        """Return the course with these rules."""
        alike = self._countings.setdefault(tuple(counting), tuple(counting))
        key = (tuple(asking), alike, asks_consent)
        course = self._made.get(key)
        if course is None:
            if len(self._made) >= _MAX_KEPT:
                self._made.clear()
            course = self._made[key] = Course(*key)
        return course

    def until(self, found: Sequence[Finding]) -> Ending | None:
        """Return the findings against a text, up to the first that is not in shadow mode."""
        last = next((place for place, one in enumerate(found) if not one.shadow), len(found))
        kept = tuple(found[: last + 1])
        ending = self._found.get(kept)
        if ending is None and kept:
            if len(self._found) >= _MAX_KEPT:
                self._found.clear()
            ending = self._found[kept] = Ending(kept)
        return ending
