import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.api_client import ApiRole
from gateway.settings.console import load_console

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]


def test_a_new_token_comes_with_the_line_that_knows_it(
    cli: Cli, deployment: Path, write: Write
) -> None:
    made = cli("console", "new-token", "--name", "营业厅")

    first, _, line, _ = made.stdout.splitlines()
    token = first.rpartition(" ")[2]
    assert len(token) >= 43
    filled = line.replace("…", "shop")
    write("config/console.yaml", f"version: 1\nclients:\n{filled}\n")
    [client] = load_console(deployment / "config/console.yaml", {"shop"}).clients
    assert (client.name, client.digest) == ("营业厅", sha256(token.encode()).digest())


@pytest.mark.parametrize(
    ("options", "role", "own"),
    [
        (("--system-id", "shop"), ApiRole.SP, ("shop", ())),
        (("--role", "clerk"), ApiRole.CLERK, ("", ("hall",))),
        (
            ("--role", "clerk", "--channel", "web", "--channel", "complaint"),
            ApiRole.CLERK,
            ("", ("web", "complaint")),
        ),
        (("--role", "app"), ApiRole.APP, ("", ())),
        (("--role", "investigator"), ApiRole.INVESTIGATOR, ("", ())),
        (("--role", "senior_reviewer"), ApiRole.SENIOR_REVIEWER, ("", ())),
        (("--role", "regulator", "--province", "福建"), ApiRole.REGULATOR, ("", ())),
    ],
)
def test_the_line_is_whole_for_every_role(
    cli: Cli,
    deployment: Path,
    write: Write,
    options: tuple[str, ...],
    role: ApiRole,
    own: tuple[str, tuple[str, ...]],
) -> None:
    line = cli("console", "new-token", "--name", "one", *options).stdout.splitlines()[2]
    told = json.loads(cli("console", "new-token", "--name", "two", *options, "--json").stdout)

    both = f"{line}\n  - {json.dumps(told['client'])}\n"
    write("config/console.yaml", f"version: 1\nclients:\n{both}")
    one, two = load_console(deployment / "config/console.yaml", {"shop"}).clients
    assert [(c.name, c.role, (c.system_id, c.channels)) for c in (one, two)] == [
        ("one", role, own),
        ("two", role, own),
    ]
    assert two.digest == sha256(told["token"].encode()).digest()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--role", "clerk", "--system-id", "shop"), "only a client of the role sp"),
        (("--role", "app", "--channel", "web"), "only a client of the role clerk"),
        (("--role", "admin", "--province", "福建"), "only a client of the role regulator"),
        (("--role", "regulator", "--province", ""), "1 to 32 characters"),
        (("--system-id", ""), "1 to 15 characters"),
        (("--system-id", "a" * 16), "1 to 15 characters"),
        (("--system-id", "\x1b[2J"), "1 to 15 characters"),
    ],
)
def test_what_a_role_does_not_have_is_refused(cli: Cli, options: tuple[str, ...], why: str) -> None:
    made = cli("console", "new-token", *options)

    assert (made.returncode, made.stdout) == (2, "")
    assert why in made.stderr


def test_no_two_tokens_are_alike(cli: Cli) -> None:
    assert cli("console", "new-token").stdout != cli("console", "new-token").stdout


@pytest.mark.parametrize("name", ["", "a{b", "\x1b[2J", "a" * 33])
def test_a_name_that_the_file_would_not_take_is_refused(cli: Cli, name: str) -> None:
    made = cli("console", "new-token", "--name", name)

    assert made.returncode == 2
    assert "1 to 32 letters" in made.stderr
    assert "\x1b" not in made.stderr


def test_without_a_file_it_is_said_what_to_write(cli: Cli, deployment: Path) -> None:
    served = cli("console", "--config", str(deployment / "config"))

    assert served.returncode == 2
    assert "there is no" in served.stderr
    assert re.search(r"(?m)^clients:$", served.stderr)


def test_the_api_is_served_from_the_directory_that_is_named(
    cli: Cli, deployment: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[Path, Path]] = []

    def serve(config: Path, policies: Path, *_announce: object) -> int:
        served.append((config, policies))
        return 1

    write("config/console.yaml", "version: 1\n")
    monkeypatch.setattr("gateway.app.console.serve_console", serve)

    config, policies = deployment / "config", deployment / "policies"
    ran = cli(
        *("console", "--config", str(config), "--policies", str(policies), "--log-level", "error")
    )

    assert (ran.returncode, served) == (1, [(config, policies)])
