"""What Prometheus is told when it asks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from operator import attrgetter
from pkgutil import get_data
from typing import Any, TypeAlias

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

# Kind, name, labels and place in the snapshot of each family, and what it means.
_TABLE = (get_data(__package__, "metrics.txt") or b"").decode()
_FAMILIES = [line.split(": ", 1) for line in _TABLE.splitlines()]


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
        for head, meaning in _FAMILIES:
            kind, name, labels, place = head.split()
            yield _family(kind, name, labels, meaning, attrgetter(place)(snapshot))
        yield _histogram("tick_seconds", "How long one turn's PDUs took.", counters.tick_us)
        yield _histogram(
            "answer_seconds",
            "From a submit's arrival to its answer by the SMSC.",
            counters.answer_us,
        )
        yield InfoMetricFamily(
            "smsward_policy",
            "The policy in force.",
            value={
                "name": snapshot.policy.name,
                "digest": snapshot.policy.digest,
                "posture": snapshot.policy.posture,
            },
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


def _family(kind: str, name: str, labels: str, meaning: str, value: Any) -> Metric:
    """Return one line of metrics.txt with its value of now."""
    make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    if labels == "-":
        return make(f"smsward_{name}", meaning, value=value)
    if name == "answers":
        value = _named(CommandStatus, value)
    elif isinstance(value, BoundedCounter):
        value = value.counts()
    samples = _bounded(value) if labels == "system_id" else value
    return _labelled(make(f"smsward_{name}", meaning, labels=labels.split(",")), samples)


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
