"""docs/reference/cli.md says what the commands take: no option too many, none missing."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Cli = Callable[..., CompletedProcess[str]]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


def options_by_command() -> dict[str, set[str]]:
    """Return the options that the page lists under each heading."""
    sections = re.split(r"(?m)^## ", PAGE.read_text(encoding="utf-8"))[1:]
    return {
        section.partition("\n")[0]: set(re.findall(r"(?m)^\| `(--[a-z-]+)` \|", section))
        for section in sections
    }


DESCRIBED = options_by_command()


@pytest.mark.parametrize("command", DESCRIBED)
def test_every_option_stands_in_the_reference(cli: Cli, command: str) -> None:
    text = cli(*command.split(), "--help").stdout

    rows = re.findall(r"(?m)^│ [ *]*(--[a-z-]+)", text)
    assert set(rows) == DESCRIBED[command]


def test_every_command_stands_in_the_reference(cli: Cli) -> None:
    def leaves(*command: str) -> set[str]:
        text = cli(*command, "--help").stdout
        _, has_commands, listed = text.partition("─ Commands ─")
        if not has_commands:
            return {" ".join(command)}
        names = re.findall(r"(?m)^│ ([a-z][a-z-]*) ", listed)
        # A group with options does something by itself, as `api` does.
        itself = {" ".join(command)} if "─ Parameters ─" in listed else set[str]()
        return itself.union(*(leaves(*command, name) for name in names))

    assert leaves() == DESCRIBED.keys()


def test_every_command_that_prints_has_json_or_a_reason_to_have_none() -> None:
    head = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]

    exempt = re.findall(r"(?m)^\| `([a-z -]+)` \|", head)
    assert exempt == [name for name in exempt if name in DESCRIBED]
    assert {name for name, options in DESCRIBED.items() if "--json" not in options} == set(exempt)


def test_the_exit_codes_stand_in_the_reference() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert re.findall(r"(?m)^\| (\d) \|", text) == ["0", "1", "2"]
