import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Cli = Callable[..., CompletedProcess[str]]

# test_reference.py keeps the headings of the page complete.
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
LEAVES = [
    tuple(line.removeprefix("## ").split())
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("## ")
]
COMMANDS = sorted({leaf[:length] for leaf in LEAVES for length in range(len(leaf) + 1)})
# What the stores and the gateway need, and help does not.
HEAVY = ("sqlalchemy", "alembic", "structlog", "pydantic", "uvloop", "argon2", "aiosmpplib")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_ends_with_the_exit_codes(
    cli: Cli, command: tuple[str, ...]
) -> None:
    ran = cli(*command, "--help")

    assert LEAVES
    assert (ran.returncode, ran.stderr) == (0, "")
    assert " ".join(("Usage: smsward", *command)) in ran.stdout
    assert "Exit codes: 0 all is well" in ran.stdout


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_help_teaches_with_an_example(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command, "--help")

    assert " ".join(("Example: smsward", *command)) in " ".join(ran.stdout.split())


@pytest.mark.parametrize(
    ("command", "patterns"),
    [
        ("train", ("train_*.tsv", "dev_*.tsv", "*_chats.tsv=person")),
        ("evaluate", ("evaluate dev_*.tsv --class port --train train_*.tsv",)),
    ],
)
def test_patterns_of_files_are_whole_in_help(
    cli: Cli, command: str, patterns: tuple[str, ...]
) -> None:
    shown = " ".join(cli("filter", command, "--help").stdout.split())

    assert [pattern for pattern in patterns if pattern not in shown] == []


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        (["--help"], (*HEAVY, "asyncio")),
        (["policy", "check", "policies"], ("sqlalchemy", "alembic", "httpx", "numba")),
    ],
    ids=["help", "policy check"],
)
def test_no_command_waits_for_what_only_others_need(
    command: list[str], heavy: tuple[str, ...]
) -> None:
    program = (
        f"import sys; from gateway.cli.application import run_line; run_line({command});"
        f" sys.exit(' '.join(name for name in {heavy} if name in sys.modules) or 0)"
    )

    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=PAGE.parents[2],
    )

    assert (done.returncode, done.stderr) == (0, "")
