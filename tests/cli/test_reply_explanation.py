"""`smsward explain mo`."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from gateway.policy.replies import Intent, ReplyMeaning

Cli = Callable[..., CompletedProcess[str]]
Answers = list[dict[str, Any]]
AskFile = Callable[..., tuple[int, Answers]]


@pytest.fixture
def explain(cli: Cli) -> Cli:
    """Return a function that asks about one reply."""

    def explain(text: str, *more: str) -> CompletedProcess[str]:
        who = ("--from", "13800138000", "--to", "10690001")
        return cli("explain", "mo", *who, f"--text={text}", *more)

    return explain


@pytest.fixture
def ask_file(cli: Cli, tmp_path: Path) -> AskFile:
    """Return a function that asks about a file of these lines; exit code and answers."""

    def ask_file(*lines: bytes) -> tuple[int, Answers]:
        path = tmp_path / "replies.jsonl"
        path.write_bytes(b"\n".join(lines))
        ran = cli("explain", "mo", "--file", str(path))
        return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()]

    return ask_file


@pytest.mark.parametrize(
    ("text", "options", "want"),
    [
        ("TD", (), ReplyMeaning(Intent.OPTOUT, "sender")),
        ("TD畅听包", (), ReplyMeaning(Intent.OPTOUT, "service", "畅听包")),
        ("R", (), ReplyMeaning(Intent.NONE)),
        ("R", ("--advertised", "R"), ReplyMeaning(Intent.OPTOUT, "sender")),
        ("是", (), ReplyMeaning(Intent.NONE)),
        ("是", ("--pending",), ReplyMeaning(Intent.CONFIRM)),
        ("1,3", ("--listed", "3"), ReplyMeaning(Intent.OPTOUT_ITEMS, items=(1, 3))),
        ("-1", (), ReplyMeaning(Intent.NONE)),
        ("", (), ReplyMeaning(Intent.NONE)),
    ],
)
def test_json_is_one_line_of_intent_scope_service_and_items(
    explain: Cli, text: str, options: tuple[str, ...], want: ReplyMeaning
) -> None:
    ran = explain(text, "--json", *options)

    assert ran.returncode == 0
    assert ran.stdout.count("\n") == 1
    assert json.loads(ran.stdout) == {
        "intent": want.intent,
        "scope": want.scope,
        "service": want.service,
        "items": list(want.items),
    }


@pytest.mark.parametrize(
    ("lang", "said", "unsaid"),
    [
        ("en", ("meaning", "cancels these items"), ("含义", "取消列表中的这些业务")),
        ("zh", ("含义", "取消列表中的这些业务", "须加 --config"), ("meaning", "cancels", "orders")),
    ],
)
def test_people_read_the_meaning_and_the_rule_in_their_language(
    explain: Cli, lang: str, said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    ran = explain("1,3", "--listed", "3", "--lang", lang)

    assert ran.returncode == 0
    assert [
        words for words in ("optout_items", "1, 3", "R35", *said) if words not in ran.stdout
    ] == []
    assert [words for words in unsaid if words in ran.stdout] == []


@pytest.mark.parametrize(
    ("text", "options", "rule"),
    [
        ("TD", (), "R31"),
        ("0000", (), "R33"),
        ("00000", (), "R34"),
        ("QX2", (), "R35"),
        ("HF", (), "R37"),
        ("YES", ("--pending",), "R24"),
        ("NO", ("--pending",), "R24"),
        ("YES", (), "R27"),
        ("HELP", (), "asks for help"),
    ],
)
def test_every_intent_names_its_rule(
    explain: Cli, text: str, options: tuple[str, ...], rule: str
) -> None:
    assert rule in explain(text, *options).stdout


def test_the_number_of_the_subscriber_is_masked(explain: Cli) -> None:
    ran = explain("TD")

    assert "138****8000" in ran.stdout
    assert "13800138000" not in ran.stdout
    assert "10690001" in ran.stdout


def test_a_file_is_answered_line_by_line(ask_file: AskFile) -> None:
    code, answers = ask_file(
        b'{"text": "R", "advertised": "R"}',
        '{"text": "是", "pending": true, "id": 7}'.encode(),
        b"",
        b'{"text": "2", "listed": 3}',
        b'{"text": "2", "advertised": null, "pending": null, "listed": null}',
        b'{"text": "N", "ctx": {"pending": true}}',
    )

    assert code == 0
    assert [answer["intent"] for answer in answers] == [
        "optout",
        "confirm",
        "optout_items",
        "none",
        "refuse",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"TD", "not JSON"),
        (b'{"text": "\xff"}', "not JSON"),
        (b'["TD"]', "not an object"),
        (b"{}", "text: "),
        (b'{"text": 1}', "text: "),
        (b'{"text": "R", "advertised": 1}', "advertised: "),
        (b'{"text": "R", "pending": 1}', "pending: "),
        (b'{"text": "1", "listed": true}', "listed: "),
        (b'{"text": "1", "listed": 1.5}', "listed: "),
        (b'{"text": "1", "listed": -1}', "listed: "),
        (b'{"text": "1", "ctx": 1}', "ctx: "),
        (b'{"text": "' + b"a" * 70_000 + b'"}', "longer than"),
    ],
)
def test_a_faulty_line_is_answered_with_its_fault_and_the_next_with_its_meaning(
    ask_file: AskFile, line: bytes, problem: str
) -> None:
    code, answers = ask_file(line, b'{"text": "TD"}')

    assert code == 1
    assert len(answers) == 2
    assert answers[0]["error"].startswith(problem)
    assert answers[1]["intent"] == "optout"


def test_how_many_lines_were_faulty_is_said_beside_the_answers(cli: Cli) -> None:
    ran = cli("explain", "mo", "--file", "-", stdin='x\n{"text": "TD"}\ny\n')

    assert ran.returncode == 1
    assert "2 lines" in ran.stderr
    assert ran.stdout.count("\n") == 3


def test_no_number_of_lines_is_too_many(ask_file: AskFile) -> None:
    code, answers = ask_file(*[b'{"text": "TD"}'] * 5000)

    assert code == 0
    assert len(answers) == 5000


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "no --text"),
        (("--text", "1", "--listed", "-1"), "--listed"),
        (("--text", "1", "--listed", "x"), "listed"),
        (("--text", "TD", "--file", "replies.jsonl"), "--file"),
        (("--advertised", "R", "--file", "replies.jsonl"), "--file"),
    ],
)
def test_a_question_that_cannot_be_meant_is_a_misuse(
    cli: Cli, arguments: tuple[str, ...], problem: str
) -> None:
    ran = cli("explain", "mo", *arguments)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert ran.stdout == ""


def test_a_file_that_is_not_there_is_named(cli: Cli, tmp_path: Path) -> None:
    ran = cli("explain", "mo", "--file", str(tmp_path / "none.jsonl"))

    assert ran.returncode == 1
    assert "none.jsonl cannot be read" in ran.stderr
