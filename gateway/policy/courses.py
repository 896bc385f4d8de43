"""The course that messages take through the rules: what is the same for many texts and sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.domain.verdict import Finding
from gateway.policy.endings import Ending
from gateway.policy.evidence import Ask, Sieve, everyone
from gateway.policy.rule_findings import Findings
from gateway.policy.staged import StagedCounter

# A bundle has as many courses as classes and kinds of sources differ in what is asked of them;
# findings against texts are few, for their evidence is constant.
_MAX_KEPT = 4096


class Asked(NamedTuple):
    """Asks, and makes a finding of what was found; `sieve` tells whom to ask about."""

    ask: Ask
    findings: Findings
    sieve: Sieve = everyone


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What is asked of messages, in order. Known by identity, so that a tick can be sorted by it.

    `asking` is to be asked about each recipient; between that and what counts stands what was
    found against the text. `counting` counts each message that passes: one tuple for all courses
    that count alike.
    """

    asking: tuple[Asked, ...]
    counting: tuple[StagedCounter, ...]
    asks_consent: bool = False


class Courses:
    """Makes each course once, and of what is found against texts the same tuple each time."""

    __slots__ = ("_countings", "_found", "_made")

    def __init__(self) -> None:
        self._countings: dict[tuple[StagedCounter, ...], tuple[StagedCounter, ...]] = {}
        self._made: dict[tuple[object, ...], Course] = {}
        self._found: dict[tuple[Finding, ...], Ending] = {}

    def of(
        self, asking: Sequence[Asked], counting: Sequence[StagedCounter], *, asks_consent: bool
    ) -> Course:
        """Return the course of messages that these are asked of."""
        alike = self._countings.setdefault(tuple(counting), tuple(counting))
        key = (tuple(asking), alike, asks_consent)
        course = self._made.get(key)
        if course is None:
            if len(self._made) >= _MAX_KEPT:
                self._made.clear()
            course = self._made[key] = Course(*key)
        return course

    def until(self, found: Sequence[Finding]) -> Ending | None:
        """Return what was found against a text, up to the first that is not on trial."""
        last = next((place for place, one in enumerate(found) if not one.shadow), len(found))
        kept = tuple(found[: last + 1])
        ending = self._found.get(kept)
        if ending is None and kept:
            if len(self._found) >= _MAX_KEPT:
                self._found.clear()
            ending = self._found[kept] = Ending(kept)
        return ending
