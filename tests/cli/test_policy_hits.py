"""`smsward policy hits`: what rules found, from records alone."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.records import Row
from gateway.domain.verdict import Action
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from tests.records.finding_rows import answered, decided, enforced, found

Cli = Callable[..., CompletedProcess[str]]
SINCE = ("--since", "2013-09-30")
LINK, WORD = found("R61-link"), enforced("K-FRAUD")


@pytest.fixture
def hits(cli: Cli, deployment: Path) -> Cli:
    """Return what counts in the records of five messages."""
    files = HourFiles(deployment / "var/cdr")
    rows: list[Row] = [
        decided(1),
        decided(2, LINK),
        answered(2, "100123456789"),
        decided(3, LINK, WORD, source="10690002"),
        decided(4, WORD, system_id="bank"),
        decided(5, found("K-NOTE", Action.FORWARD), source="13900139000"),
    ]
    for hour, _, octets in RecordLines().by_hour(rows):
        files.append(hour, octets)
    files.close()
    config = ("--config", str(deployment / "config"))
    return lambda *arguments: cli("policy", "hits", *arguments, *config)


def test_rules_are_listed_with_what_they_found_would_have_stopped_and_stopped(hits: Cli) -> None:
    ran = hits(*SINCE, "--json")

    told = json.loads(ran.stdout)
    assert (told["messages"], told["stopped"]) == (5, 2)
    fraud, link, note = told["rules"]
    assert [one["rule"] for one in (fraud, link, note)] == ["K-FRAUD", "R61-link", "K-NOTE"]
    assert (link["found"], link["would_stop"], link["stopped"]) == (2, 1, 0)
    shop = {"system_id": "shop", "found": 1, "stopped": 0}
    assert link["places"] == [
        {**shop, "source": "10690001", "would_stop": 1},
        {**shop, "source": "10690002", "would_stop": 0},
    ]
    assert link["samples"][0] == {
        "at": "2013-09-30T08:00:00.002Z",
        "message_id": "100123456789",
        "system_id": "shop",
        "source": "10690001",
        "destination": "138****8000",
        "action": "shadow",
    }


def test_people_see_ports_and_messages_of_one_rule(hits: Cli) -> None:
    told = hits(*SINCE, "--rule", "R61-link").stdout

    assert "K-FRAUD" not in told
    for shown in ("10690002", "100123456789", "138****8000", "5 messages since 2013-09-30"):
        assert shown in told
    assert "13800138000" not in told


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_r73_a_persons_number_is_masked_as_a_port_too(hits: Cli, more: tuple[str, ...]) -> None:
    told = hits(*SINCE, "--rule", "K-NOTE", *more).stdout

    assert "139****9000" in told
    assert "13900139000" not in told


def test_one_sp_can_be_meant(hits: Cli) -> None:
    told = json.loads(hits(*SINCE, "--sender", "bank", "--json").stdout)

    assert (told["messages"], [one["rule"] for one in told["rules"]]) == (1, ["K-FRAUD"])


def test_by_default_it_is_the_last_day(hits: Cli) -> None:
    ran = hits()

    assert ran.returncode == 0
    assert "0 messages since 24h" in ran.stdout


@pytest.mark.parametrize("since", ["yesterday", "0h", "24"])
def test_a_beginning_that_cannot_be_meant_is_refused(hits: Cli, since: str) -> None:
    ran = hits("--since", since)

    assert ran.returncode == 2
    assert "neither a duration nor a time" in ran.stderr


def test_a_directory_that_is_not_there_is_a_misuse(hits: Cli) -> None:
    assert hits("--records", "nowhere").returncode == 2


def test_records_that_cannot_be_read_are_named(hits: Cli, deployment: Path) -> None:
    with (deployment / "var/cdr/cdr-20130930-08.jsonl").open("ab") as file:
        file.write(b'{"kind":"decision",\n')

    ran = hits(*SINCE)

    assert ran.returncode == 1
    assert "2013-09-30 08 UTC cannot be read" in ran.stderr
