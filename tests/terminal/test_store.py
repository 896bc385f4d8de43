import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.cli.deployment import load_settings
from gateway.cli.failure import CommandError
from gateway.cli.storage import opened_store, store_file
from gateway.domain.quarantine import HeldMessage
from gateway.ports.errors import StoreUnavailable

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., HeldMessage]
Write = Callable[[str, str], None]


async def test_a_store_that_is_not_there_is_not_made(deployment: Path) -> None:
    settings = load_settings(deployment / "config")

    with pytest.raises(CommandError, match="there is no store at"):
        async with opened_store(settings):
            pass

    assert not (deployment / "var" / "smsward.db").exists()


async def test_a_file_that_is_no_database_is_an_error_in_words(
    deployment: Path, write: Write
) -> None:
    write("var/smsward.db", "not a database " * 100)

    with pytest.raises(CommandError, match="cannot be used"):
        async with opened_store(load_settings(deployment / "config")):
            pass


async def test_a_store_that_fails_later_is_an_error_in_words(
    deployment: Path, write: Write
) -> None:
    write("var/smsward.db", "")

    with pytest.raises(CommandError, match="cannot be used: no answer in time"):
        async with opened_store(load_settings(deployment / "config")):
            raise StoreUnavailable("no answer in time")


def test_the_file_of_a_store_is_where_its_url_says(deployment: Path) -> None:
    assert store_file(load_settings(deployment / "config")) == deployment / "var" / "smsward.db"


def test_a_store_of_a_newer_version_is_left_alone(cli: Cli, deployment: Path, hold: Hold) -> None:
    hold()
    with closing(sqlite3.connect(deployment / "var" / "smsward.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9999'")
        database.commit()

    ran = cli("quarantine", "list", "--config", str(deployment / "config"))

    assert ran.returncode == 1
    assert "cannot be used" in ran.stderr
    assert "Traceback" not in ran.stderr
