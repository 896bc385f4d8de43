from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings import directories
from gateway.terminal.deployment import (
    load_deployment,
    load_settings,
    located,
    located_own,
    own_policies_of,
)
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.options import USUAL_PLACES, Directories

Write = Callable[[str, str], None]


def test_a_sound_deployment_is_read_whole(deployment: Path) -> None:
    read = load_deployment(deployment / "config", deployment / "policies")

    assert set(read.senders) == {"shop", "gone"}
    assert read.bundle.name == "test"
    assert read.settings.listeners[0].name == "plain"


def test_the_faults_of_all_files_come_at_once(deployment: Path, write: Write) -> None:
    write("config/gateway.yaml", "version: 2\n")
    write("config/senders.yaml", "version: 1\n")
    write("policies/keywords/fraud.yaml", "version: 1\nid: K\n")

    with pytest.raises(CommandError) as raised:
        load_deployment(deployment / "config", deployment / "policies")

    assert raised.value.exit_code is ExitCode.MISUSED
    said = str(raised.value)
    assert "gateway.yaml:1:10 " in said
    assert "senders.yaml:1:1 " in said
    assert "fraud.yaml:1:1 " in said


def test_faults_of_the_senders_alone_are_faults_too(deployment: Path, write: Write) -> None:
    write("config/senders.yaml", "version: 1\nsenders: 7\n")

    with pytest.raises(CommandError, match=r"senders\.yaml:2:10 "):
        load_deployment(deployment / "config", deployment / "policies")


def test_who_needs_the_settings_alone_is_not_stopped_by_other_files(
    deployment: Path, write: Write
) -> None:
    write("config/senders.yaml", "not: good\n")

    assert load_settings(deployment / "config").store.url.endswith("/var/smsward.db")


def test_faults_of_the_settings_are_told(deployment: Path, write: Write) -> None:
    write("config/gateway.yaml", "version: 1\n")

    with pytest.raises(CommandError, match=r"gateway\.yaml:1:1 "):
        load_settings(deployment / "config")


def test_directories_that_are_named_are_taken(deployment: Path) -> None:
    named = Directories(deployment / "config", deployment / "policies")

    assert located(named) == (deployment / "config", deployment / "policies")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where nobody has a configuration or policies of their own."""
    monkeypatch.setattr(directories, "_SYSTEM", tmp_path / "etc")
    (tmp_path / "nowhere").mkdir()
    monkeypatch.chdir(tmp_path / "nowhere")


@pytest.mark.usefixtures("nowhere")
def test_a_command_on_the_sample_says_so_and_what_to_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, policies = located(USUAL_PLACES)

    told = capsys.readouterr()
    assert told.out == ""
    first, second = told.err.splitlines()
    assert first.startswith("warning: SAMPLE CONFIGURATION: ")
    assert f"{config} is read; --config DIR" in first
    assert second.startswith("warning: SHIPPED POLICIES: ")
    assert f"{policies} is read; --policies DIR" in second


@pytest.mark.usefixtures("nowhere")
def test_a_command_on_files_that_are_named_or_found_says_nothing_of_a_sample(
    write: Write, deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    located(Directories(deployment / "config", deployment / "policies"))
    write("nowhere/config/gateway.yaml", "")
    write("nowhere/policies/bundle.yaml", "")
    located(USUAL_PLACES)

    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("nowhere")
def test_what_is_shipped_is_not_written_into(deployment: Path) -> None:
    with pytest.raises(CommandError, match="no policies of your own") as raised:
        own_policies_of(None)

    assert "--policies DIR" in raised.value.advice
    assert own_policies_of(deployment / "policies") == deployment / "policies"


@pytest.mark.usefixtures("nowhere")
def test_what_stays_running_does_not_take_the_sample_for_a_configuration(deployment: Path) -> None:
    with pytest.raises(CommandError, match=r"no gateway\.yaml in /etc/smsward") as raised:
        located_own(USUAL_PLACES, "run")

    assert raised.value.exit_code is ExitCode.MISUSED
    assert "--config DIR" in raised.value.advice
    assert "cp -r /" in raised.value.advice

    sample = Path(raised.value.advice.split("cp -r ")[1].split(" ")[0])
    assert located_own(Directories(sample), "run").config == sample
    own = Directories(deployment / "config", deployment / "policies")
    assert located_own(own, "run") == (own.config, own.policies, False)
    assert located_own(Directories(own.config), "run").are_shipped
