"""A small run of benchmarks.detectors: planted irregularities are found, and little else is."""

import json
from functools import cache
from pathlib import Path

import pytest

from benchmarks import detectors
from gateway.domain.warning import WarningCode
from gateway.settings.bundles.bundle import load_bundle

POLICIES = Path(__file__).parents[3] / "policies"


@cache
def result() -> detectors.RunResult:
    return detectors.run(4, load_bundle(POLICIES), ports=60, warm=14, judged=7)


@pytest.mark.slow
@pytest.mark.parametrize("code", WarningCode)
def test_r95_what_is_planted_is_found_within_hours(code: WarningCode) -> None:
    delay = result().delays[code]

    assert delay is not None
    assert 0 < delay < 24 * 60


@pytest.mark.slow
def test_r95_honest_traffic_raises_next_to_nothing() -> None:
    assert sum(result().false_alarms.values()) <= 2


def test_the_figures_of_the_page_are_those_of_the_committed_run() -> None:
    found = json.loads(detectors.RESULTS.read_text(encoding="utf-8"))["results"]
    page = (POLICIES.parent / "docs/howto/warnings.md").read_text(encoding="utf-8")
    per_week = found["false_alarms_a_week_for_1000_ports"]

    rows = detectors.rows_of([one["delays_minutes"] for one in found["seeds"].values()])

    for code, median, longest, runs in rows:
        assert f"| `{code}` | {median} | {longest} | {runs} |" in page
    assert f"{per_week} false alarms a week for 1000 ports" in " ".join(page.split())
