"""`smsward audit`: read, verified and exported on the command line."""

import json
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.records import NewAccess
from gateway.stores import Stores
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]


@pytest.fixture
def audit(cli: Cli, deployment: Path, in_store: InStore, noon: datetime) -> Cli:
    """Return `smsward audit` on a store with three entries."""

    async def note(stores: Stores) -> None:
        for number, action in enumerate(("user sign-in", "quarantine show", "trace"), start=1):
            access = NewAccess("user: lin", action, "", f"message {number}", noon)
            await stores.journals.note_access(access)

    in_store(note)
    config = str(deployment / "config")
    return lambda *arguments: cli("audit", *arguments, "--config", config)


def test_entries_are_shown_the_newest_first_and_filtered(audit: Cli) -> None:
    listed = json.loads(audit("show", "--json").stdout)
    looks = json.loads(audit("show", "--kind", "look", "--before", "3", "--json").stdout)
    none = audit("show", "--by", "%")

    assert [one["number"] for one in listed] == [3, 2, 1]
    assert [(one["kind"], one["about"]) for one in looks] == [("look", "message 2")]
    assert none.stdout == "nothing fits\n"
    assert "message 2" in audit("show", "--about", "message 2").stdout


def test_a_time_is_one_of_utc_unless_it_has_an_offset(audit: Cli) -> None:
    since = audit("show", "--from", "2025-11-25T12:00", "--json").stdout
    until = audit("show", "--to", "2025-11-25T20:00+08:00", "--json").stdout

    assert len(json.loads(since)) == 3
    assert json.loads(until) == []


@pytest.mark.parametrize(
    ("act", "broken", "problem"),
    [
        ("UPDATE access_log SET by = 'nobody' WHERE number = 2", 2, "it was changed"),
        ("DELETE FROM access_log WHERE number = 2", 2, "it is missing"),
        (
            "INSERT INTO access_log(by, action, reason, about, at) VALUES('lin', 'x', '', '', 1)",
            4,
            "it was changed",
        ),
    ],
)
def test_an_entry_that_was_changed_deleted_or_put_in_is_named(
    audit: Cli, deployment: Path, act: str, broken: int, problem: str
) -> None:
    whole = audit("verify")
    with closing(sqlite3.connect(deployment / "var/smsward.db", isolation_level=None)) as opened:
        for wall in ("insert", "update", "delete"):
            opened.execute(f"DROP TRIGGER tr_access_log_{wall}")
        opened.execute(act)

    ran = audit("verify", "--json")

    state = json.loads(ran.stdout)[0]
    assert (whole.returncode, ran.returncode) == (0, 1)
    assert (state["journal"], state["broken"], state["problem"]) == ("access_log", broken, problem)


def test_a_head_that_the_log_had_finds_a_chain_that_was_made_anew(audit: Cli) -> None:
    head = json.loads(audit("verify", "--json").stdout)[0]["head"]

    same = audit("verify", "--head", f"3:{head}")
    other = audit("verify", "--head", f"2:{head}")
    wrong = audit("verify", "--head", "3")

    assert (same.returncode, other.returncode, wrong.returncode) == (0, 1, 2)
    assert "it is not the row that was noted" in other.stdout


def test_an_export_is_private_verified_and_in_the_audit_itself(audit: Cli, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    ran = audit("export", "--kind", "look", "-o", str(path), "--json")
    whole = audit("verify", "--export", str(path), "--json")
    path.write_bytes(path.read_bytes().replace(b"message 2", b"message 9"))
    changed = audit("verify", "--export", str(path))

    newest, *_ = json.loads(audit("show", "--json").stdout)
    assert json.loads(ran.stdout) == {"output": str(path), "entries": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (whole.returncode, json.loads(whole.stdout)["entries"]) == (0, 2)
    assert (changed.returncode, "its digest is another one" in changed.stdout) == (1, True)
    assert (newest["by"], newest["action"], newest["about"]) == (
        acting(None),
        "audit export",
        "entries of look",
    )


def test_an_export_that_is_not_there_is_said(audit: Cli, tmp_path: Path) -> None:
    ran = audit("verify", "--export", str(tmp_path / "none.jsonl"))

    assert ran.returncode == 1
    assert "cannot be read" in ran.stderr
