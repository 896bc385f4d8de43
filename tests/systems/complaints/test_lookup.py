"""`smsward complaints list`, `show` and `status`: complaints looked up on the command line."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.stores import Stores
from gateway.systems.complaints.model import Complaint
from tests.systems.complaints.conftest import SUBSCRIBER, ComplaintBuilder

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

NUMBER = "13800138000"
TEXT = f"贷款请加微信，或致电{NUMBER}"


@pytest.fixture
def complaints(cli: Cli, deployment: Path, in_store: InStore, complaint: ComplaintBuilder) -> Cli:
    new = complaint(text=TEXT, sender="95588")
    given = {name: getattr(new, name) for name in new.__dataclass_fields__}
    kept = Complaint(**given, number=0, taken_at=new.reported_at)
    in_store(lambda stores: stores.complaints.receive([kept], lambda _one: []))
    return lambda *arguments: cli("complaints", *arguments, "--config", str(deployment / "config"))


def test_complaints_are_shown_masked_and_a_look_at_a_text_is_journaled(
    complaints: Cli, cli: Cli, deployment: Path
) -> None:
    (listed,) = json.loads(complaints("list", "--state", "received", "--json").stdout)
    status = complaints("status", NUMBER)
    shown = json.loads(complaints("show", "1", "--json").stdout)
    whole = complaints("show", "1", "--unmask", "--reason", "case 12")
    journal = cli("audit", "show", "--json", "--config", str(deployment / "config"))

    assert listed["reporter"] == shown["reporter"] == "138****8000"
    assert "text" not in listed
    assert shown["text"] == TEXT.replace(NUMBER, "138****8000")
    assert "received" in status.stdout
    assert str(SUBSCRIBER) in whole.stdout
    assert [one["reason"] for one in json.loads(journal.stdout)] == ["case 12", ""]


def test_what_is_not_there_is_said(complaints: Cli) -> None:
    absent, none = complaints("show", "9"), complaints("list", "--state", "valid")

    assert (absent.returncode, none.returncode) == (1, 0)
    assert "there is no complaint 9" in absent.stderr
    assert "no such complaints" in none.stdout + none.stderr
