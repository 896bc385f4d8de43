import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.quarantine import HeldMessage
from gateway.storage.errors import StoreUnavailable
from gateway.stores import stores_of
from gateway.terminal.deployment import load_settings
from gateway.terminal.failure import CommandError
from gateway.terminal.store import opened_store

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., HeldMessage]
Write = Callable[[str, str], None]


async def test_a_store_that_is_not_there_is_not_made(deployment: Path) -> None:
    settings = load_settings(deployment / "config")

    with pytest.raises(CommandError, match="there is no store at"):
        async with opened_store(settings, stores_of):
            pass

    assert not (deployment / "var" / "smsward.db").exists()


async def test_a_file_that_is_no_database_is_an_error_in_words(
    deployment: Path, write: Write
) -> None:
    write("var/smsward.db", "not a database " * 100)

    with pytest.raises(CommandError, match="cannot be used"):
        async with opened_store(load_settings(deployment / "config"), stores_of):
            pass


async def test_a_store_that_fails_later_is_an_error_in_words(
    deployment: Path, write: Write
) -> None:
    write("var/smsward.db", "")

    with pytest.raises(CommandError, match="cannot be used: no answer in time"):
        async with opened_store(load_settings(deployment / "config"), stores_of):
            raise StoreUnavailable("no answer in time")


def test_the_file_of_a_store_is_where_its_url_says(deployment: Path) -> None:
    assert load_settings(deployment / "config").store.path == deployment / "var" / "smsward.db"


def test_a_store_of_another_version_is_left_alone(cli: Cli, deployment: Path, hold: Hold) -> None:
    hold()
    with closing(sqlite3.connect(deployment / "var" / "smsward.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9999'")
        database.commit()

    ran = cli("quarantine", "list", "--config", str(deployment / "config"))

    assert ran.returncode == 1
    said = " ".join(ran.stderr.split())
    assert "cannot be used: another version of smsward made its tables (revision v9999)" in said
    assert "name a new file in gateway.yaml, store.url" in said
    assert "Traceback" not in ran.stderr
