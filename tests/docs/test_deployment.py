"""What deploy/ holds can be used: metrics, options, files and ports that it names are there."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import __version__
from gateway.settings.directories import check
from gateway.settings.gateway import load_gateway
from tests.cli.test_reference import DESCRIBED
from tests.docs.test_alert_rules import labels_by_metric, needs_promtool, promtool

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
GUIDE = (ROOT / "docs/howto/deploy.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/smsward.json").read_text(encoding="utf-8"))
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
# What Prometheus itself adds to each series.
OF_SCRAPE = {"instance", "job", "le"}
SERIES = re.compile(r"\b(smsward_\w+)(?:{([^}]*)})?")
OWN_FILES = {"./etc", "./etc/policies"}  # which an operator makes
POLICIES = "/etc/smsward/policies"


def commands_under(marker: str) -> str:
    found = re.search(rf"<!-- test: {marker} -->\n```sh\n(.+?)\n```", GUIDE, re.DOTALL)
    assert found
    return found[1]


def expressions() -> list[tuple[str, str, str]]:
    """Return the title, the expression and the legend of each query of the dashboard."""
    return [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in PANELS
        for target in panel["targets"]
    ]


@pytest.mark.parametrize(
    ("title", "expr", "legend"), expressions(), ids=lambda said: str(said)[:40]
)
def test_a_panel_asks_for_metrics_and_labels_that_exist(title: str, expr: str, legend: str) -> None:
    known = labels_by_metric()

    series = SERIES.findall(expr)

    assert series, title
    assert [name for name, _ in series if name not in known] == []
    labels = OF_SCRAPE.union(*(known[name] for name, _ in series))
    for name, matchers in series:
        asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", matchers))
        assert asked <= known[name] | OF_SCRAPE
    grouped = {
        one.strip() for words in re.findall(r"\bby \(([^)]*)\)", expr) for one in words.split(",")
    }
    assert grouped <= labels
    assert set(re.findall(r"{{(\w+)}}", legend)) <= labels


@needs_promtool
def test_prometheus_reads_each_expression_of_the_dashboard(tmp_path: Path) -> None:
    marks = [one["expr"] for one in DASHBOARD["annotations"]["list"] if "expr" in one]
    asked = [*(expr for _, expr, _ in expressions()), *marks]
    rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "1m")}
        for number, expr in enumerate(asked)
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")

    promtool("check", "rules", str(file))

    assert len(rules) > 60


@needs_promtool
def test_prometheus_reads_its_own_configuration() -> None:
    promtool("check", "config", "--syntax-only", str(DEPLOY / "prometheus.yml"))


def test_the_dashboard_shows_every_subject() -> None:
    shown = {name for _, expr, _ in expressions() for name, _ in SERIES.findall(expr)}

    subjects = {
        *("smsward_submits_total", "smsward_sender_submits_total", "smsward_findings_total"),
        *("smsward_answer_seconds_bucket", "smsward_tick_seconds_bucket", "smsward_in_flight"),
        *("smsward_quarantine_messages", "smsward_records_pending", "smsward_smsc_up"),
        *("smsward_checks", "smsward_disk_stage", "smsward_policy_info"),
        *("smsward_cases_escalated_total", "smsward_complaints_waiting_seconds"),
        *("smsward_warnings_total", "smsward_sanctions_total", "smsward_linkage_outbox_waiting"),
    }
    assert subjects <= shown
    assert len(shown) > 45


def test_the_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    numbers = [one["id"] for one in DASHBOARD["panels"]]
    taken: set[tuple[int, int]] = set()

    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len(set(numbers)) == len(numbers)
    assert [one["title"] for one in PANELS if not one["description"]] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_calls_commands_and_options_that_exist(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")

    called = re.search(r"/opt/smsward/bin/smsward ([a-z ]+?) [-/]", text)

    assert called
    options = set(re.findall(r" (--[a-z-]+)", text))
    assert options <= DESCRIBED[called[1].strip()]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_may_do_little(unit: Path) -> None:
    lines = set(unit.read_text(encoding="utf-8").splitlines())

    wanted = {
        *("User=smsward", "ProtectSystem=strict", "ProtectHome=yes", "NoNewPrivileges=yes"),
        *("CapabilityBoundingSet=", "PrivateTmp=yes", "UMask=0077", "PrivateDevices=yes"),
        "SystemCallFilter=@system-service",
    }
    assert wanted - lines == set()
    # The first start compiles loops, and its memory is written and then run.
    assert "MemoryDenyWriteExecute=yes" not in lines


def test_of_the_configuration_only_policies_can_be_written_by_the_console() -> None:
    unit = (DEPLOY / "systemd/smsward.service").read_text(encoding="utf-8")
    binds = [one.split(":") for one in COMPOSE["services"]["gateway"]["volumes"]]
    sources = {target: (source, mode) for source, target, *mode in binds}

    assert f"ReadWritePaths=-{POLICIES}\n" in unit
    assert f"--policies {POLICIES}\n" in unit
    assert f"chown -R smsward: {POLICIES}" in GUIDE
    assert sources["/etc/smsward"] == ("./etc", ["ro"])
    assert sources[POLICIES] == ("./etc/policies", [])
    assert "chown -R 10001 deploy/etc/policies" in GUIDE
    assert "USER 10001" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_gateway_has_longer_to_end_than_it_drains() -> None:
    text = (DEPLOY / "systemd/smsward.service").read_text(encoding="utf-8")
    drain_s = load_gateway(ROOT / "config/gateway.yaml").timers.drain_s

    stop_s = re.search(r"(?m)^TimeoutStopSec=(\d+)$", text)

    assert stop_s
    assert int(stop_s[1]) > drain_s
    assert int(COMPOSE["services"]["gateway"]["stop_grace_period"].removesuffix("s")) > drain_s
    # Sent to every process SIGTERM would come twice after a hand-over: then nothing drains.
    assert "KillMode=mixed" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_understands_every_unit(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text(encoding="utf-8").replace("/opt/smsward/bin/smsward", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = sorted(str(one) for one in tmp_path.iterdir())

    done = subprocess.run(  # noqa: S603
        ["systemd-analyze", "verify", *units],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert ours == []


def test_each_image_is_pinned_and_each_mounted_file_is_there() -> None:
    services = COMPOSE["services"]

    images = {name: one["image"] for name, one in services.items()}
    assert images["gateway"] == f"smsward:{__version__}"
    assert [one for one in images.values() if not re.search(r":v?\d+\.\d+\.\d+$", one)] == []
    binds = {one.split(":")[0] for each in services.values() for one in each["volumes"]}
    paths = {one for one in binds if one.startswith(".")}
    assert [one for one in paths - OWN_FILES if not (DEPLOY / one).exists()] == []
    assert binds - paths == COMPOSE["volumes"].keys()
    assert (DEPLOY / services["gateway"]["build"]["context"] / "Dockerfile").exists()
    wanted = {secret for one in services.values() for secret in one.get("secrets", ())}
    assert wanted == COMPOSE["secrets"].keys()
    assert [name for name, one in services.items() if one["cap_drop"] != ["ALL"]] == []


def mounted(service: str) -> dict[str, Path]:
    """Return the files of deploy/ by where a service sees them."""
    binds = (one.split(":") for one in COMPOSE["services"][service]["volumes"])
    return {target: DEPLOY / source for source, target, *_ in binds if source.startswith(".")}


def test_prometheus_finds_its_rules_and_the_gateway() -> None:
    seen = mounted("prometheus")
    settings = yaml.safe_load(seen["/etc/prometheus/prometheus.yml"].read_text(encoding="utf-8"))

    assert [path for path in settings["rule_files"] if path not in seen] == []
    exposed = re.findall(r"(?m)^EXPOSE (.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    for job in settings["scrape_configs"]:
        assert job["job_name"].startswith("smsward")
        secret = Path(job["authorization"]["credentials_file"])
        assert secret.parent == Path("/run/secrets")
        assert secret.name in COMPOSE["services"]["prometheus"]["secrets"]
        for target in job["static_configs"][0]["targets"]:
            service, _, port = target.partition(":")
            assert service in COMPOSE["services"]
            assert port in exposed[0].split()


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    seen = mounted("grafana")
    provisioned = seen["/etc/grafana/provisioning"]
    source = yaml.safe_load((provisioned / "datasources/prometheus.yaml").read_text())
    boards = yaml.safe_load((provisioned / "dashboards/smsward.yaml").read_text())

    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    assert (
        "--config.file=/etc/prometheus/prometheus.yml"
        in (COMPOSE["services"]["prometheus"]["command"])
    )
    folder = boards["providers"][0]["options"]["path"]
    home = COMPOSE["services"]["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    ]
    assert (seen[folder] / Path(home).name).is_file()
    names = {one["name"] for one in DASHBOARD["templating"]["list"]}
    assert names == {"datasource", "instance"}


def test_what_the_guide_says_makes_a_sound_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("config", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "deploy").mkdir()

    subprocess.run(  # noqa: S603
        ["/bin/sh", "-euc", commands_under("compose")], cwd=tmp_path, check=True, timeout=60
    )

    own = tmp_path / "deploy" / ".env"
    assert own.stat().st_mode & 0o777 == 0o600
    values = dict(line.split("=", 1) for line in own.read_text(encoding="utf-8").splitlines())
    assert values.keys() == {"SMSWARD_METRICS_TOKEN", "GRAFANA_PASSWORD"}
    monkeypatch.setattr(os, "environ", {**os.environ, **values})
    etc = tmp_path / "deploy" / "etc"
    assert check(etc, etc / "policies") == ()
    settings = load_gateway(etc / "gateway.yaml")
    assert str(settings.metrics.address) == "0.0.0.0:9464"
    assert settings.metrics.token is not None
    assert [str(one.address) for one in settings.listeners] == ["0.0.0.0:2775"]
