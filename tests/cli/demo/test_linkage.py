"""`smsward demo --linkage`: two carriers, a hub, and one complaint from SMS to SMS."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.cli.demo.linkage_stage import EAST, HUB, MEMBERS, WEST, build_linkage_stage
from gateway.settings.linkage import load_linkage
from gateway.settings.schema import Address
from gateway.terminal.deployment import load_settings

Cli = Callable[..., CompletedProcess[str]]

_NOWHERE = Address("127.0.0.1", 1)
_ACTS = [
    "message.passed",
    "complaint.received",
    "case.opened",
    "case.dispatched",
    "case.accepted",
    "port.suspended",
    "case.feedback_sent",
    "case.feedback_received",
    "reporter.told",
    "case.closed",
]


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing behind elsewhere."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_each_member_has_files_that_load_and_its_own_keys() -> None:
    stage = build_linkage_stage({EAST: _NOWHERE, WEST: _NOWHERE})

    loaded = [load_linkage(stage.of(one) / "linkage.yaml") for one in MEMBERS]

    assert [one.own for one in loaded] == [one.name for one in MEMBERS]
    assert [one.hub for one in loaded] == [HUB.name, HUB.name, None]
    keys = {one.registry.own_member.keys[0].public for one in loaded}
    assert len(keys) == len(MEMBERS)
    node = load_settings(stage.of(WEST)).node
    assert f"{node.carrier}/{node.province}" == WEST.organisation
    assert (stage.of(WEST) / "sign.pem").stat().st_mode & 0o077 == 0


def test_a_complaint_goes_from_one_carrier_to_the_other_and_comes_back_answered(
    cli: Cli,
) -> None:
    done = cli("demo", "--linkage", "--json")

    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["event"] for one in events] == _ACTS
    by_event = {one["event"]: one for one in events}
    assert {by_event[act]["member"] for act in ("port.suspended", "case.feedback_sent")} == {"west"}
    assert by_event["reporter.told"]["member"] == "east"
    assert "13800138000" not in done.stdout


def test_options_that_the_linkage_has_no_use_for_are_refused(cli: Cli) -> None:
    for options in (("--keep",), ("--seconds", "3"), ("--port", "2776")):
        done = cli("demo", "--linkage", *options)

        assert (done.returncode, done.stderr) == (2, "error: --linkage goes with --json alone\n")
