"""What a gateway's metrics tell of its decisions."""

from collections import Counter
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families


def decisions(metrics_port: int) -> Counter[str]:
    """Return how many messages were judged so far, by action and reason: "reject OPTED_OUT"."""
    with urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return Counter(
        {
            f"{sample.labels['action']} {sample.labels['reason']}".strip(): int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "smsward_submits_total"
        }
    )
