"""Warnings as clerks look through them and note what came of them."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from subprocess import CompletedProcess

import pytest

from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.stores import Stores
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
END = NOON + timedelta(minutes=3)
WALK = WarningCount(
    WarningKind(WarningCode.W9, "R28", "shop", "10690001"), None, 51, 51, NOON, END, ("4:101",)
)
MISUSE = WarningCount(
    WarningKind(WarningCode.W3, "R05", "gone", "10690003"),
    Severity.SERIOUS,
    2,
    0,
    NOON,
    END,
    ("8000000000000000001", "4:7"),
    "loan",
    "c0123456789abcdef",
)


@pytest.fixture
def config(options: tuple[str, ...], in_store: InStore) -> tuple[str, ...]:
    """Return the option that names a deployment with two warnings: 1 a walk, 2 a violation."""
    in_store(lambda stores: stores.warnings.add([WALK, MISUSE]))
    return options[:2]


def listed(cli: Cli, *arguments: str) -> list[int]:
    told = json.loads(cli("warnings", "list", "--json", *arguments).stdout)
    return [one["number"] for one in told]


def test_warnings_are_listed_with_who_what_and_how_often(cli: Cli, config: tuple[str, ...]) -> None:
    shown = cli("warnings", "list", *config).stdout

    for text in (
        *("W9 号段群发或空号比例高", "51 in shadow mode", "10690001", "R05", "serious", "open"),
        *("loan (advert)", "c0123456789abcdef"),
    ):
        assert text in shown


def test_a_list_is_narrowed_by_sp_code_state_and_severity(
    cli: Cli, config: tuple[str, ...]
) -> None:
    assert listed(cli, *config) == [2, 1]
    assert listed(cli, "--system-id", "shop", *config) == [1]
    assert listed(cli, "--code", "W3", *config) == [2]
    assert listed(cli, "--state", "closed", *config) == []
    assert listed(cli, "--violations", *config) == [2]
    assert listed(cli, "--before", "2", *config) == [1]


def test_a_page_says_how_to_get_the_next(cli: Cli, config: tuple[str, ...]) -> None:
    assert "--before 2" in cli("warnings", "list", "--limit", "1", *config).stdout
    assert cli("warnings", "list", "--limit", "0", *config).returncode == 2


def test_where_there_are_none_that_is_said(
    cli: Cli, options: tuple[str, ...], in_store: InStore
) -> None:
    in_store(lambda _stores: None)

    assert "no warnings" in cli("warnings", "list", *options[:2]).stdout


def test_a_warning_is_shown_with_places_in_the_records(cli: Cli, config: tuple[str, ...]) -> None:
    shown = cli("warnings", "show", "2", *config).stdout
    told = json.loads(cli("warnings", "show", "2", "--json", *config).stdout)

    for text in ("非营销端口发送营销内容", "8000000000000000001", "4:7", "serious"):
        assert text in shown
    assert told == {
        "number": 2,
        "state": "open",
        "code": "W3",
        "meaning": {
            "zh": "非营销端口发送营销内容",
            "en": "promotion from a port for another purpose",
        },
        "rule": "R05",
        "severity": "serious",
        "category": "loan",
        "campaign": "c0123456789abcdef",
        "system_id": "gone",
        "port": "10690003",
        "messages": 2,
        "on_trial": 0,
        "first_at": "2026-11-25T12:00:00+00:00",
        "last_at": "2026-11-25T12:03:00+00:00",
        "samples": ["8000000000000000001", "4:7"],
        "due_at": "2026-11-26T12:00:00+00:00",
        "escalated_at": None,
        "answer": None,
        "closing": None,
    }


def test_an_answer_is_noted_with_who_took_it(cli: Cli, config: tuple[str, ...]) -> None:
    done = cli("warnings", "answer", "1", "--note", "名单已删除", "--by", "lin", *config)
    closed = cli("warnings", "close", "1", "--note", "none in 14 days", "--by", "wang", *config)

    told = json.loads(cli("warnings", "show", "1", "--json", *config).stdout)
    shown = cli("warnings", "show", "1", *config).stdout
    assert (done.returncode, closed.returncode) == (0, 0)
    assert told["state"] == "closed"
    assert (told["answer"]["by"], told["answer"]["note"]) == (acting("lin"), "名单已删除")
    assert (told["closing"]["by"], told["closing"]["note"]) == (acting("wang"), "none in 14 days")
    assert "名单已删除" in shown


@pytest.mark.parametrize(("command", "state"), [("answer", "answered"), ("close", "closed")])
def test_what_is_noted_is_told_to_programs(
    cli: Cli, config: tuple[str, ...], command: str, state: str
) -> None:
    told = json.loads(cli("warnings", command, "1", "--note", "a", "--json", *config).stdout)

    shown = json.loads(cli("warnings", "show", "1", "--json", *config).stdout)
    assert told == shown
    assert told["state"] == state


def test_what_is_answered_is_not_answered_again(cli: Cli, config: tuple[str, ...]) -> None:
    cli("warnings", "answer", "1", "--note", "a", *config)
    again = cli("warnings", "answer", "1", "--note", "b", *config)
    cli("warnings", "close", "1", "--note", "c", *config)
    closed = cli("warnings", "close", "1", "--note", "d", *config)

    assert (again.returncode, closed.returncode) == (1, 1)
    assert "warning 1 is answered already" in again.stderr
    assert "warning 1 is closed already" in closed.stderr


@pytest.mark.parametrize(
    "command", [("show", "9"), ("answer", "9", "--note", "x"), ("close", "9", "--note", "x")]
)
def test_a_warning_that_there_is_none_of_is_said(
    cli: Cli, config: tuple[str, ...], command: tuple[str, ...]
) -> None:
    done = cli("warnings", *command, *config)

    assert done.returncode == 1
    assert "there is no warning 9" in done.stderr
    assert "warnings list" in done.stderr


@pytest.mark.parametrize("note", ["", "  ", "长" * 1001])
def test_a_note_that_says_nothing_or_too_much_is_refused(
    cli: Cli, config: tuple[str, ...], note: str
) -> None:
    done = cli("warnings", "answer", "1", "--note", note, *config)

    assert done.returncode == 2
    assert "1 to 1000 characters" in done.stderr


def test_a_code_that_there_is_none_of_is_refused(cli: Cli, config: tuple[str, ...]) -> None:
    assert cli("warnings", "list", "--code", "W14", *config).returncode == 2


def test_r95_overdue_lists_what_the_sp_did_not_answer_in_24_hours(
    cli: Cli, options: tuple[str, ...], in_store: InStore
) -> None:
    past, ahead = NOON.replace(year=2020), NOON.replace(year=2090)
    counts = [replace(WALK, first_at=past), replace(MISUSE, first_at=ahead)]
    in_store(lambda stores: stores.warnings.add(counts))
    config = options[:2]

    assert listed(cli, *config) == [2, 1]
    assert listed(cli, "--overdue", *config) == [1]
    assert "answer due 11-26 12:00" in cli("warnings", "list", "--overdue", *config).stdout
    cli("warnings", "answer", "1", "--note", "fixed", *config)
    assert listed(cli, "--overdue", *config) == []
