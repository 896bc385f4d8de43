from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.deployment import load_deployment, load_settings, located
from gateway.cli.failure import CommandError, ExitCode
from gateway.cli.options import Directories

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

    assert load_settings(deployment / "config").store_url.endswith("/var/smsward.db")


def test_faults_of_the_settings_are_told(deployment: Path, write: Write) -> None:
    write("config/gateway.yaml", "version: 1\n")

    with pytest.raises(CommandError, match=r"gateway\.yaml:1:1 "):
        load_settings(deployment / "config")


def test_directories_that_are_named_are_taken(deployment: Path) -> None:
    named = Directories(deployment / "config", deployment / "policies")

    assert located(named) == (deployment / "config", deployment / "policies")
