"""The course that messages take through the rules: what is the same for many texts and sources."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.domain.verdict import Finding
from gateway.policy.evidence import Ask, Sieve, everyone
from gateway.policy.rule_findings import Findings
from gateway.policy.staged import StagedCounter

# Findings against texts are few, for their evidence is constant; a bundle has as many courses
# as classes and kinds of sources differ in what is asked of them.
_MAX_COURSES = 4096


class Asked(NamedTuple):
    """Asks, and makes a finding of what was found; `sieve` tells whom to ask about."""

    ask: Ask
    findings: Findings
    sieve: Sieve = everyone


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What is asked of messages, in order. Known by identity, so that a tick can be sorted by it.

    `asking` is to be asked about each recipient. `until` is what was found against the text, up
    to the first that is not on trial, which is `deciding`: there a message stops. `counting`
    counts each message that passes: one tuple for all courses that count alike.
    """

    asking: tuple[Asked, ...]
    until: tuple[Finding, ...]
    counting: tuple[StagedCounter, ...]
    asks_consent: bool = False
    deciding: Finding | None = field(init=False)

    def __post_init__(self) -> None:
        last = self.until[-1:]
        deciding = last[0] if last and not last[0].shadow else None
        object.__setattr__(self, "deciding", deciding)


class Courses:
    """Makes each course once."""

    __slots__ = ("_countings", "_made")

    def __init__(self) -> None:
        self._countings: dict[tuple[StagedCounter, ...], tuple[StagedCounter, ...]] = {}
        self._made: dict[tuple[object, ...], Course] = {}

    def of(
        self,
        asking: Sequence[Asked],
        found: Sequence[Finding],
        counting: Sequence[StagedCounter],
        *,
        asks_consent: bool,
    ) -> Course:
        """Return the course of messages that these are asked of, and whose text shows `found`."""
        last = next((place for place, one in enumerate(found) if not one.shadow), len(found))
        alike = self._countings.setdefault(tuple(counting), tuple(counting))
        key = (tuple(asking), tuple(found[: last + 1]), alike, asks_consent)
        course = self._made.get(key)
        if course is None:
            if len(self._made) >= _MAX_COURSES:
                self._made.clear()
            course = self._made[key] = Course(*key)
        return course
