"""`smsward preferences holds`: what a clerk sees of what a subscriber's own rule holds."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.quarantine import HeldMessage
from gateway.stores import Stores

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Hold = Callable[..., HeldMessage]

NUMBER = "13800138000"
OWN = {"reason": "USER_PREF", "rule": "R50"}


@pytest.fixture
def holds(cli: Cli, deployment: Path, in_store: InStore) -> Cli:
    in_store(lambda _stores: None)
    config = str(deployment / "config")
    return lambda *arguments: cli("preferences", "holds", *arguments, "--config", config)


def test_r50_a_clerk_sees_what_waits_for_a_subscriber_and_no_text(holds: Cli, hold: Hold) -> None:
    own = hold(message_id=8_1764072000000_00_001, **OWN)
    hold(message_id=8_1764072000000_00_002)

    ran, table = holds(NUMBER, "--json"), holds(NUMBER)

    shown = json.loads(ran.stdout)
    assert (ran.returncode, table.returncode) == (0, 0)
    assert shown["number"] == "138****8000"
    assert [(one["message_ids"], one["source"]) for one in shown["holds"]] == [
        ([str(own.message_id)], own.source)
    ]
    assert str(own.message_id) in table.stdout
    assert "138****8000" in table.stdout
    assert NUMBER not in ran.stdout + table.stdout


def test_nothing_that_waits_is_said_so(holds: Cli) -> None:
    ran = holds(NUMBER)

    assert (ran.returncode, ran.stdout.strip()) == (0, "nothing waits for 138****8000")


def test_what_is_no_number_is_the_callers_fault(holds: Cli) -> None:
    ran = holds("INFO")

    assert ran.returncode == 2
    assert "number" in ran.stderr
