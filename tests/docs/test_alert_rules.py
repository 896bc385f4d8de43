"""The alert rules for Prometheus name metrics and pages that exist."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import Metric

from gateway.app.linkage_metrics import LinkageCollector
from gateway.runtime.metrics import GatewayCollector
from gateway.runtime.snapshot import Counters, PolicyIdentity, RecordsHealth, Snapshot
from gateway.systems.linkage.model import LinkageCounts, LinkageStanding

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy/prometheus-rules.yaml"
CASES = FILE.with_name("prometheus-rules-test.yaml")
PROMTOOL = shutil.which("promtool")
SUFFIXES = {"counter": ["_total"], "info": ["_info"], "histogram": ["_bucket", "_count", "_sum"]}
LINKAGE, NOW = LinkageStanding(0, None, 0, 0), datetime(2026, 11, 30, tzinfo=UTC)


needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and not os.environ.get("CI"), reason="needs Debian's package promtool"
)


def promtool(*command: str) -> None:
    """Run Prometheus's own tool; what it refuses fails the test."""
    assert PROMTOOL is not None
    done = subprocess.run(  # noqa: S603
        [PROMTOOL, *command], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def families() -> Iterator[Metric]:
    snapshot = Snapshot(
        counters=Counters(),
        sessions={},
        in_flight={},
        held={},
        records=RecordsHealth(0, failing=False, written=0, lost=0, malformed=0, failures=0),
        policy=PolicyIdentity("cn", "0123456789ab", "balanced"),
    )
    yield from GatewayCollector(lambda: snapshot).collect()
    yield from LinkageCollector(LinkageCounts(), LINKAGE, NOW).collect()


def labels_by_metric() -> dict[str, set[str]]:
    """Return the labels of each series that Prometheus reads, by its name."""
    found = {"up": {"job"}}
    for family in families():
        labels = set(getattr(family, "_labelnames", ()))
        labels |= {label for sample in family.samples for label in sample.labels}
        for suffix in SUFFIXES.get(family.type, [""]):
            found[family.name + suffix] = labels
    return found


def headings_of(page: str) -> set[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in titles}


RULES = rules()


def test_every_alert_has_a_name_of_its_own() -> None:
    names = [rule["alert"] for rule in RULES]

    assert len(names) == len(set(names)) > 30


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    known = labels_by_metric()

    series = re.findall(r"\b(smsward_\w+|up\b)(?:{([^}]*)})?", rule["expr"])

    assert series
    for name, matchers in series:
        assert name in known
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", matchers)) <= known[name]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_how_grave_it_is_and_where_to_read_what_to_do(
    rule: dict[str, Any],
) -> None:
    page, _, heading = rule["annotations"]["runbook"].partition("#")

    assert rule["labels"]["severity"] in {"page", "ticket", "info"}
    assert re.match(r"[A-Z{]", rule["annotations"]["summary"])
    assert heading in headings_of(page)


def test_what_an_alert_takes_the_increase_of_is_there_before_its_first_event() -> None:
    refused, applied = set(), set()
    for family in LinkageCollector(LinkageCounts(), LINKAGE, NOW).collect():
        refused |= {sample.labels.get("reason") for sample in family.samples}
        applied |= {sample.labels.get("result") for sample in family.samples}

    assert {"conflict", "key_revoked", "unknown_key"} <= refused
    assert "unapplied" in applied


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    document = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    asked = [one for case in document["tests"] for one in case["alert_rule_test"]]

    wanted = {rule["alert"] for rule in RULES}
    assert {one["alertname"] for one in asked if one["exp_alerts"]} == wanted
    assert {one["alertname"] for one in asked if not one["exp_alerts"]} == wanted
    assert document["rule_files"] == [FILE.name]


@needs_promtool
def test_each_alert_fires_in_its_cases_and_only_there() -> None:
    promtool("test", "rules", str(CASES))


@needs_promtool
def test_prometheus_reads_the_rules() -> None:
    promtool("check", "rules", "--lint-fatal", str(FILE))
