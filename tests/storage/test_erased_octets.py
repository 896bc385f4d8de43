"""What was erased or purged stands nowhere on the disk any more, sealed or not (R51, R72)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceKind,
)
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewPurge
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import Keys
from gateway.stores import Stores, open_store
from gateway.systems.learning.model import NewSample, SampleLabel, SampleSource

Builder: TypeAlias = Callable[..., HeldMessage]
NumbersIn: TypeAlias = Callable[[Path, Iterable[int]], set[int]]

SUBSCRIBER = 8613800138123
WORD = "卖房中介小王"
TEXT = "恭喜您抽中大奖请速领取"
FRIEND = Preference(PreferenceKind.NUMBER, "13911112222", PreferenceAction.BLOCK)
KEYWORD = Preference(PreferenceKind.KEYWORD, WORD, PreferenceAction.BLOCK)


@pytest.fixture(params=["open", "sealed"])
async def kept(
    request: pytest.FixtureRequest, sqlite_url: str, keys: Keys
) -> AsyncIterator[Stores]:
    sealing = keys if request.param == "sealed" else None
    stores = await open_store(sqlite_url, keys=sealing, deadline_s=30)
    yield stores
    await stores.close()


def texts_in(database_file: Path, *texts: str) -> set[str]:
    octets = b"".join(
        path.read_bytes() for path in database_file.parent.glob(f"{database_file.name}*")
    )
    return {text for text in texts if text.encode() in octets or text.encode("utf-16-be") in octets}


async def test_r51_after_a_deletion_number_and_word_are_on_the_disk_no_more(
    kept: Stores, database_file: Path, numbers_in: NumbersIn, noon: datetime
) -> None:
    origin = ChangeOrigin(Channel.CLI, noon, "clerk")
    await kept.preferences.change(SUBSCRIBER, lambda _: (KEYWORD,), origin)
    await kept.preferences.change(SUBSCRIBER, lambda before: (*before, FRIEND), origin)

    assert await kept.preferences.erase(SUBSCRIBER, origin)

    assert texts_in(database_file, WORD, FRIEND.value) == set()
    # The feed tells every process whose they were, and forgets it within hours.
    await kept.changes.forget_subscribers(utcnow() + timedelta(hours=1))
    assert await kept.empty_wal()
    assert numbers_in(database_file, {SUBSCRIBER, 8613911112222}) == set()
    assert texts_in(database_file, WORD, FRIEND.value, str(SUBSCRIBER)[2:]) == set()


async def test_r72_what_was_purged_is_on_the_disk_no_more(
    kept: Stores, database_file: Path, numbers_in: NumbersIn, held: Builder, noon: datetime
) -> None:
    purge = NewPurge("messages", noon, noon, 1, noon, "daily")
    message = held(
        state=HoldState.DISCARDED,
        destination=str(SUBSCRIBER)[2:],
        pdu=TEXT.encode("utf-16-be"),
        joined=TEXT,
    )
    await kept.quarantine.hold([message])
    sample = NewSample(
        *(TEXT, "d" * 64, SampleLabel.SPAM, "", SampleSource.REVIEW, "port", "sp1", noon, "lin")
    )
    await kept.samples.keep([sample])
    [on_record] = await kept.samples.find()

    await kept.quarantine.forget([message.message_id], purge)
    await kept.samples.forget([on_record.number], replace(purge, what="samples"))
    assert await kept.empty_wal()

    assert numbers_in(database_file, {SUBSCRIBER}) == set()
    assert texts_in(database_file, TEXT, str(SUBSCRIBER)[2:]) == set()


async def test_while_somebody_reads_the_log_is_emptied_later_and_nobody_waits_long(
    sqlite_url: str, database_file: Path, noon: datetime
) -> None:
    stores = await open_store(sqlite_url, deadline_s=30)
    origin = ChangeOrigin(Channel.CLI, noon, "clerk")
    await stores.preferences.change(SUBSCRIBER, lambda _: (KEYWORD,), origin)
    reader = sqlite3.connect(database_file, isolation_level=None)
    with closing(reader):
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM preferences").fetchall()

        assert await stores.preferences.erase(SUBSCRIBER, origin)
        assert not await stores.empty_wal()
        writes = [stores.preferences.change(1, lambda _: (FRIEND,), origin)]
        await asyncio.gather(*writes)

    assert await stores.empty_wal()
    assert texts_in(database_file, WORD) == set()
    await stores.close()


async def test_a_log_that_cannot_be_emptied_makes_no_erasure_fail(
    sqlite_url: str,
) -> None:
    stores = await open_store(sqlite_url)
    await stores.close()

    assert not await stores.empty_wal()
