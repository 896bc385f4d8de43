"""Journals that whoever opens the file can neither rewrite nor thin out unnoticed (R72, R73)."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceKind,
)
from gateway.domain.records import JournalState, NewAccess, NewPurge
from gateway.storage.dialects.sqlite import writing_engine
from gateway.stores import open_store

JOURNALS = ("access_log", "purge_log")
PUT = {
    "access_log": "{} INTO access_log(number, by, action, reason, about, at, chain)"
    " VALUES({}, 'nobody', 'records show', 'innocent', 'nothing', 1, '')",
    "purge_log": "{} INTO purge_log(number, what, since, until, count, at, by, chain)"
    " VALUES({}, 'records', 1, 1, 0, 1, 'nobody', '')",
}


@pytest.fixture
async def journaled(sqlite_url: str, database_file: Path, noon: datetime) -> Path:
    """Make a store whose journals have three rows each."""
    stores = await open_store(sqlite_url)
    for why in ("one", "two", "three"):
        await stores.journals.note_access(NewAccess("lin", "records show", why, "what", noon))
        await stores.journals.note_purge(NewPurge(why, noon, noon, 8, noon, "lin"))
    await stores.close()
    return database_file


async def states(url: str) -> dict[str, JournalState]:
    stores = await open_store(url)
    try:
        return {state.journal: state for state in await stores.journals.states()}
    finally:
        await stores.close()


@pytest.mark.parametrize("table", JOURNALS)
@pytest.mark.parametrize(
    "act",
    [
        "DELETE FROM {}",
        "UPDATE {} SET by = 'nobody'",
        "UPDATE OR REPLACE {} SET number = 1 WHERE number = 2",
        "UPDATE {} SET chain = ''",
    ],
)
async def test_a_journal_cannot_be_changed(journaled: Path, table: str, act: str) -> None:
    with (
        closing(sqlite3.connect(journaled)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(act.format(table))


@pytest.mark.parametrize("table", JOURNALS)
@pytest.mark.parametrize("number", ["1", "2", "3", "0", "-1", "NULL"])
@pytest.mark.parametrize("act", ["INSERT", "REPLACE", "INSERT OR REPLACE", "INSERT OR IGNORE"])
async def test_no_row_of_a_journal_is_replaced_or_put_in_between(
    journaled: Path, table: str, act: str, number: str
) -> None:
    with closing(sqlite3.connect(journaled)) as connection:
        before = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(PUT[table].format(act, number))

        assert connection.execute(f"SELECT * FROM {table}").fetchall() == before  # noqa: S608


async def test_the_program_itself_replaces_no_row_even_where_one_wall_is_gone(
    journaled: Path,
) -> None:
    with closing(sqlite3.connect(journaled, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER tr_access_log_insert")
    engine = writing_engine(journaled, busy_s=1)

    async with engine.connect() as connection:
        with pytest.raises(IntegrityError, match="append-only"):
            await connection.exec_driver_sql(PUT["access_log"].format("REPLACE", 2))
        pragma = await connection.exec_driver_sql("PRAGMA secure_delete")
        assert pragma.scalar_one() == 1
    await engine.dispose()


async def test_an_upsert_changes_no_row_of_a_journal(journaled: Path) -> None:
    upsert = PUT["access_log"].format("INSERT", 2) + " ON CONFLICT DO UPDATE SET by = 'nobody'"
    with (
        closing(sqlite3.connect(journaled)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(upsert)


@pytest.mark.parametrize("table", JOURNALS)
@pytest.mark.parametrize(
    ("act", "broken", "problem"),
    [
        ("UPDATE {} SET by = 'nobody' WHERE number = 2", 2, "it was changed"),
        ("UPDATE {} SET at = at + 1 WHERE number = 1", 1, "it was changed"),
        ("UPDATE {} SET chain = '' WHERE number = 3", 3, "it was changed"),
        ("DELETE FROM {} WHERE number = 1", 1, "it is missing"),
        ("DELETE FROM {} WHERE number = 2", 2, "it is missing"),
        ("DELETE FROM {} WHERE number = 3", 3, "it is missing"),
        ("DELETE FROM {}", 1, "it is missing"),
        ("SELECT * FROM {}", None, "what refuses changes was taken away"),
    ],
)
async def test_r73_who_takes_the_walls_away_is_found_out_with_the_first_broken_row(
    journaled: Path, sqlite_url: str, table: str, act: str, broken: int | None, problem: str
) -> None:
    with closing(sqlite3.connect(journaled, isolation_level=None)) as connection:
        for wall in ("insert", "update", "delete"):
            connection.execute(f"DROP TRIGGER tr_{table}_{wall}")
        connection.execute(act.format(table))

    found = (await states(sqlite_url))[table]

    assert (found.broken, found.problem) == (broken, problem)


async def test_a_row_that_the_program_did_not_write_breaks_the_chain(
    journaled: Path, sqlite_url: str
) -> None:
    with closing(sqlite3.connect(journaled, isolation_level=None)) as connection:
        connection.execute(PUT["access_log"].format("INSERT", 4))

    found = (await states(sqlite_url))["access_log"]

    assert (found.rows, found.broken, found.problem) == (3, 4, "it was changed")


async def test_the_number_of_a_row_that_was_cut_off_is_never_given_again(
    journaled: Path, sqlite_url: str, noon: datetime
) -> None:
    with closing(sqlite3.connect(journaled, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER tr_access_log_delete")
        connection.execute("DELETE FROM access_log WHERE number = 3")
    stores = await open_store(sqlite_url)

    number = await stores.journals.note_access(NewAccess("wu", "records show", "x", "y", noon))

    await stores.close()
    assert number == 4
    assert (await states(sqlite_url))["access_log"].broken == 3


async def test_processes_that_write_at_once_keep_one_chain(sqlite_url: str, noon: datetime) -> None:
    opened = [await open_store(sqlite_url, deadline_s=30) for _ in range(3)]
    access = NewAccess("lin", "records show", "why", "what", noon)

    await asyncio.gather(*(one.journals.note_access(access) for one in opened * 10))

    for one in opened:
        await one.close()
    found = (await states(sqlite_url))["access_log"]
    assert (found.rows, found.problem) == (30, "")


HISTORIES = {
    "preference_journal": (
        "INTO preference_journal(number, msisdn, at, channel, by, before, after, is_erasure)"
        " VALUES(1, 1, 1, 'cli', 'nobody', '', '', 0)"
    ),
}


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE preference_journal SET by = 'nobody'",
        "UPDATE preference_journal SET at = 1",
        *(f"{act} {HISTORIES['preference_journal']}" for act in ("REPLACE", "INSERT OR IGNORE")),
    ],
)
async def test_a_history_that_may_be_erased_can_still_not_be_rewritten(
    sqlite_url: str, database_file: Path, noon: datetime, act: str
) -> None:
    wish = Preference(PreferenceKind.NUMBER, "13911112222", PreferenceAction.BLOCK)
    stores = await open_store(sqlite_url)
    origin = ChangeOrigin(Channel.CLI, noon, "clerk")
    await stores.preferences.change(8613800138000, lambda before: (*before, wish), origin)
    await stores.close()

    with (
        closing(sqlite3.connect(database_file)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(act)
