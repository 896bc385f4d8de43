from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from tests.cli.test_application import COMMANDS, LEAVES

Cli = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("explain submit", "--system-id, --from, --to and --text"),
        ("explain submit --from 1 --text=x", "--system-id and --to"),
        ("explain submit --system-id a --from 1 --to 2", "--text"),
        ("policy diff", "OLD and NEW"),
        ("policy diff old", "NEW"),
        ("consent audit answer", "NO and --item"),
        ("consent audit answer 3", "--item"),
        ("filter train --out x", "--data"),
    ],
)
def test_all_that_is_missing_is_named_at_once(cli: Cli, line: str, needs: str) -> None:
    ran = cli(*line.split())

    command = " ".join(word for word in line.split()[:3] if word.isalpha() and word != "old")
    assert ran.returncode == 2
    assert ran.stderr == (f"error: {command} needs {needs}\nhint: smsward {command} --help\n")


def test_a_text_that_looks_like_an_option_is_none(cli: Cli) -> None:
    ran = cli("explain", "submit", "--text", "--free--", "--system-id", "a")

    assert ran.stderr.startswith("error: explain submit needs --from and --to\n")


def test_an_option_without_its_value_is_not_said_to_be_missing(cli: Cli) -> None:
    ran = cli("explain", "submit", "--system-id", "a", "--from", "1", "--to", "2", "--text")

    assert "--text requires an argument" in ran.stderr


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("chek", 'Did you mean "check"?', "smsward --help"),
        ("policy chek", 'Did you mean "check"?', "smsward policy --help"),
        ("check --bogus", "Unknown option: --bogus.", "smsward check --help"),
        ("quarantine list --limit many", "--limit", "smsward quarantine list --help"),
    ],
)
def test_other_mistakes_are_said_like_all_errors(cli: Cli, line: str, said: str, hint: str) -> None:
    ran = cli(*line.split())

    assert ran.stderr.startswith("error: ")
    assert said in ran.stderr
    assert ran.stderr.endswith(f"\nhint: {hint}\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_option_that_there_is_not_is_an_unknown_option_everywhere(
    cli: Cli, command: tuple[str, ...]
) -> None:
    placed: list[tuple[str, ...]] = [("--no-such",), ("--no-such=1",)]
    if command == ("completion",):
        placed += [("bash", "--no-such")]
    elif command in LEAVES:
        placed += [("1", "--no-such"), ("--no-such", "1")]
        # A role is looked at before an option that there is not.
        last = "viewer" if command in {("user", "add"), ("user", "role")} else "2"
        placed += [("1", last, "--no-such", "3")]

    for words in placed:
        ran = cli(*command, *words)

        shown = " ".join(("smsward", *command))
        told = ran.stderr.splitlines()
        assert (ran.returncode, ran.stdout) == (2, "")
        assert (told[0], told[-1]) == ("error: Unknown option: --no-such.", f"hint: {shown} --help")


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("quarantine show --jsno", "--json"),
        ("quarantine release --jsno", "--json"),
        ("quarantine discard 8176404480000000000 --campain x", "--campaign"),
        ("policy rollback --frce", "--force"),
        ("consent refuse --all-snders 13800138000", "--all-senders"),
        ("suspension show --jsno", "--json"),
        ("filter train --dta x --out y", "--data"),
        ("explain submit --system-id a --form 1", "--from"),
    ],
)
def test_what_an_unknown_option_was_meant_to_be_is_said(cli: Cli, line: str, meant: str) -> None:
    ran = cli(*line.split())

    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"Did you mean {meant}?" in ran.stderr


@pytest.mark.parametrize(
    ("line", "first", "last"),
    [
        ("warnings list --code W99", "W1", "W13"),
        ("preferences set --number 1 --value x --kind x", "number", "quiet_hours"),
        ("quarantine list --state x", "held", "in_doubt"),
    ],
)
def test_choices_are_named_as_they_are_typed(cli: Cli, line: str, first: str, last: str) -> None:
    said = " ".join(cli(*line.split()).stderr.split())

    assert f'Choose from: "{first}", ' in said
    assert f'"{last}"' in said


def test_how_a_time_is_written_is_told(cli: Cli) -> None:
    ran = cli("policy", "replay", "--since", "2013")

    assert "--since" in ran.stderr
    assert "Write a time as 2025-11-25, or as" in " ".join(ran.stderr.split())


@pytest.mark.parametrize("number", ["13800138000", "138-0013-8000", "138 0013 8000"])
def test_a_number_where_none_belongs_is_not_shown_whole(cli: Cli, number: str) -> None:
    ran = cli("policy", "history", number)

    assert "138****8000" in ran.stderr
    assert number not in ran.stderr


def test_what_cannot_be_seen_does_not_reach_the_terminal(cli: Cli) -> None:
    ran = cli("check", "--\x1b[2J")

    assert "\x1b" not in ran.stderr
    assert r"\u001b[2J" in ran.stderr
