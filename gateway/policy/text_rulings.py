"""What is decided about texts: the rules ready to be asked, their findings, and the courses.

A course is what is asked about messages besides their text; many texts share it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product, starmap
from typing import NamedTuple, TypeAlias

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Finding, deciding_of
from gateway.filter.facts import TextFacts
from gateway.policy.bundle import Rule
from gateway.policy.check import Ask, Counter, Evidence, Sieve, TextCheck, everyone
from gateway.policy.filings import SenderFilings
from gateway.policy.findings import RuleFindings
from gateway.policy.message_class import ClassedBy, MessageClass
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
        if self.rule.event is not submission.account.event:
            return False
        if self.findings.modes.of(submission) is Enforcement.OFF:
            return False
        return self.rule.check.concerns(submission, filed)

    def must_see(self, signs: int) -> bool:
        """Tell whether a text with these signs must be asked about itself."""
        check = self.rule.check
        needed = check.needs_text() if isinstance(check, TextCheck) else None
        return needed is None or bool(needed & signs)

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


# There are as many courses as combinations of classes and kinds of sources with different rules.
# Findings against texts are few, because their evidence is constant.
MAX_KEPT = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What is asked about messages, in order. Compared by identity, so that a tick can be sorted.

    `asking` is asked about each recipient; then come the findings against the text, then
    `counting`. `counting` counts each message that passes: all courses that count alike share one
    tuple.
    """

    asking: tuple[ReadyRule, ...]
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
        asking: Sequence[ReadyRule],
        counting: Sequence[StagedCounter],
        *,
        asks_consent: bool,
    ) -> Course:
        """Return the course with these rules."""
        alike = self._countings.setdefault(tuple(counting), tuple(counting))
        key = (tuple(asking), alike, asks_consent)
        course = self._made.get(key)
        if course is None:
            if len(self._made) >= MAX_KEPT:
                self._made.clear()
            course = self._made[key] = Course(*key)
        return course

    def until(self, found: Sequence[Finding]) -> Ending | None:
        """Return the findings against a text, up to the one that decides."""
        if not found:
            return None
        deciding = deciding_of(found)
        kept = tuple(found) if deciding is None else tuple(found[: found.index(deciding) + 1])
        ending = self._found.get(kept)
        if ending is None:
            if len(self._found) >= MAX_KEPT:
                self._found.clear()
            ending = self._found[kept] = Ending(kept)
        return ending


# If more senders share a text, it is ruled anew. One more is kept for the last of them.
_MAX_RULINGS = 11
# One object for each class and what decides about it, so that messages of one are known by it.
CLASSED = {one: one for one in starmap(MessageClass, product(TrafficClass, ClassedBy))}


@dataclass(frozen=True, slots=True, eq=False)
class TextRuling:
    """What the rules decide about a text from one kind of sources; many texts share it.

    `found` holds all findings against the text itself, `until` those up to the one that decides:
    there a message stops. `course` is what is asked besides the text. `classed` is the class with
    what decided about it.
    """

    traffic: TrafficClass
    template: str
    asks_consent: bool
    found: tuple[Finding, ...]
    until: Ending | None
    course: Course
    classed: MessageClass


# The rules that must look at a text itself, and the others.
PartedRules: TypeAlias = tuple[tuple[ReadyRule, ...], tuple[ReadyRule, ...]]


class AlikeTexts(NamedTuple):
    """What is decided about texts of one kind of sources that show the same.

    They have their signs, signature, template and class in common, and whether they ask for
    consent. `ruling` is for those with nothing against them by the rules in `asked`, which need the
    text itself. `found` is what the other rules find, by rule.
    """

    ruling: TextRuling
    asked: tuple[ReadyRule, ...]
    found: dict[ReadyRule, Finding]


def further_ruling(facts: TextFacts, kind: object) -> object:
    """Return what was kept for a kind of sources that is not `facts.ruled_for`."""
    return None if facts.rulings is None else facts.rulings.get(kind)


def keep_ruling(facts: TextFacts, kind: object, ruling: TextRuling) -> None:
    """Keep a ruling with its text. Nearly all texts come from one kind of sources."""
    if facts.ruled_for is not None:  # perhaps of a kind that is no more
        keep_further(facts, facts.ruled_for, facts.ruling)
    facts.ruled_for, facts.ruling = kind, ruling


def keep_further(facts: TextFacts, kind: object, ruling: object) -> None:
    """Keep a ruling for sources that are not `facts.ruled_for`."""
    if facts.rulings is None:
        facts.rulings = {}
    if len(facts.rulings) >= _MAX_RULINGS:
        del facts.rulings[next(iter(facts.rulings))]  # the oldest
    facts.rulings[kind] = ruling


def findings_of(
    rules: Iterable[ReadyRule], submission: Submission, at: float
) -> dict[ReadyRule, Finding]:
    """Ask `rules` about a message; return what they find, by rule."""
    return {
        one: finding
        for one in rules
        if (evidence := one.ask(submission, at)) is not None
        and (finding := one.finding_of(submission, evidence)) is not None
    }
