"""What Prometheus is told when it asks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway.runtime.snapshot import (
    MAX_SYSTEM_IDS,
    OTHER,
    BoundedCounter,
    Counters,
    DiskHealth,
    Histogram,
    ModelsHealth,
    NoticesHealth,
    RecordsHealth,
    ReportsHealth,
    Snapshot,
)
from gateway.smpp.status import CommandStatus

Samples = Iterable[tuple[tuple[str, ...], int]]  # label values, value


class GatewayCollector(Collector):
    """Builds the metric families from a snapshot; labels are bounded and hold no numbers."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not take a snapshot."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family of ``smsward_``."""
        snapshot = self._snapshot()
        yield from _traffic(snapshot.counters)
        yield from _faults(snapshot)
        yield from _standing(snapshot)
        yield from _records(snapshot.records)
        yield from _disk(snapshot.disk)
        yield from _notices(snapshot.notices)
        yield from _reports(snapshot.reports)
        yield from model_families(snapshot.models)


def render(registry: CollectorRegistry) -> bytes:
    """Return the text exposition of `registry`."""
    return generate_latest(registry)


def render_snapshot(snapshot: Snapshot) -> bytes:
    """Return the text exposition of `snapshot` and of the process; fit for a thread.

    A thousand SPs are some ten thousand lines and 50 ms: too long for the loop.
    """
    registry = CollectorRegistry()
    registry.register(GatewayCollector(lambda: snapshot))
    ProcessCollector(registry=registry)
    return render(registry)


def _traffic(counters: Counters) -> Iterator[Metric]:
    yield _counter(
        "submits",
        "Messages judged, by what was done and why.",
        ("action", "reason"),
        counters.submits.counts().items(),
    )
    yield _counter(
        "sender_submits",
        "Messages judged, by SP and what was done.",
        ("system_id", "action"),
        counters.sender_submits.counts().items(),
    )
    yield _counter(
        "answers",
        "Answers of the SMSC to submit_sm, by command_status.",
        ("status",),
        _single(_named(CommandStatus, counters.answers)),
    )
    yield _counter(
        "binds", "Binds answered, by reason.", ("reason",), _single(counters.binds.counts())
    )
    yield _histogram("tick_seconds", "How long one turn's PDUs took.", counters.tick_us, scale=1e-6)
    yield _histogram(
        "answer_seconds",
        "From a submit's arrival to its answer by the SMSC.",
        counters.answer_us,
        scale=1e-6,
    )


def _faults(snapshot: Snapshot) -> Iterator[Metric]:
    counters = snapshot.counters
    for name, meaning, value in (
        ("link_losses", "Links to an SMSC that ended unasked.", counters.link_losses),
        ("stray_answers", "Answers nobody waited for.", counters.stray_answers),
        ("framing_errors", "Connections that sent no SMPP.", counters.framing_errors),
        ("timeouts", "Requests the SMSC did not answer in time.", counters.timeouts),
        ("malformed_pdus", "Requests with a field that cannot be.", counters.malformed_pdus),
        ("filter_failures", "Texts held because the filter failed.", counters.filter_failures),
        (
            "classifier_failures",
            "Texts that the classifier failed on.",
            counters.classifier_failures,
        ),
        ("replies_put_back", "Subscribers' messages put back.", counters.replies_put_back),
        ("replies_unheard", "Subscribers' messages left to SPs.", counters.replies_unheard),
        ("tick_failures", "Turns that ended in a fault of ours.", counters.tick_failures),
        ("log_unlisted", "Log events outside the closed list.", snapshot.unlisted_events),
        ("warnings_unsorted", "Messages to warn of, only counted.", snapshot.warnings.unsorted),
    ):
        yield CounterMetricFamily(f"smsward_{name}", meaning, value=value)


def _standing(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge(
        "sessions", "Sessions by side and state.", ("side", "state"), snapshot.sessions.items()
    )
    yield _gauge(
        "in_flight",
        "Messages sent to the SMSC and not answered, by SP.",
        ("system_id",),
        _single(_bounded(snapshot.in_flight)),
    )
    yield _gauge(
        "quarantine_messages",
        "Messages in quarantine, by state.",
        ("state",),
        _single(snapshot.held),
    )
    yield _gauge(
        "held_octets",
        "Octets that wait in quarantine, by SP.",
        ("system_id",),
        _single(_bounded(snapshot.held_octets)),
    )
    raised = _single(snapshot.warnings.raised)
    yield _counter("warnings", "Warnings raised, by code.", ("code",), raised)
    yield _counter(
        "scheduled_refused",
        "Messages at the SMSC for later that were refused since, by what came of it.",
        ("state",),
        _single(snapshot.scheduled),
    )
    yield _counter(
        "follower_failures",
        "Rounds of following the store that failed by a fault of ours, by step.",
        ("step",),
        _single(snapshot.follower_failures),
    )
    yield InfoMetricFamily(
        "smsward_policy",
        "The policy in force.",
        value={"name": snapshot.policy.name, "digest": snapshot.policy.digest},
    )
    yield GaugeMetricFamily(
        "smsward_policy_refused_faults",
        "Faults for which the last reload was refused; 0 once one is taken.",
        value=snapshot.policy.refused_faults,
    )


def _records(health: RecordsHealth) -> Iterator[Metric]:
    for name, meaning, gauge in (
        ("pending", "Rows not on disk yet.", health.pending),
        ("failing", "1 while records cannot be written.", int(health.failing)),
    ):
        yield GaugeMetricFamily(f"smsward_records_{name}", meaning, value=gauge)
    left_out = health.texts_left_out
    for name, meaning, counter in (
        ("written", "Rows on disk.", health.written),
        ("lost", "Rows dropped for want of room.", health.lost),
        ("malformed", "Rows that broke their own form.", health.malformed),
        ("failures", "Attempts to write that failed.", health.failures),
        (
            "texts_left_out",
            "Texts not recorded: the SP had used up its day.",
            left_out,
        ),
    ):
        yield CounterMetricFamily(f"smsward_records_{name}", meaning, value=counter)


def _disk(health: DiskHealth) -> Iterator[Metric]:
    free = _single(health.free_octets)
    yield _gauge("disk_free_octets", "Octets that may still be written.", ("volume",), free)
    yield _gauge(
        "disk_stage",
        "0 well, 1 low, 2 stopping SPs, 3 full.",
        ("volume",),
        _single(health.stages),
    )
    yield GaugeMetricFamily(
        "smsward_disk_stopped_senders",
        "SPs for whom nothing more is written, for want of room.",
        value=health.stopped,
    )


def _reports(health: ReportsHealth) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "smsward_authority_reports_waiting",
        "Reports to the authority that wait for the store.",
        value=health.waiting,
    )
    for name, meaning, counter in (
        ("kept", "Reports to the authority in the store.", health.kept),
        ("lost", "Reports to the authority dropped for want of room.", health.lost),
    ):
        yield CounterMetricFamily(f"smsward_authority_reports_{name}", meaning, value=counter)


def _notices(health: NoticesHealth) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "smsward_notices_waiting_seconds",
        "How long the oldest notice waits that a webhook has not taken.",
        value=health.waiting_s,
    )
    for name, meaning, counter in (
        ("delivered", "Notices that webhooks have taken.", health.delivered),
        ("failed", "Deliveries that a webhook did not take.", health.failed),
        ("given_up", "Notices given up after 72 hours.", health.given_up),
    ):
        yield CounterMetricFamily(f"smsward_notices_{name}", meaning, value=counter)


def model_families(health: ModelsHealth) -> Iterator[Metric]:
    """Yield the families of models; the labels are of closed lists."""
    yield InfoMetricFamily(
        "smsward_models",
        "The classifiers that are asked: the one in force and the one in shadow.",
        value={"active": health.active, "shadow": health.shadow},
    )
    counted = (
        ("texts", "New texts, by which of the two models would stop them.", health.texts),
        ("messages", "Messages, by which of the two models would stop them.", health.messages),
    )
    for what, said, counts in counted:
        family = CounterMetricFamily(f"smsward_model_{what}", said, labels=("class", "agreement"))
        for labels, count in counts.items():
            family.add_metric(labels, count)
        yield family
    yield CounterMetricFamily(
        "smsward_model_shadow_failures",
        "Texts that the model in shadow failed on.",
        value=health.failed,
    )


def _counter(name: str, meaning: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = CounterMetricFamily(f"smsward_{name}", meaning, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


def _gauge(name: str, meaning: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = GaugeMetricFamily(f"smsward_{name}", meaning, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram(name: str, meaning: str, histogram: Histogram, scale: float = 1.0) -> Metric:
    cumulative = 0
    buckets: list[tuple[str, float]] = []
    counts = histogram.buckets.copy()
    for bits, count in enumerate(counts[:-1]):
        cumulative += count
        buckets.append((f"{((1 << bits) - 1) * scale:.6g}", cumulative))
    buckets.append(("+Inf", cumulative + counts[-1]))
    return HistogramMetricFamily(
        f"smsward_{name}", meaning, buckets=buckets, sum_value=histogram.total * scale
    )


def _named(names: type[IntEnum], tally: BoundedCounter[int]) -> dict[str, int]:
    """Return the counts by name; values the specification does not know come together."""
    counts: defaultdict[str, int] = defaultdict(int)
    for value, count in tally.counts().items():
        known = names._value2member_map_.get(value)
        counts[known.name if known is not None else OTHER] += count
    return counts


def _bounded(values: Mapping[str, int]) -> dict[str, int]:
    kept = dict(list(values.items())[:MAX_SYSTEM_IDS])
    rest = sum(values.values()) - sum(kept.values())
    return kept | {OTHER: kept.get(OTHER, 0) + rest} if rest else kept


def _single(counts: Mapping[str, int]) -> Samples:
    return [((key,), count) for key, count in counts.items()]
