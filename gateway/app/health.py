"""How the gateway stands, for machines that ask: readiness and metrics."""

from collections import Counter
from collections.abc import Callable, Mapping

from gateway.console.probes import Readiness
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Plane
from gateway.domain.disk import DiskStage
from gateway.domain.verdict import Action
from gateway.policy.classifier_rules import unscored
from gateway.proxy.gate import Gate
from gateway.proxy.hold_writer import HoldWriter
from gateway.proxy.sessions import Sessions
from gateway.proxy.tick import Tick
from gateway.runtime.counters import Counters
from gateway.runtime.model_metrics import ModelsHealth
from gateway.runtime.records import Records
from gateway.runtime.snapshot import (
    DiskHealth,
    NoticesHealth,
    PolicyIdentity,
    ReportsHealth,
    Snapshot,
    WarningsHealth,
)

OPEN_WARNING = "the policy forwards everything"
LOW_DISK_WARNING = (
    "the disk of the {} fills up: make room, or SPs are refused (smsward_disk_free_octets)"
)
REFUSED_WARNING = (
    "the last reload was refused, the policy before it is in force: `smsward policy check` and "
    "the log (policy.refused) tell the faults"
)


class GatewayHealth:
    """Reads plain counters of all parts; nothing is counted twice for it."""

    def __init__(
        self, tick: Tick, sessions: Sessions, gate: Gate, holding: HoldWriter, records: Records
    ) -> None:
        self.is_started = False
        self.held: Callable[[], Mapping[str, int]] = dict
        self.refused_faults: Callable[[], int] = int
        self.unlisted: Callable[[], int] = int
        self.warnings: Callable[[], WarningsHealth] = WarningsHealth
        self.notices: Callable[[], NoticesHealth] = NoticesHealth
        self.reports: Callable[[], ReportsHealth] = ReportsHealth
        self.scheduled: Callable[[], Mapping[str, int]] = dict
        self.failures: Callable[[], Mapping[str, int]] = dict
        self.disk: Callable[[], DiskHealth] = DiskHealth
        self.held_octets: Callable[[], Mapping[str, int]] = dict
        self.models: Callable[[], ModelsHealth] = ModelsHealth
        self._tick = tick
        self._sessions = sessions
        self._gate = gate
        self._holding = holding
        self._records = records

    @property
    def _plane(self) -> Plane:
        return self._tick.pipeline.plane

    def readiness(self, *, consent_is_current: bool) -> Readiness:
        """Tell whether traffic should come here."""
        rules = self._plane.rules
        stages = self.disk().stages
        low = sorted(volume for volume, stage in stages.items() if stage > DiskStage.WELL)
        warnings = (
            *(LOW_DISK_WARNING.format(volume) for volume in low),
            *((OPEN_WARNING,) if rules.bundle.is_open else ()),
            *((REFUSED_WARNING,) if self.refused_faults() else ()),
            *(one.en for one in unscored(rules.bundle.rules, rules.knowledge.scorer)),
        )
        return Readiness(
            checks={
                "started": self.is_started,
                "not_draining": not self._sessions.leaving.is_draining,
                "store": not self._holding.is_failing,
                "consent_is_current": consent_is_current,
                "records": not self._records.failing,
                "records_have_room": not self._records.is_full,
                "disk_has_room": stages.get("records") != DiskStage.FULL,
            },
            warnings=warnings,
            is_degraded=bool(low),
        )

    def sessions(self) -> dict[tuple[str, str], int]:
        """Return how many links stand on each side in each state."""
        links: Counter[tuple[str, str]] = Counter(
            (link.side.value, link.state.value) for link in self._tick.connections
        )
        return dict(links)

    def snapshot(self) -> Snapshot:
        """Return what one scrape tells."""
        bundle = self._plane.rules.bundle
        return Snapshot(
            counters=self._counters(),
            sessions=self.sessions(),
            in_flight=_in_flight(self._sessions.pairs),
            held=self.held(),
            records=self._records.health(),
            policy=PolicyIdentity(bundle.name, bundle.digest, self.refused_faults()),
            unlisted_events=self.unlisted(),
            warnings=self.warnings(),
            notices=self.notices(),
            reports=self.reports(),
            scheduled=self.scheduled(),
            follower_failures=dict(self.failures()),
            models=self.models(),
            disk=self.disk(),
            held_octets=self.held_octets(),
        )

    def _counters(self) -> Counters:
        rules, tally, counters = self._plane.rules, self._plane.tally, Counters()
        counters.submits.add((Action.FORWARD.value, ""), tally.forwarded)
        for verdict, count in tally.verdicts.items():
            counters.submits.add(verdict, count)
        for sender, count in tally.senders.items():
            counters.sender_submits.add(sender, count)
        for status, count in tally.answers.items():
            counters.answers.add(status, count)
        for reason, count in self._gate.binds.items():
            counters.binds.add(reason, count)
        counters.link_losses = tally.link_lost
        counters.stray_answers = tally.stray + tally.late
        counters.framing_errors = tally.framing_faults
        counters.timeouts = tally.timeouts
        counters.malformed_pdus = tally.malformed
        counters.filter_failures = tally.filter_failures
        counters.classifier_failures = rules.scan.unscored + rules.knowledge.unscored
        counters.replies_put_back = tally.replies_put_back
        counters.replies_unheard = tally.replies_unheard
        counters.tick_failures = self._tick.failures
        counters.tick_us = self._tick.turn_us
        counters.answer_us.total = tally.latency_us_total
        for bits, count in enumerate(tally.latency_us[: len(counters.answer_us.buckets)]):
            counters.answer_us.buckets[bits] = count
        return counters


def _in_flight(sessions: Mapping[Link, object]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for session in sessions:
        under_way = len(session.peer.outstanding) if session.peer is not None else 0
        counts[session.system_id] += under_way + session.held
    return dict(counts)
