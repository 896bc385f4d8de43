"""A list of an SP that there is not says so: "none" would be taken for good news."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.warning import WarningCode, WarningCount, WarningKind
from gateway.stores import Stores

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OF_ONE_GONE = WarningCount(
    WarningKind(WarningCode.W9, "R28", "gone", "10690001"), None, 51, 51, NOON, NOON, ()
)


@pytest.fixture
def config(deployment: Path, in_store: InStore) -> tuple[str, ...]:
    in_store(lambda stores: stores.warnings.add([OF_ONE_GONE]))
    return ("--config", str(deployment / "config"))


LISTS = [
    ("quarantine", "list"),
    ("warnings", "list"),
    ("reports", "list"),
    ("subscription", "list"),
    ("subscription", "show", "13800138000"),
    ("consent", "audit", "list"),
]


@pytest.mark.parametrize("what", LISTS, ids=" ".join)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_sp_that_is_not_configured_is_told_as_such(
    cli: Cli, config: tuple[str, ...], what: tuple[str, ...], form: tuple[str, ...]
) -> None:
    ran = cli(*what, "--system-id", "shpo", *form, *config)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "there is no sender shpo in senders.yaml" in ran.stderr
    assert "shop" in ran.stderr


def test_an_export_of_answers_to_an_sp_that_there_is_not_says_so(
    cli: Cli, config: tuple[str, ...]
) -> None:
    ran = cli("consent", "export", "--system-id", "shpo", *config)

    assert (ran.returncode, len(ran.stdout.splitlines())) == (2, 1)
    assert "there is no sender shpo in senders.yaml" in ran.stderr


@pytest.mark.parametrize("what", [*LISTS, ("consent", "export")], ids=" ".join)
def test_of_one_that_is_there_is_nothing_is_a_fine_answer(
    cli: Cli, config: tuple[str, ...], what: tuple[str, ...]
) -> None:
    ran = cli(*what, "--system-id", "shop", *config)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_what_is_on_record_of_one_that_is_gone_is_shown(cli: Cli, config: tuple[str, ...]) -> None:
    ran = cli("warnings", "list", "--system-id", "gone", *config)

    assert ran.returncode == 0
    assert "gone" in ran.stdout


def test_where_the_senders_cannot_be_read_nothing_is_said_of_them(
    cli: Cli, config: tuple[str, ...], deployment: Path
) -> None:
    (deployment / "config/senders.yaml").write_text("{", encoding="utf-8")

    ran = cli("warnings", "list", "--system-id", "shpo", *config)

    assert (ran.returncode, ran.stdout) == (0, "no warnings\n")
