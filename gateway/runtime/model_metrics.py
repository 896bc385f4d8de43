"""What scrapes tell of the models that are installed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True)
class ModelsHealth:
    """The digests of the models in force and in shadow, "" for none, and what they dispute.

    `texts` is how many were new since both stand so, by class and by who would stop them, and
    `messages` how many messages had them; `failed` on how many texts the one in shadow failed.
    """

    active: str = ""
    shadow: str = ""
    texts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    messages: Mapping[tuple[str, str], int] = field(default_factory=dict)
    failed: int = 0


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
