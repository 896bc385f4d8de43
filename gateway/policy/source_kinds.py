"""Which sources of a sender the rules treat alike, so that a text is ruled on once for them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.domain.traffic import TrafficClass
from gateway.policy.account import Home, SourceOrigin
from gateway.policy.courses import Course
from gateway.policy.filings import SenderFilings
from gateway.policy.ready_rule import ReadyRule
from gateway.policy.rules import Rule, SignatureSwitched, TooOften
from gateway.policy.submission import Submission

_MAX_KNOWN = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class SourceKind:
    """Sources that every rule treats alike, until any filing changes; compared by identity.

    `of_texts` and `courses` are what concerns them, found when it is first asked: for each class of
    messages, and separately for requests for consent.
    """

    of_texts: dict[TrafficClass, tuple[ReadyRule, ...]] = field(default_factory=dict)
    courses: dict[tuple[TrafficClass, bool], Course] = field(default_factory=dict)


class SourceKinds:
    """Sorts sources by port, by whether they are personal (R61), and by what else rules ask.

    That is the signature they are bound to (R06), and their prefix (R43). `known` is the kind of
    each source that has sent, bounded; look there first.
    """

    __slots__ = ("_alike", "_beginnings", "_looks_at_bindings", "known")

    def __init__(self, rules: Iterable[Rule]) -> None:
        checks = [rule.check for rule in rules]
        self._looks_at_bindings = any(isinstance(one, SignatureSwitched) for one in checks)
        self._beginnings = tuple(
            one.sources for one in checks if isinstance(one, TooOften) and one.sources
        )
        self._alike: dict[tuple[Home, bool, str | None, tuple[bool, ...]], SourceKind] = {}
        self.known: dict[SourceOrigin, SourceKind] = {}

    def forget(self) -> None:
        """Sort every source anew: a filing changed, perhaps a name that others must not imitate.

        Rulings for the former kinds are not found any more.
        """
        self.known.clear()
        self._alike.clear()

    def sort(self, submission: Submission, filed: SenderFilings) -> SourceKind:
        """Return the kind of a message's source, as its sender has `filed` now."""
        source = submission.source.decode("latin-1")
        bound_to = filed.owner_of_subport(source) if self._looks_at_bindings else None
        begins = tuple(source.startswith(beginnings) for beginnings in self._beginnings)
        origin = submission.origin
        key = (origin.home, origin.is_personal, bound_to, begins)
        kind = self._alike.get(key)
        if kind is None:
            if len(self._alike) >= _MAX_KNOWN:
                self._alike.clear()
            kind = self._alike[key] = SourceKind()
        if len(self.known) >= _MAX_KNOWN:
            self.known.clear()
        self.known[origin] = kind
        return kind
