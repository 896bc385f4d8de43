"""SQLite as the stores use it: private, durable, and plain about what it cannot do."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from gateway.domain.consent import ConsentAnswer
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.storage.dialects.sqlite import reading_engine, writing_engine
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.quarantine.exceptions import HeldAgain, HoldException

Builder: TypeAlias = Callable[..., HeldMessage]
AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]

SMALL_DISK = 1_200_000


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def locked(database_file: Path) -> Iterator[None]:
    """Keep another process's write lock."""
    with closing(sqlite3.connect(database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def put(path: Path, octets: bytes, mode: int = 0o600) -> None:
    path.parent.mkdir()
    path.write_bytes(octets)
    path.chmod(mode)


def damage(database_file: Path) -> None:
    """Overwrite the last quarter, where the rows are."""
    octets = database_file.stat().st_size
    with database_file.open("r+b") as file:
        file.seek(octets - octets // 4)
        file.write(b"\xff" * (octets // 4))


async def fill(stores: Stores, held: Builder) -> list[int]:
    """Hold messages until the store is full; return the ids that were acknowledged."""
    acknowledged: list[int] = []
    for message_id in range(1, 10_000):
        try:
            await stores.quarantine.hold([held(message_id=message_id, pdu=bytes(2000))])
        except StoreUnavailable as error:
            assert "SQLITE_FULL" in str(error)
            return acknowledged
        acknowledged.append(message_id)
    raise AssertionError("it was never full")


async def ids(stores: Stores) -> list[int]:
    return [message.message_id for message in reversed(await stores.quarantine.find(limit=10_000))]


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
async def test_no_other_user_can_read_the_files_whatever_the_umask(
    database_file: Path, sqlite_url: str, held: Builder, suffix: str
) -> None:
    with umask(0):
        stores = await open_store(sqlite_url)
        await stores.quarantine.hold([held()])
    mode = mode_of(database_file.with_name(database_file.name + suffix))
    await stores.close()

    assert mode == 0o600
    assert mode_of(database_file.parent) == 0o700


async def test_a_file_that_others_could_read_is_closed_to_them(
    database_file: Path, sqlite_url: str
) -> None:
    put(database_file, b"", mode=0o644)

    stores = await open_store(sqlite_url)
    await stores.close()

    assert mode_of(database_file) == 0o600


async def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "test.db", busy_s=0.5)
    async with engine.connect() as connection:
        settings = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    await engine.dispose()

    full = 2
    assert settings == {"journal_mode": "wal", "synchronous": full, "busy_timeout": 500}


async def test_readers_cannot_write(tmp_path: Path) -> None:
    engine = reading_engine(tmp_path / "test.db", busy_s=0.5)

    with pytest.raises(OperationalError, match="readonly"):
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE notes (note INTEGER)"))

    await engine.dispose()


async def test_a_full_disk_refuses_and_keeps_exactly_what_it_acknowledged(
    sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url, max_octets=SMALL_DISK)

    acknowledged = await fill(stores, held)
    kept = await ids(stores)
    await stores.close()

    assert len(acknowledged) > 50
    assert kept == acknowledged


async def test_a_full_disk_splits_callers_at_once_into_held_and_refused(
    sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url, max_octets=SMALL_DISK)
    messages = [held(message_id=message_id, pdu=bytes(2000)) for message_id in range(1, 301)]

    results = await asyncio.gather(
        *(stores.quarantine.hold([message]) for message in messages), return_exceptions=True
    )
    kept = await ids(stores)
    await stores.close()

    acknowledged = [
        message.message_id
        for message, result in zip(messages, results, strict=True)
        if result is None
    ]
    refused = [result for result in results if result is not None]
    assert {type(result) for result in refused} == {StoreUnavailable}
    assert acknowledged
    assert kept == acknowledged


async def test_the_writer_goes_on_when_there_is_room_again(
    database_file: Path, sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url, max_octets=SMALL_DISK)
    acknowledged = await fill(stores, held)
    with closing(sqlite3.connect(database_file, isolation_level=None)) as other:
        other.execute("DELETE FROM held_messages WHERE message_id <= 20")

    await stores.quarantine.hold([held(message_id=10_001)])
    kept = await ids(stores)
    await stores.close()

    assert kept == [*acknowledged[20:], 10_001]


async def test_a_locked_database_refuses_in_time_and_works_when_it_is_free(
    database_file: Path, sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url, deadline_s=0.2)
    with locked(database_file):
        with pytest.raises(StoreUnavailable, match="locked"):
            await stores.quarantine.hold([held(message_id=1)])
        while_locked = await stores.quarantine.get(1)

    await stores.quarantine.hold([held(message_id=1)])
    after = await stores.quarantine.get(1)
    await stores.close()

    assert while_locked is None
    assert after == held(message_id=1)


async def test_a_lock_does_not_outlast_the_deadline_of_those_who_queue(
    database_file: Path, sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url, deadline_s=0.2)
    with locked(database_file):
        results = await asyncio.gather(
            *(stores.quarantine.hold([held(message_id=message_id)]) for message_id in range(50)),
            return_exceptions=True,
        )

    await stores.quarantine.hold([held(message_id=100)])
    kept = await ids(stores)
    await stores.close()

    assert {type(result) for result in results} == {StoreUnavailable}
    assert kept == [100]


async def test_a_message_whose_holder_gave_up_during_the_commit_is_not_held(
    sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url)
    holder = asyncio.gather(stores.quarantine.hold([held(message_id=1)]))

    def give_up(_connection: Connection) -> None:
        holder.cancel()

    event.listen(Engine, "commit", give_up)
    with pytest.raises(asyncio.CancelledError):
        await holder
    event.remove(Engine, "commit", give_up)
    await stores.quarantine.hold([held(message_id=2)])
    kept = await ids(stores)
    await stores.close()

    assert kept == [2]


async def test_a_file_that_is_no_database_is_refused(database_file: Path, sqlite_url: str) -> None:
    put(database_file, b"this is a diary, not a database" * 1000)

    with pytest.raises(StoreUnavailable, match="not a database"):
        await open_store(sqlite_url)


async def test_a_damaged_database_is_unavailable(
    database_file: Path, sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url)
    await stores.quarantine.hold([held(message_id=message_id) for message_id in range(1, 900)])
    await stores.close()
    damage(database_file)
    damaged = await open_store(sqlite_url)

    with pytest.raises(StoreUnavailable, match="malformed"):
        await damaged.quarantine.find()

    await damaged.close()


async def test_a_fault_names_no_message_and_no_number(
    sqlite_url: str, held: Builder, answer: AnswerBuilder
) -> None:
    stores = await open_store(sqlite_url, max_octets=SMALL_DISK)
    await fill(stores, held)

    with pytest.raises(StoreUnavailable) as holding:
        await stores.quarantine.hold([held(message_id=10_001, pdu=b"secret" * 5000)])
    with pytest.raises(StoreUnavailable) as recording:
        await stores.consent.record([answer(msisdn=8613800138000 + n) for n in range(1000)])
    await stores.close()

    told = (
        f"{holding.value} {holding.value.__cause__} {recording.value} {recording.value.__cause__}"
    )
    assert "SQLITE_FULL" in told
    assert "secret" not in told
    assert "138001" not in told


async def test_a_closed_store_says_so(sqlite_url: str, held: Builder) -> None:
    stores = await open_store(sqlite_url)
    await stores.close()
    await stores.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        await stores.quarantine.hold([held()])
    with pytest.raises(StoreUnavailable, match="closed"):
        await stores.quarantine.get(1)


async def test_what_was_held_is_there_after_reopening(
    sqlite_url: str, held: Builder, answer: AnswerBuilder, noon: datetime
) -> None:
    first = await open_store(sqlite_url)
    await first.quarantine.hold([held()])
    await first.quarantine.move(
        1, allowed=frozenset({HoldState.HELD}), to=HoldState.EXPIRED, at=noon
    )
    number = await first.consent.record([answer()])
    await first.close()

    second = await open_store(sqlite_url)
    message = await second.quarantine.get(1)
    on_record = await second.consent.answer_of(8613800138000, "sp1")
    latest = await second.changes.latest()
    await second.close()

    assert message == held(state=HoldState.EXPIRED)
    assert on_record == answer()
    assert latest == number


async def test_what_the_gateway_asks_all_the_time_is_answered_from_an_index(
    database_file: Path, sqlite_url: str, noon: datetime
) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []

    def listen(*arguments: object) -> None:
        statement, parameters = arguments[2:4]
        assert isinstance(statement, str)
        assert isinstance(parameters, tuple)
        asked.append((statement, parameters))

    stores = await open_store(sqlite_url)
    event.listen(Engine, "before_cursor_execute", listen)
    await stores.quarantine.expired(noon, 10)
    await stores.quarantine.owed_receipts()
    await stores.quarantine.due_receipts("sp1", 10)
    await stores.quarantine.find(state=HoldState.HELD)
    await stores.quarantine.find(system_id="sp1")
    await stores.quarantine.find(state=HoldState.HELD, campaign="c0123456789abcdef")
    await stores.quarantine.cancellable("sp1", "10690001", "13800138000")
    await stores.consent.answers_changed(1, 2)
    exception = HoldException(1, "R", "sp1", "c1", "lin", "", noon, noon, 1, None, "")
    await stores.exceptions.held_again_by(exception, HeldAgain(noon), noon)
    event.remove(Engine, "before_cursor_execute", listen)
    await stores.close()

    assert [plan_of(database_file, *query) for query in asked] == [
        "ix_held_messages_state_expires_at (state=? AND expires_at<?)",
        "ix_held_messages_receipt_due",
        "ix_held_messages_receipt_due (system_id=?)",
        "ix_held_messages_state_message_id (state=?)",
        "ix_held_messages_system_id_message_id (system_id=?)",
        "ix_held_messages_by_campaign (campaign=? AND state=?)",
        "ix_held_messages_cancellable (destination=? AND system_id=?)",
        "ix_consent_answers_change (change>? AND change<?)",
        "ix_held_messages_held_again (campaign=? AND held_again_at>?)",
    ]


def plan_of(database_file: Path, statement: str, parameters: tuple[object, ...]) -> str:
    with closing(sqlite3.connect(database_file)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchone()
    return str(plan[3]).partition("INDEX ")[2]


async def test_what_is_in_use_is_told_without_the_pages_that_are_free_again(
    database_file: Path, sqlite_url: str, held: Builder
) -> None:
    stores = await open_store(sqlite_url)
    empty = await stores.used_octets()
    await stores.quarantine.hold([held(pdu=bytes(500_000))])
    full = await stores.used_octets()
    with closing(sqlite3.connect(database_file, isolation_level=None)) as other:
        other.execute("DELETE FROM held_messages")

    assert await stores.used_octets() == empty
    assert 490_000 < full - empty < 520_000
    await stores.close()
