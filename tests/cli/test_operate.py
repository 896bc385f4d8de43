import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import orjson
import pytest
import structlog

from gateway.cli.application import run_line
from gateway.settings import directories

Calls = list[tuple[Path, Path, bool]]
Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]

EARLY = (signal.SIGHUP, signal.SIGUSR2)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Give later tests the signals back that a gateway ignores until it is ready for them."""
    before = {one: signal.getsignal(one) for one in EARLY}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Put a recorder in place of the gateway; it is asked to run, and ends with 1."""
    calls: Calls = []

    def record(
        config: Path, policies: Path, unlisted: Callable[[], int], *, has_console: bool
    ) -> int:
        calls.append((config, policies, has_console))
        assert unlisted() == 0
        assert {signal.getsignal(one) for one in EARLY} == {signal.SIG_IGN}
        structlog.get_logger().info("gateway.started")
        structlog.get_logger().warning("bundle.open")
        return 1

    monkeypatch.setattr("gateway.app.run.run", record)
    return calls


@pytest.mark.parametrize("more", [(), ("--no-console",)])
def test_run_hands_on_what_it_is_told_and_the_exit_code(
    cli: Cli,
    deployment: Path,
    started: Calls,
    options: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    ran = cli("run", *options, *more)

    assert started == [(deployment / "config", deployment / "policies", not more)]
    assert ran.returncode == 1


def test_run_logs_what_it_is_told_to(
    started: Calls, options: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    run_line(("run", *options, "--log-level", "warning"))

    # The log goes round Python's own streams, straight to the descriptor.
    logged = capfd.readouterr().err
    assert "bundle.open" in logged
    assert "gateway.started" not in logged
    assert len(started) == 1


def test_run_says_something_before_the_gateway_is_imported(
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delattr("gateway.app.run", raising=False)
    monkeypatch.setitem(sys.modules, "gateway.app.run", None)

    with pytest.raises(ImportError):
        run_line(("run", *options))

    assert "directories.chosen" in capfd.readouterr().err


def test_run_says_first_on_what_it_runs(
    started: Calls,
    deployment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(directories, "_SYSTEM", deployment / "etc")
    monkeypatch.chdir(deployment / "config")

    run_line(("run", "--config", str(deployment / "config"), "--log-level", "warning"))

    [(config, policies, _)] = started
    logged = capfd.readouterr().err.splitlines()[0]
    assert "directories.chosen" in logged
    assert str(config) in logged
    assert str(policies) in logged
    assert "--policies DIR" in logged


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


@pytest.mark.parametrize("command", [("run",), ("run", "--check"), ("console",)])
def test_nothing_is_started_on_the_sample(
    cli: Cli,
    started: Calls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setattr(directories, "_SYSTEM", tmp_path / "etc")
    monkeypatch.chdir(tmp_path)

    ran = cli(*command)

    assert (ran.returncode, ran.stdout, started) == (2, "", [])
    assert "error: no configuration: there is no gateway.yaml" in ran.stderr
    assert f"smsward {command[0]} --config" in ran.stderr


def test_check_reads_the_sample_and_keeps_its_json_clean(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "_SYSTEM", tmp_path / "etc")
    monkeypatch.chdir(tmp_path)

    ran = cli("check", "--json")

    said = orjson.loads(ran.stdout)
    assert ran.returncode == 0
    assert (said["configuration"], said["policies"]) == tuple(
        str(found) for found in (directories.config_directory(), directories.policies_directory())
    )
    assert [line.split(":")[1] for line in ran.stderr.splitlines()] == [
        " SAMPLE CONFIGURATION",
        " SHIPPED POLICIES",
    ]
    assert [w for w in said["warnings"] if w.startswith("SAMPLE PASSWORDS: bank1, sp1: ")]
