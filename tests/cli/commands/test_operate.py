from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import structlog

from gateway.cli.edge import run

Calls = list[tuple[Path, Path]]
Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Put a recorder in place of the gateway; it is asked to run, and ends with 1."""
    calls: Calls = []

    def record(config: Path, policies: Path, unlisted: Callable[[], int]) -> int:
        calls.append((config, policies))
        assert unlisted() == 0
        structlog.get_logger().info("gateway.started")
        structlog.get_logger().warning("bundle.open")
        return 1

    monkeypatch.setattr("gateway.app.run.run", record)
    return calls


def test_run_hands_on_the_directories_and_the_exit_code(
    cli: Cli, deployment: Path, started: Calls, options: tuple[str, ...]
) -> None:
    ran = cli("run", *options)

    assert started == [(deployment / "config", deployment / "policies")]
    assert ran.returncode == 1


def test_run_logs_what_it_is_told_to(
    started: Calls, options: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    run(("run", *options, "--log-level", "warning"))

    # The log goes round Python's own streams, straight to the descriptor.
    logged = capfd.readouterr().err
    assert "bundle.open" in logged
    assert "gateway.started" not in logged
    assert len(started) == 1


def test_run_with_check_starts_nothing(cli: Cli, started: Calls, options: tuple[str, ...]) -> None:
    ran = cli("run", "--check", *options)

    assert ran.returncode == 0
    assert "digest" in ran.stdout
    assert started == []


def test_run_with_check_names_faults(
    cli: Cli, started: Calls, write: Write, options: tuple[str, ...]
) -> None:
    write("config/senders.yaml", "version: 1\nsenders: 7\n")

    ran = cli("run", "--check", *options)

    assert ran.returncode == 2
    assert "senders.yaml:2:10 " in ran.stdout
    assert started == []


def test_an_unknown_log_level_is_a_misuse(
    cli: Cli, started: Calls, options: tuple[str, ...]
) -> None:
    assert cli("run", *options, "--log-level", "loud").returncode == 2
    assert started == []


def test_run_with_faults_in_the_files_ends_with_2(
    cli: Cli, write: Write, options: tuple[str, ...]
) -> None:
    write("config/gateway.yaml", "version: 1\nlisteners: 3\n")

    ran = cli("run", *options)

    assert ran.returncode == 2
    assert "gateway.yaml:2:12 " in ran.stderr
