"""What Prometheus is told when it asks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import TypeAlias

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
    Histogram,
    ModelsHealth,
    Snapshot,
)
from gateway.smpp.status import CommandStatus

_Samples: TypeAlias = Mapping[str, int] | Mapping[tuple[str, str], int]  # by label values
_Family: TypeAlias = tuple[str, str, tuple[str, ...], _Samples]  # name, meaning, labels, samples


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
        counters = snapshot.counters
        for name, meaning, count in _counts(snapshot):
            yield CounterMetricFamily(f"smsward_{name}", meaning, value=count)
        for name, meaning, value in _levels(snapshot):
            yield GaugeMetricFamily(f"smsward_{name}", meaning, value=value)
        for kind, families in (
            (CounterMetricFamily, _labelled_counts(snapshot)),
            (GaugeMetricFamily, _labelled_levels(snapshot)),
        ):
            for name, meaning, labels, samples in families:
                yield _labelled(kind(f"smsward_{name}", meaning, labels=labels), samples)
        yield _histogram("tick_seconds", "How long one turn's PDUs took.", counters.tick_us)
        yield _histogram(
            "answer_seconds",
            "From a submit's arrival to its answer by the SMSC.",
            counters.answer_us,
        )
        yield InfoMetricFamily(
            "smsward_policy",
            "The policy in force.",
            value={"name": snapshot.policy.name, "digest": snapshot.policy.digest},
        )
        yield from model_families(snapshot.models)


def render_snapshot(snapshot: Snapshot) -> bytes:
    """Return the text exposition of `snapshot` and of the process; fit for a thread.

    A thousand SPs are some ten thousand lines and 50 ms: too long for the loop.
    """
    registry = CollectorRegistry()
    registry.register(GatewayCollector(lambda: snapshot))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _counts(snapshot: Snapshot) -> Iterable[tuple[str, str, int]]:
    counters, records = snapshot.counters, snapshot.records
    reports, notices = snapshot.reports, snapshot.notices
    return (
        ("link_losses", "Links to an SMSC that ended unasked.", counters.link_losses),
        ("stray_answers", "Answers nobody waited for.", counters.stray_answers),
        ("framing_errors", "Connections that sent no SMPP.", counters.framing_errors),
        ("timeouts", "Requests the SMSC did not answer in time.", counters.timeouts),
        (
            "malformed_pdus",
            "Requests and answers with a field that cannot be.",
            counters.malformed_pdus,
        ),
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
        ("records_written", "Rows on disk.", records.written),
        ("records_lost", "Rows dropped for want of room.", records.lost),
        ("records_malformed", "Rows that broke their own form.", records.malformed),
        ("records_failures", "Attempts to write that failed.", records.failures),
        (
            "records_texts_left_out",
            "Texts not recorded: the SP had used up its day.",
            records.texts_left_out,
        ),
        ("authority_reports_kept", "Reports to the authority in the store.", reports.kept),
        (
            "authority_reports_lost",
            "Reports to the authority dropped for want of room.",
            reports.lost,
        ),
        ("notices_delivered", "Notices that webhooks have taken.", notices.delivered),
        ("notices_failed", "Deliveries that a webhook did not take.", notices.failed),
        ("notices_given_up", "Notices given up after 72 hours.", notices.given_up),
    )


def _levels(snapshot: Snapshot) -> Iterable[tuple[str, str, float]]:
    records = snapshot.records
    return (
        (
            "policy_refused_faults",
            "Faults for which the last reload was refused; 0 once one is taken.",
            snapshot.policy.refused_faults,
        ),
        ("records_pending", "Rows not on disk yet.", records.pending),
        ("records_failing", "1 while records cannot be written.", int(records.failing)),
        (
            "disk_stopped_senders",
            "SPs for whom nothing more is written, for want of room.",
            snapshot.disk.stopped,
        ),
        (
            "notices_waiting_seconds",
            "How long the oldest notice waits that a webhook has not taken.",
            snapshot.notices.waiting_s,
        ),
        (
            "authority_reports_waiting",
            "Reports to the authority that wait for the store.",
            snapshot.reports.waiting,
        ),
    )


def _labelled_counts(snapshot: Snapshot) -> Iterable[_Family]:
    counters = snapshot.counters
    return (
        (
            "submits",
            "Messages judged, by what was done and why.",
            ("action", "reason"),
            counters.submits.counts(),
        ),
        (
            "sender_submits",
            "Messages judged, by SP and what was done.",
            ("system_id", "action"),
            counters.sender_submits.counts(),
        ),
        (
            "answers",
            "Answers of the SMSC to submit_sm, by command_status.",
            ("status",),
            _named(CommandStatus, counters.answers),
        ),
        ("binds", "Binds answered, by reason.", ("reason",), counters.binds.counts()),
        ("warnings", "Warnings raised, by code.", ("code",), snapshot.warnings.raised),
        (
            "scheduled_refused",
            "Messages at the SMSC for later that were refused since, by what came of it.",
            ("state",),
            snapshot.scheduled,
        ),
        (
            "follower_failures",
            "Rounds of following the store that failed by a fault of ours, by step.",
            ("step",),
            snapshot.follower_failures,
        ),
    )


def _labelled_levels(snapshot: Snapshot) -> Iterable[_Family]:
    disk = snapshot.disk
    return (
        ("sessions", "Sessions by side and state.", ("side", "state"), snapshot.sessions),
        (
            "in_flight",
            "Messages sent to the SMSC and not answered, by SP.",
            ("system_id",),
            _bounded(snapshot.in_flight),
        ),
        ("quarantine_messages", "Messages in quarantine, by state.", ("state",), snapshot.held),
        (
            "held_octets",
            "Octets that wait in quarantine, by SP.",
            ("system_id",),
            _bounded(snapshot.held_octets),
        ),
        (
            "disk_free_octets",
            "Octets that may still be written.",
            ("volume",),
            disk.free_octets,
        ),
        ("disk_stage", "0 well, 1 low, 2 stopping SPs, 3 full.", ("volume",), disk.stages),
    )


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
        labels = ("class", "agreement")
        yield _labelled(CounterMetricFamily(f"smsward_model_{what}", said, labels=labels), counts)
    yield CounterMetricFamily(
        "smsward_model_shadow_failures",
        "Texts that the model in shadow failed on.",
        value=health.failed,
    )


def _labelled(family: CounterMetricFamily | GaugeMetricFamily, samples: _Samples) -> Metric:
    for values, count in samples.items():
        family.add_metric((values,) if isinstance(values, str) else values, count)
    return family


def _histogram(name: str, meaning: str, histogram: Histogram) -> Metric:
    """Return microseconds as seconds."""
    cumulative = 0
    buckets: list[tuple[str, float]] = []
    counts = histogram.buckets.copy()
    for bits, count in enumerate(counts[:-1]):
        cumulative += count
        buckets.append((f"{((1 << bits) - 1) * 1e-6:.6g}", cumulative))
    buckets.append(("+Inf", cumulative + counts[-1]))
    return HistogramMetricFamily(
        f"smsward_{name}", meaning, buckets=buckets, sum_value=histogram.total * 1e-6
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
