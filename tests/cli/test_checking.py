import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]


def test_a_sound_deployment_is_summed_up(cli: Cli, options: tuple[str, ...]) -> None:
    ran = cli("check", *options)

    assert ran.returncode == 0
    words = ran.stdout.split()
    summary = dict(zip(words[::2], words[1::2], strict=True))
    assert summary["senders"] == "2"
    assert summary["ports"] == "3"
    assert summary["lists"] == "3"
    assert summary["words"] == "3"
    assert len(summary["digest"]) == 12


def test_the_summary_is_json_for_programs(cli: Cli, options: tuple[str, ...]) -> None:
    summary = json.loads(cli("check", "--json", *options).stdout)

    assert summary["ok"] is True
    assert summary["faults"] == []
    assert summary["bundle"] == "test"
    assert summary["listeners"] == "127.0.0.1:2775"
    assert [warning.split(":")[0] for warning in summary["warnings"]] == ["PLAIN PASSWORDS"]


def test_every_fault_of_every_file_is_named_by_its_place(
    cli: Cli, deployment: Path, write: Write, options: tuple[str, ...]
) -> None:
    write("config/gateway.yaml", "version: 1\nlisteners: []\nsmscs: []\nextra: 1\n")
    write("policies/keywords/fraud.yaml", "version: 1\nid: K\naction: rejet\n")

    ran = cli("check", *options)

    assert ran.returncode == 2
    places = {line.split(" ")[0].removeprefix(f"{deployment}/") for line in ran.stdout.splitlines()}
    assert {
        "config/gateway.yaml:2:12",
        "config/gateway.yaml:3:8",
        "config/gateway.yaml:4:1",
        "policies/keywords/fraud.yaml:3:9",
    } <= places


def test_faults_are_json_for_programs(
    cli: Cli, deployment: Path, write: Write, options: tuple[str, ...]
) -> None:
    write("policies/bundle.yaml", "version: 1\nname: no\nname: twice\n")

    ran = cli("check", "--json", *options)

    assert ran.returncode == 2
    report = json.loads(ran.stdout)
    assert report["ok"] is False
    (fault,) = report["faults"]
    assert (fault["path"], fault["line"]) == (str(deployment / "policies" / "bundle.yaml"), 3)
    assert fault["problem"]


def test_a_missing_directory_is_a_fault_and_no_traceback(cli: Cli, deployment: Path) -> None:
    ran = cli("check", "--config", str(deployment / "nowhere"))

    assert ran.returncode == 2
    assert "nowhere/gateway.yaml:1:1 " in ran.stdout
    assert "name the one that holds gateway.yaml" in ran.stderr


def test_a_policy_that_stops_nothing_is_said_loudly(
    cli: Cli, deployment: Path, options: tuple[str, ...]
) -> None:
    for name in ("consent.yaml", "keywords/fraud.yaml", "keywords/loan.yaml"):
        (deployment / "policies" / name).unlink()

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert "OPEN POLICY" in ran.stderr


def test_plain_passwords_are_said_loudly_and_not_shown(cli: Cli, options: tuple[str, ...]) -> None:
    ran = cli("check", *options)

    assert "PLAIN PASSWORDS: 2 senders" in ran.stderr
    assert "secret" not in ran.stdout + ran.stderr


def test_nothing_is_warned_of_where_all_is_well(
    cli: Cli, write: Write, options: tuple[str, ...]
) -> None:
    write("config/senders.yaml", "version: 1\nsenders: []\n")

    ran = cli("check", *options)

    assert (ran.returncode, ran.stderr) == (0, "")
