"""`smsward suspension`: numbers that may send nothing, on the command line."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.suspension import (
    SUBSCRIBER,
    Lift,
    NewPortSuspension,
    NewSuspension,
    Suspension,
    SuspensionState,
)
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Kept = Callable[[], list[Suspension]]

NUMBER, MASKED = "13900139000", "139****9000"
MSISDN = 8613900139000
WHY = ("--note", "case 118", "--by", "clerk 7")


@pytest.fixture
def suspension(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    in_store(lambda _stores: None)
    return lambda *arguments: cli("suspension", *arguments, "--config", str(deployment / "config"))


@pytest.fixture
def kept(in_store: InStore) -> Kept:
    def kept() -> list[Suspension]:
        found: list[Suspension] = []

        async def look(stores: Stores) -> None:
            found.extend(await stores.suspensions.listed())

        in_store(look)
        return found

    return kept


@pytest.fixture
def found(in_store: InStore) -> None:
    """Two numbers that a rule suspended; the second lifted that itself."""

    async def suspend(stores: Stores) -> None:
        since = utcnow()
        for nth in range(2):
            new = NewSuspension(MSISDN + nth, "sp1", "R43", since, since + timedelta(days=3))
            await stores.suspensions.suspend(new)
        await stores.suspensions.claim_telling(1)
        await stores.suspensions.lift(2, Lift(since, SUBSCRIBER))

    in_store(suspend)


def test_r43_a_clerk_suspends_a_number_and_lifts_it_again(suspension: Command, kept: Kept) -> None:
    added = suspension("add", NUMBER, "--days", "2", *WHY)
    (active,) = kept()
    lifted = suspension("lift", NUMBER, "--note", "checked", "--by", "clerk 8")
    (over,) = kept()

    assert (added.returncode, lifted.returncode) == (0, 0)
    assert added.stdout.startswith(f"{MASKED}: suspended until 20")
    assert lifted.stdout == f"{MASKED}: lifted; the caps of the hour and of the day go on to hold\n"
    assert (active.msisdn, active.rule, active.note) == (
        MSISDN,
        "",
        f"{acting('clerk 7')}: case 118",
    )
    assert active.until - active.since == timedelta(days=2)
    assert active.is_told  # a clerk's suspension is told by the clerk
    assert (over.state, over.lifted_by, over.note) == (
        SuspensionState.LIFTED,
        acting("clerk 8"),
        f"{acting('clerk 8')}: checked",
    )


def test_a_suspended_number_is_not_suspended_again(suspension: Command) -> None:
    suspension("add", NUMBER, *WHY)

    again = suspension("add", NUMBER, *WHY)

    assert again.returncode == 1
    assert f"{MASKED} is suspended already" in again.stderr


def test_what_is_not_suspended_cannot_be_lifted(suspension: Command) -> None:
    ran = suspension("lift", NUMBER, *WHY)

    assert ran.returncode == 1
    assert f"{MASKED} is not suspended" in ran.stderr


@pytest.mark.usefixtures("found")
def test_suspensions_are_listed_the_newest_first(suspension: Command) -> None:
    table = suspension("list").stdout
    listed = json.loads(suspension("list", "--json").stdout)
    active = json.loads(suspension("list", "--state", "active", "--json").stdout)
    full = suspension("list", "--limit", "1").stdout

    assert "by the number itself" in table
    assert [one["no"] for one in listed] == [2, 1]
    assert [one["state"] for one in listed] == ["lifted", "active"]
    assert [one["lifted_by"] for one in listed] == ["the number itself", None]
    assert [one["told"] for one in listed] == [False, True]
    assert [one["number"] for one in active] == [MASKED]
    assert "there may be more" in full


def test_where_there_are_none_it_says_so(suspension: Command) -> None:
    assert suspension("list").stdout == "no such suspensions\n"
    assert suspension("list", "--json").stdout == "[]\n"


@pytest.mark.usefixtures("found")
def test_one_number_is_shown_with_what_is_on_record_of_it(suspension: Command) -> None:
    suspended = suspension("show", NUMBER)
    restored = suspension("show", str(MSISDN + 1))
    as_json = json.loads(suspension("show", NUMBER, "--json").stdout)

    assert "R43" in suspended.stdout
    assert f"{MASKED} is suspended until 20" in suspended.stdout
    assert "139****9001 may send\n" in restored.stdout
    assert (as_json["number"], as_json["suspended"]) == (MASKED, True)
    assert [one["rule"] for one in as_json["suspensions"]] == ["R43"]


def test_a_number_of_which_nothing_is_known_may_send(suspension: Command) -> None:
    assert suspension("show", NUMBER).stdout == f"{MASKED} may send\n"


def test_what_was_done_is_printed_as_json(suspension: Command) -> None:
    added = json.loads(suspension("add", NUMBER, *WHY, "--json").stdout)
    lifted = json.loads(suspension("lift", NUMBER, *WHY, "--json").stdout)

    assert (added["number"], added["state"], added["told"]) == (MASKED, "active", False)
    assert (added["rule"], added["system_id"]) == (None, None)
    assert lifted == {"number": MASKED, "lifted": True}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("add", "abc", *WHY), "is no subscriber number"),
        (("add", NUMBER, "--days", "0", *WHY), "--days: 1 to 366"),
        (("add", NUMBER, "--days", "367", *WHY), "--days: 1 to 366"),
        (("add", NUMBER, "--note", " "), "--note: 1 to 1000 characters"),
        (("lift", NUMBER, "--note", "x" * 1001), "--note: 1 to 1000 characters"),
        (("list", "--limit", "0"), "--limit: 1 to 10000"),
    ],
)
def test_a_command_line_that_cannot_be_meant_changes_nothing(
    suspension: Command, kept: Kept, arguments: tuple[str, ...], problem: str
) -> None:
    ran = suspension(*arguments)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert kept() == []


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("command", [("list",), ("list", "--json"), ("show", NUMBER)])
def test_no_number_is_printed_whole(suspension: Command, command: tuple[str, ...]) -> None:
    assert NUMBER not in suspension(*command).stdout


def test_a_person_suspends_a_port_and_lifts_it(suspension: Command) -> None:
    added = suspension("add-port", "shop", "10690001", *WHY)
    again = suspension("add-port", "shop", "10690001", *WHY)
    (listed,) = json.loads(suspension("ports", "--json").stdout)
    lifted = suspension("lift-port", "shop", "10690001", *WHY)
    suspended = json.loads(suspension("add-port", "shop", "10690001", *WHY, "--json").stdout)

    assert (added.returncode, added.stdout) == (0, "port 10690001 of shop: suspended\n")
    assert (again.returncode, "is suspended already" in again.stderr) == (1, True)
    assert (listed["port"], "case 118" in listed["note"]) == ("10690001", True)
    assert lifted.returncode == 0
    assert suspended == {"system_id": "shop", "port": "10690001", "suspended": True}


def test_r96_what_a_sanction_suspends_is_lifted_by_its_number(
    suspension: Command, in_store: InStore
) -> None:
    by_sanction = NewPortSuspension("shop", "10690001", utcnow(), "wu", "sanction 3", sanction=3)
    in_store(lambda stores: stores.suspended_ports.suspend(by_sanction))
    suspension("add-port", "shop", "10690001", *WHY)

    lifted = suspension("lift-port", "shop", "10690001", *WHY)
    again = suspension("lift-port", "shop", "10690001", *WHY)
    listed = suspension("ports").stdout
    fixed = suspension("lift-port", "shop", "10690001", "--sanction", "3", *WHY, "--json")
    over = suspension("lift-port", "shop", "10690001", "--sanction", "3", *WHY)

    assert lifted.stdout == ("port 10690001 of shop: lifted, and still suspended by sanction 3\n")
    assert again.returncode == over.returncode == 1
    assert "port 10690001 of shop is suspended by sanction 3" in again.stderr
    assert "is not suspended by sanction 3" in over.stderr
    assert "sanction 3" in listed
    assert json.loads(fixed.stdout)["still_suspended"] is False


def test_r63_a_person_blocks_a_number_of_another_network_for_30_days(suspension: Command) -> None:
    added = suspension("add-port", "mt_in", "1065712345", *WHY)
    (listed,) = json.loads(suspension("ports", "--json").stdout)
    lasts = datetime.fromisoformat(listed["until"]) - datetime.fromisoformat(listed["since"])
    shown = suspension("ports").stdout

    assert (added.returncode, listed["system_id"]) == (0, "mt_in")
    assert round(lasts / timedelta(days=1)) == 30
    assert "until" in shown
    assert suspension("lift-port", "mt_in", "1065712345", *WHY).returncode == 0


@pytest.mark.parametrize(
    ("sender", "port", "problem"),
    [
        ("nobody", "10690001", "10690001 is no port of nobody"),
        ("mt_in", "10690001", "10690001 is no port of mt_in"),
        ("mt_in", NUMBER, f"{MASKED} is no port of mt_in"),
        ("shop", "10690099", "10690099 is no port of shop"),
        ("shop", NUMBER, f"{MASKED} is no port of shop"),
    ],
)
def test_a_port_that_is_not_the_senders_is_not_suspended(
    suspension: Command, sender: str, port: str, problem: str
) -> None:
    ran = suspension("add-port", sender, port, *WHY)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert json.loads(suspension("ports", "--json").stdout) == []
