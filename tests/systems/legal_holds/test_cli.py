"""`smsward records hold`: what may not be purged, on the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Work = Callable[..., CompletedProcess[str]]
InStore = Callable[..., None]


@pytest.fixture
def work(cli: Cli, deployment: Path, in_store: InStore) -> Work:
    """Return a function that runs a command about the records of a deployment that has run."""
    in_store(lambda _stores: None)
    config = str(deployment / "config")
    return lambda *arguments: cli(*arguments, "--config", config)


@pytest.fixture
def add(work: Work) -> Work:
    usual = {
        "--from": "2013-09-30",
        "--to": "2013-10-01",
        "--reason": "fraud",
        "--reference": "case 7",
    }

    def add(**changes: str) -> CompletedProcess[str]:
        options = usual | {f"--{name}": value for name, value in changes.items()}
        return work("records", "hold", "add", *(part for pair in options.items() for part in pair))

    return add


def test_a_hold_and_its_end_are_told_to_programs(work: Work) -> None:
    period = ("--from", "2013-09-30", "--to", "2013-10-01", "--number", "13800138007")
    why = ("--reason", "fraud", "--reference", "case 7")

    added = work("records", "hold", "add", *period, *why, "--json")
    lifted = work("records", "hold", "lift", "1", "--by", "he", "--json")

    (held,) = json.loads(work("records", "hold", "list", "--json").stdout)
    told, ended = json.loads(added.stdout), json.loads(lifted.stdout)
    assert (told["number"], told["subscriber"], told["in_force"]) == (1, "138****8007", True)
    assert told.keys() == held.keys()
    assert (ended["number"], ended["lifted_by"]) == (1, acting("he"))
    assert ended["lifted_at"] == held["lifted_at"] < ended["kept_until"]


def test_holds_are_listed_with_numbers_masked(work: Work, add: Work) -> None:
    assert work("records", "hold", "list").stdout == "no holds\n"
    add(number="+8613800138007", sender="shop", by="lin")
    add(by="wu")
    work("records", "hold", "lift", "2", "--by", "he")

    shown = work("records", "hold", "list")
    lifted, held = json.loads(work("records", "hold", "list", "--json").stdout)

    assert "shop 138****8007" in shown.stdout
    assert "(everything)" in shown.stdout
    assert "lifted" in shown.stdout
    assert "in force" in shown.stdout
    assert "13800138007" not in shown.stdout
    assert (held["subscriber"], held["system_id"], held["by"]) == (
        "138****8007",
        "shop",
        acting("lin"),
    )
    assert "msisdn" not in held
    assert (lifted["lifted_by"], lifted["in_force"], lifted["subscriber"]) == (
        acting("he"),
        True,
        None,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"reason": " "},
        {"reference": ""},
        {"to": "2013-09-30"},
        {"number": "1380013800x"},
    ],
)
def test_a_hold_that_cannot_be_meant_is_refused(add: Work, change: dict[str, str]) -> None:
    assert add(**change).returncode == 2


@pytest.mark.parametrize("number", ["7", "0"])
def test_a_hold_that_is_not_there_cannot_be_lifted(work: Work, number: str) -> None:
    ran = work("records", "hold", "lift", number)

    assert ran.returncode == 1
    assert "there is no hold" in ran.stderr


def test_a_hold_is_lifted_for_a_day_later(work: Work, add: Work) -> None:
    add()

    assert "1 day from now" in work("records", "hold", "lift", "1").stdout
