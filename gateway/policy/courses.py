"""The course of messages through the rules: the same for many texts and sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.domain.verdict import Finding
from gateway.policy.endings import Ending
from gateway.policy.evidence import Ask, Sieve, everyone
from gateway.policy.ready_rule import StagedCounter
from gateway.policy.rule_findings import RuleFindings

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
