"""What each rule and list found in recorded decisions: counted, with samples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from gateway.domain.verdict import Action, Basis
from gateway.policy.checks import reasons_on
from gateway.records.sealed_values import UNPROVEN, Joint, Record, joint_of

_DECISION, _OUTCOME = b'{"kind":"decision",', b'{"kind":"outcome",'
_AGAIN = b'{"kind":"judged_again",'
_PASSING = frozenset({Action.FORWARD, "shadow"})
# No rule is right or wrong because of how the gateway and its queues stood.
_OF_THE_MOMENT = reasons_on(Basis.MOMENT)
_MAX_PLACES, _MAX_HELD = 10_000, 20_000
# Who sent what was held before the lines that are read is not known.
_UNREAD: Record = {"source": "", "destination": ""}
_MAX_SAMPLES, _MAX_OF_SENDER = 5, 2

# A sender, and the source that it sent from: "" for one that was not proven to be its own.
Place: TypeAlias = tuple[str, str]
_Findings: TypeAlias = Iterable[Mapping[str, object]]


@dataclass(slots=True)
class HitCount:
    """In how many messages a rule found something, would have stopped them, and stopped them.

    It `would_stop` what passed although it found it in shadow mode.
    """

    found: int = 0
    would_stop: int = 0
    stopped: int = 0

    def add(self, found: "HitCount") -> None:
        """Count what another counted, too."""
        self.found += found.found
        self.would_stop += found.would_stop
        self.stopped += found.stopped


@dataclass(slots=True)
class HitSample:
    """A decision with a finding of the rule, and the id of its message, "" without one."""

    record: Record
    message_id: str


@dataclass(slots=True)
class RuleHits(HitCount):
    """What one rule found.

    `on_trial` counts what it found in shadow mode and would stop, passed or not. Of that `agreed`
    is what another rule in force is against, too, and `held` are ids of messages that another has
    held (a bounded number). `places` has the sources of at most 10 000, the rest is with their
    senders.
    """

    on_trial: int = 0
    agreed: int = 0
    held: set[int] = field(default_factory=set)
    places: dict[Place, HitCount] = field(default_factory=dict)
    samples: list[HitSample] = field(default_factory=list)

    def of_senders(self) -> dict[str, HitCount]:
        """Return the counts by sender."""
        counts: dict[str, HitCount] = {}
        for (system_id, _), count in self.places.items():
            counts.setdefault(system_id, HitCount()).add(count)
        return counts

    def place_of(self, place: Place) -> HitCount:
        """Return the count of a place, of its sender's others where there is no room."""
        if place not in self.places and len(self.places) >= _MAX_PLACES:
            place = (place[0], "other")
        return self.places.setdefault(place, HitCount())


class FindingCounter:
    """Counts what rules found in the lines of records, in their order.

    Decisions of ``since <= at < until`` count, both as records have times; of one sender and one
    rule, or of all for None. `decisions` and `stopped` count all of them, with findings or not.
    A held message that was judged again counts once more for the rules that found nothing before.
    """

    def __init__(
        self, since: str, until: str, system_id: str | None = None, rule: str | None = None
    ) -> None:
        self.decisions = 0
        self.stopped = 0
        self.rules: dict[str, RuleHits] = {}
        self._since, self._until = since, until
        self._system_id, self._rule = system_id, rule
        self._unanswered: dict[Joint, list[HitSample]] = {}
        self._held: dict[str, tuple[Record, set[str]]] = {}  # with the rules that were counted

    def add(self, lines: Iterable[bytes]) -> None:
        """Count whole lines. Raises ValueError for one that is no record."""
        for line in lines:
            if line.startswith(_DECISION):
                self._add(orjson.loads(line))
            elif line.startswith(_AGAIN):
                self._add_again(orjson.loads(line))
            elif self._unanswered and line.startswith(_OUTCOME):
                self._answer(orjson.loads(line))

    def _is_asked_for(self, record: Record) -> bool:
        at, system_id = record.get("at"), str(record.get("system_id"))
        if not isinstance(at, str) or not self._since <= at < self._until:
            return False
        return self._system_id in (None, system_id)

    def _add(self, record: Record) -> None:
        if not self._is_asked_for(record):
            return
        self.decisions += 1
        self.stopped += record.get("action") not in _PASSING
        counted = self._count_all(record, set())
        if record.get("gateway_id"):
            if len(self._held) >= _MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[str(record["gateway_id"])] = record, counted

    def _add_again(self, record: Record) -> None:
        if not self._is_asked_for(record):
            return
        message_id = str(record.get("message_id"))
        decision, counted = self._held.get(message_id, (_UNREAD, set[str]()))
        again = {**decision, **record, "gateway_id": message_id}
        counted = self._count_all(again, counted)
        if message_id in self._held:
            self._held[message_id] = decision, counted

    def _count_all(self, record: Record, counted: set[str]) -> set[str]:
        """Count each rule that is not `counted` yet; return those that are by now."""
        is_stopped, findings = record.get("action") not in _PASSING, record.get("findings")
        found = findings if isinstance(findings, list) else []
        rules = dict.fromkeys(str(one.get("rule")) for one in found)
        for rule in rules:
            if self._rule in (None, rule) and rule not in counted:
                self._count(rule, found, record, is_stopped=is_stopped)
        return counted.union(rules)

    def _count(self, rule: str, findings: _Findings, record: Record, *, is_stopped: bool) -> None:
        is_on_trial = any(one.get("rule") == rule and _would_stop(one) for one in findings)
        count = HitCount(
            1,
            int(is_on_trial and not is_stopped),
            int(is_stopped and record.get("rule") == rule),
        )
        hits = self.rules.setdefault(rule, RuleHits())
        hits.add(count)
        hits.place_of(_place_of(record)).add(count)
        if is_on_trial:
            hits.on_trial += 1
            hits.agreed += any(one.get("rule") != rule and _counts(one) for one in findings)
            held = record.get("gateway_id") if record.get("action") == Action.QUARANTINE else None
            if isinstance(held, int) and len(hits.held) < _MAX_HELD:
                hits.held.add(held)
        self._sample(hits, record)

    def _sample(self, hits: RuleHits, record: Record) -> None:
        """Keep the first decisions as samples, but few of one sender."""
        same = [one for one in hits.samples if one.record["system_id"] == record.get("system_id")]
        if len(hits.samples) >= _MAX_SAMPLES or len(same) >= _MAX_OF_SENDER:
            return
        sample = HitSample(record, str(record.get("gateway_id") or ""))
        hits.samples.append(sample)
        if not sample.message_id:
            self._unanswered.setdefault(joint_of(record), []).append(sample)

    def _answer(self, record: Record) -> None:
        for sample in self._unanswered.pop(joint_of(record), ()):
            sample.message_id = str(record.get("message_id") or "")


def _place_of(record: Record) -> Place:
    source = "" if record.get("reason") in UNPROVEN else record.get("source") or ""
    return str(record.get("system_id")), str(source)


def _would_stop(finding: Mapping[str, object]) -> bool:
    return finding.get("mode") == "shadow" and finding.get("action") != Action.FORWARD


def _counts(finding: Mapping[str, object]) -> bool:
    return finding.get("mode") == "enforce" and finding.get("reason") not in _OF_THE_MOMENT
