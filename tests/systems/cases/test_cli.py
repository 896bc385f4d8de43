"""Cases as officers open, look through and work on them."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import TypeAlias

import pytest

from gateway.policy.hours import HolidayCalendar
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.cases.model import (
    Actor,
    CaseComplaint,
    CaseFeedback,
    CaseFinding,
    ClockProfile,
)
from gateway.systems.cases.service import CaseDesk
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
ComplaintBuilder: TypeAlias = Callable[..., CaseComplaint]
Write = Callable[[str, str], Path]

PERSON = "13800138001"
CAMPAIGN = "5f1c0a9b7d3e2468"


@pytest.fixture
def ask(cli: Cli, options: tuple[str, ...], in_store: InStore, write: Write) -> Cli:
    """Return what runs `smsward cases ACT` in a deployment whose policies have a calendar."""
    in_store(lambda _stores: None)
    years = "".join(f"  {utcnow().year + more}: {{holidays: {{}}}}\n" for more in (0, 1))
    write("policies/calendars/cn.yaml", f"version: 1\nname: cn\nyears:\n{years}")
    bundle = Path(options[3], "bundle.yaml")
    bundle.write_text(bundle.read_text("utf-8") + "\ncalendar: calendars/cn.yaml\n", "utf-8")

    def ask(what: str, *arguments: str) -> CompletedProcess[str]:
        places = options[:2] if what in ("list", "show") else options
        return cli("cases", what, *arguments, *places)

    return ask


@pytest.fixture
def opened(ask: Cli) -> Cli:
    """Return what runs a command where case 1 was opened by a complaint of fraud."""
    about = ("--campaign", CAMPAIGN, "--sender", PERSON, "--category", "fraud")
    assert ask("open", "118", *about, "--by", "lin").returncode == 0
    return ask


def shown(ask: Cli, number: str = "1") -> dict[str, object]:
    case: dict[str, object] = json.loads(ask("show", number, "--json").stdout)
    return case


def test_complaints_of_one_campaign_are_put_into_one_case(ask: Cli) -> None:
    about = ("--campaign", CAMPAIGN, "--category", "涉嫌诈骗")

    first = ask("open", "118", *about, "--sender", "1069000112")
    second = ask("open", "119", *about, "--sender", PERSON, "--json")
    again = ask("open", "119", *about, "--sender", PERSON)

    assert first.stdout == "case 1: opened\n"
    assert json.loads(second.stdout) == {"complaint": 119, "case_number": 1, "act": "join"}
    assert again.stdout == "case 1: it is there already\n"
    case = shown(ask)
    assert (case["complaints"], case["category"], case["state"]) == (2, "fraud", "open")
    assert case["front_owner"] == case["responsible"]
    assert case["newest_complaints"] == [
        {"complaint": 119, "sender": "138****8001"},
        {"complaint": 118, "sender": "1069000112"},
    ]


def test_a_case_is_worked_on_from_dispatch_to_its_end(opened: Cli) -> None:
    for arguments in (
        ("act", "1", "dispatch", "--to", "telecom/广东"),
        ("act", "1", "accept"),
        ("act", "1", "verify", "--note", "asked the SP"),
        ("measure", "1", "--kind", "number_suspended", "--about", PERSON),
        ("feedback", "1", "--finding", "confirmed", "--evidence", "records, line 118"),
        ("act", "1", "tell"),
        ("act", "1", "close"),
    ):
        ran = opened(*arguments, "--by", "lin")
        assert ran.returncode == 0, ran.stderr

    case = shown(opened)
    assert case["state"] == "closed"
    journal = case["journal"]
    assert isinstance(journal, list)
    assert [one["act"] for one in journal] == [
        *("open", "dispatch", "accept", "verify", "measure", "feedback", "tell_user", "close")
    ]
    assert {one["by"] for one in journal} == {acting("lin")}
    again = opened("act", "1", "reopen", "--json")
    assert json.loads(again.stdout)["severity"] == "serious"


def test_people_see_clocks_measures_and_the_journal_with_numbers_masked(opened: Cli) -> None:
    opened("act", "1", "verify", "--note", "asked the SP")
    opened("measure", "1", "--kind", "number_suspended", "--about", PERSON)

    text = opened("show", "1").stdout

    for words in ("feedback", "number_suspended 138****8001", "118: 138****8001", "asked the SP"):
        assert words in text
    assert PERSON not in text


def test_cases_are_listed_and_narrowed(opened: Cli) -> None:
    opened("open", "200", "--campaign", "other", "--sender", "1069000112")
    opened("act", "2", "verify")

    def numbers(*arguments: str) -> list[int]:
        return [one["number"] for one in json.loads(opened("list", "--json", *arguments).stdout)]

    assert numbers() == [2, 1]
    assert numbers("--state", "verifying") == [2]
    assert numbers("--campaign", CAMPAIGN) == [1]
    assert numbers("--category", "fraud") == [1]
    assert numbers("--before", "2") == [1]
    assert numbers("--owner", "nobody") == []
    listed = opened("list", "--limit", "1").stdout
    assert "verifying" in listed
    assert "older ones: add --before 2" in listed
    assert opened("list", "--owner", "nobody").stdout == "no such cases\n"


def test_r84_assist_tasks_are_listed_and_shown(opened: Cli) -> None:
    opened("open", "200", "--campaign", "other", "--sender", "1069000112")
    opened("act", "2", "dispatch", "--to", "telecom/广东")

    (task,) = json.loads(opened("list", "--assist", "--json").stdout)

    assert (task["number"], task["state"], task["is_assist"]) == (2, "dispatched", True)
    assert "(assist here)" in opened("list").stdout
    assert "is assist" in opened("show", "2").stdout
    assert not shown(opened)["is_assist"]


def test_cases_are_searched_and_a_look_for_a_person_is_journaled(
    opened: Cli, cli: Cli, options: tuple[str, ...]
) -> None:
    opened("open", "200", "--campaign", "other", "--sender", "1069000112")

    def numbers(*arguments: str) -> list[int]:
        return [one["number"] for one in json.loads(opened("list", "--json", *arguments).stdout)]

    assert numbers("--sender", "1069000112") == numbers("--prefix", "1069") == [2]
    assert numbers("--sender", PERSON) == [1]
    assert numbers("--reporter", PERSON) == numbers("--words", "贷款") == []
    assert opened("list", "--reporter", "no number").returncode == 2
    assert opened("list", "--words", " ").returncode == 2
    journal = cli("audit", "show", "--json", *options[:2]).stdout
    assert "cases of the sender 138****8001" in journal
    assert "cases of the reporter 138****8001" in journal
    assert "cases by words of the text" in journal
    assert PERSON not in journal


def test_overdue_cases_are_listed_with_the_clock_that_ran_out(
    opened: Cli, in_store: InStore, complaint: ComplaintBuilder
) -> None:
    then = utcnow() - timedelta(days=2)
    late = complaint(7, campaign="late", profile=ClockProfile.INTERNAL, taken_at=then)

    async def take(stores: Stores) -> None:
        await CaseDesk(stores.cases, lambda: HolidayCalendar("none")).take([late], "intake")

    in_store(take)

    (case,) = json.loads(opened("list", "--overdue", "--json").stdout)

    assert (case["number"], case["overdue"]) == (2, ["first_response"])
    assert "OVERDUE" in opened("list", "--overdue").stdout
    narrowed = opened("list", "--overdue", "--state", "open", "--json").stdout
    assert [one["number"] for one in json.loads(narrowed)] == [2]
    assert opened("list", "--overdue", "--owner", "nobody").stdout == "no such cases\n"


def test_r85_a_confirmed_finding_without_a_measure_is_refused(opened: Cli) -> None:
    opened("act", "1", "verify")

    ran = opened("feedback", "1", "--finding", "confirmed", "--evidence", "line 118")

    assert ran.returncode == 1
    assert "case 1 is verifying: a confirmed finding needs a measure and its time" in ran.stderr


def test_r90_one_person_is_not_two_whatever_name_is_given(
    opened: Cli, in_store: InStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened("act", "1", "verify")
    monkeypatch.setattr("gateway.terminal.options.login_name", lambda: "")
    assert "an account alone is no person" in opened("refer", "1", "--authority", "police").stderr
    monkeypatch.setattr("gateway.terminal.options.login_name", lambda: "lin")

    first = opened("refer", "1", "--authority", "police")
    again = opened("refer", "1", "--authority", "police")
    named = opened("refer", "1", "--authority", "police", "--by", "wu")

    assert "one approval of two that it goes to police" in first.stdout
    assert again.returncode == 1
    assert "another person must approve" in again.stderr
    assert named.returncode == 2

    async def approve(stores: Stores) -> None:
        desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
        await desk.refer(1, "police", Actor("wu", utcnow()))

    in_store(approve)
    assert shown(opened)["state"] == "referred"


def test_r85_a_drawn_case_gets_its_second_look_from_who_has_logged_in(
    opened: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for act in (
        ("act", "1", "verify"),
        ("feedback", "1", "--finding", "unfounded"),
        ("act", "1", "tell"),
        ("act", "1", "close"),
    ):
        assert opened(*act, "--by", "lin").returncode == 0
    monkeypatch.setattr("gateway.terminal.options.login_name", lambda: "")
    drawn = json.loads(opened("draw", "--by", "wang", "--json").stdout)
    nobody = opened("recheck", "1", "agreed")
    monkeypatch.setattr("gateway.terminal.options.login_name", lambda: "wang")

    looked = opened("recheck", "1", "reversed", "--note", "still in use")

    assert [one["recheck"] for one in drawn] == ["drawn"]
    assert "an account alone is no person" in nobody.stderr
    assert opened("draw").stdout == "enough were drawn already\n"
    assert "case 1 is reopened" in looked.stdout


@pytest.mark.parametrize("by", ["lin", "smsward (login lin)", "wu (said by smsward, login lin)"])
def test_r85_who_worked_on_a_case_looks_no_second_time_under_any_name(
    opened: Cli, in_store: InStore, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    async def close(stores: Stores) -> None:
        desk, who = CaseDesk(stores.cases, lambda: HolidayCalendar("none")), Actor(by, utcnow())
        await desk.verify(1, who)
        await desk.feedback(1, CaseFeedback(CaseFinding.UNFOUNDED), who)
        await desk.tell_user(1, who)
        await desk.close(1, who)

    in_store(close)
    monkeypatch.setattr("gateway.terminal.options.login_name", lambda: "lin")
    opened("draw")

    ran = opened("recheck", "1", "agreed")

    assert ran.returncode == 1
    assert "ask another person" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("draw", "--share", "4"), 2, "--share is from 5 to 100"),
        (("recheck", "1", "drawn"), 2, "RESULT is agreed or reversed"),
        (("act", "7", "accept"), 1, "there is no case 7"),
        (("show", "7"), 1, "there is no case 7"),
        (("act", "1", "accept"), 1, "accept is not possible while it is open"),
        (("act", "1", "verify", "--to", "cmcc/广东"), 2, "goes with dispatch"),
        (("act", "1", "dispatch"), 2, "owner: 1 to 64"),
        (("act", "1", "note"), 2, "note: 1 to 1000"),
        (("open", "9", "--campaign", "", "--sender", "1069"), 2, "campaign: 1 to 64"),
        (("open", "9", "--campaign", "c", "--sender", "1" * 21), 2, "sender: 1 to 20"),
        (("open", "9", "--campaign", "c", "--sender", "1", "--category", "x"), 2, "no category x"),
    ],
)
def test_what_cannot_be_done_is_said(
    opened: Cli, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = opened(*arguments)

    assert ran.returncode == code
    assert said in ran.stderr


def test_without_a_calendar_a_due_time_is_unknown_and_said_so(
    cli: Cli, options: tuple[str, ...], in_store: InStore
) -> None:
    in_store(lambda _stores: None)
    cli("cases", "open", "1", "--campaign", "c", "--sender", "1069", *options)

    text = cli("cases", "list", *options[:2]).stdout

    assert "due unknown" in text


def test_policies_with_faults_are_named(cli: Cli, options: tuple[str, ...], write: Write) -> None:
    write("policies/bundle.yaml", "version: 1\nname: broken\ncalendar: calendars/none.yaml\n")

    ran = cli("cases", "act", "1", "accept", *options)

    assert ran.returncode == 2
    assert "the policies cannot be used" in ran.stderr
