"""`detectors.yaml`: its rows, its faults, and one key changed in local.d."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.detector import Measure
from gateway.domain.warning import WarningCode
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.yaml import SettingsError

POLICIES = Path(__file__).parents[3] / "policies"
BUNDLE = "version: 1\nname: test\n"
BURST = "version: 1\ndetectors: {burst: {warning: W7, counts: messages, baseline: same_hour}}\n"


def bundle_in(directory: Path, detectors: str) -> Path:
    (directory / "bundle.yaml").write_text(BUNDLE, encoding="utf-8")
    (directory / "detectors.yaml").write_text(detectors, encoding="utf-8")
    return directory


def test_r95_the_shipped_bundle_has_a_detector_for_each_warning() -> None:
    detectors = load_bundle(POLICIES).detectors

    assert {one.warning for one in detectors} == set(WarningCode)
    assert all(one.z >= 3.5 and one.silence >= timedelta(hours=2) for one in detectors)
    assert all(one.events >= 200 and one.enabled for one in detectors)


def test_a_bundle_without_the_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "bundle.yaml").write_text(BUNDLE, encoding="utf-8")

    assert load_bundle(tmp_path).detectors == ()


def test_a_row_is_read_with_the_usual_values(tmp_path: Path) -> None:
    (row,) = load_bundle(bundle_in(tmp_path, BURST)).detectors

    assert (row.id, row.warning, row.counts) == ("burst", WarningCode.W7, Measure.MESSAGES)
    assert (row.z, row.events, row.silence) == (3.5, 200, timedelta(hours=2))


def test_one_key_of_a_row_is_changed_in_local_d(tmp_path: Path) -> None:
    local = bundle_in(tmp_path, BURST) / "local.d/detectors.yaml"
    local.parent.mkdir()
    local.write_text('version: 1\ndetectors: {burst: {window: "30m"}}\n', encoding="utf-8")

    (row,) = load_bundle(tmp_path).detectors

    assert (row.window, row.warning) == (timedelta(minutes=30), WarningCode.W7)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{warning: W14, counts: messages}", "warning"),
        ("{warning: W7, counts: letters}", "counts"),
        ("{warning: W7, counts: messages}", "detectors.burst: same_hour is the baseline"),
        ("{warning: W7, counts: messages, baseline: same_hour, window: 1h 5m}", "duration"),
        ("{warning: W7, counts: messages, baseline: same_hour, z: 0.5}", "z"),
        ("{warning: W11, counts: optouts, per: commercial, share: 0.1, lag_days: 4}", "lag_days"),
        ("{warning: W7, counts: messages, baseline: same_hour, silent: 2h}", "unknown key"),
    ],
)
def test_a_fault_of_a_row_names_its_place(tmp_path: Path, said: str, problem: str) -> None:
    directory = bundle_in(tmp_path, f"version: 1\ndetectors:\n  burst: {said}\n")

    with pytest.raises(SettingsError) as caught:
        load_bundle(directory)

    assert problem in caught.value.faults[0].problem
    assert caught.value.faults[0].line == 3
