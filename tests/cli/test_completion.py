"""Scripts by which shells complete commands."""

import shutil
import subprocess
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from tests.cli.test_reference import DESCRIBED

Cli = Callable[..., CompletedProcess[str]]

BASH = shutil.which("bash") or ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_learns_every_command_and_every_option(cli: Cli, shell: str) -> None:
    ran = cli("completion", shell)

    assert (ran.returncode, ran.stderr) == (0, "")
    words = {word for command in DESCRIBED for word in command.split()}
    options = {option for options in DESCRIBED.values() for option in options}
    # fish has -l json for --json.
    spelled = options if shell != "fish" else {f"-l {one.removeprefix('--')}" for one in options}
    assert [one for one in sorted(words | spelled) if one not in ran.stdout] == []


@pytest.mark.skipif(not BASH, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("smsward quar", ["quarantine"]),
        ("smsward quarantine re", ["release", "revoke"]),
        ("smsward records hold ", ["add", "lift", "list"]),
        ("smsward quarantine release --js", ["--json"]),
        ("smsward completion f", ["fish"]),
        ("smsward quarantine list --state rel", ["release_requested", "released", "releasing"]),
    ],
)
def test_bash_completes_commands_options_and_values(cli: Cli, line: str, found: list[str]) -> None:
    words = line.split(" ")
    ask = f"""\
{cli("completion", "bash").stdout}
COMP_WORDS=({" ".join(word or "''" for word in words)}); COMP_CWORD={len(words) - 1}
_smsward; printf '%s\\n' "${{COMPREPLY[@]}}"
"""

    ran = subprocess.run(  # noqa: S603 - our own script
        [BASH, "--norc"], input=ask, capture_output=True, text=True, check=False, timeout=30
    )

    assert ran.stderr == ""
    commands = [one.strip() for one in ran.stdout.split("\n") if one.strip()]
    assert sorted(one for one in commands if not one.startswith("--h")) == found


def test_a_shell_that_there_is_no_script_for_is_refused(cli: Cli) -> None:
    ran = cli("completion", "csh")

    assert ran.returncode == 2
    assert '"bash", "zsh", "fish"' in " ".join(ran.stderr.split())
