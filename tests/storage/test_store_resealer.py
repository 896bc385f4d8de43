"""From one key to another, from none to the first, and on from wherever it was stopped."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceKind,
)
from gateway.domain.quarantine import HeldMessage
from gateway.domain.suspension import NewSuspension
from gateway.runtime.sealing import Keys
from gateway.storage import store_resealer
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import SealMismatch
from gateway.stores import Stores, open_store, reseal_store

AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]
Builder: TypeAlias = Callable[..., HeldMessage]
NumbersIn: TypeAlias = Callable[[Path, Iterable[int]], set[int]]

SUBSCRIBER = 8613800138000
SUBSCRIBERS = range(SUBSCRIBER, SUBSCRIBER + 50)
FRIEND = Preference(PreferenceKind.NUMBER, "13911112222", PreferenceAction.BLOCK)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_resealer, "ROWS_PER_COMMIT", 7)


RESEALING = """
import json, os, signal, sys
sys.path.insert(0, os.getcwd())
from gateway.runtime.sealing import Keys
from gateway.storage import store_resealer
from gateway.stores import reseal_store

wanted = json.loads(sys.argv[1])
left = [wanted["pages"]]

def told(done, total):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

store_resealer.ROWS_PER_COMMIT = 7
keys = {name: bytes.fromhex(key) for name, key in wanted["keys"].items()}
reseal_store(wanted["url"], Keys(keys, wanted["current"]), told)
"""


def nobody(done: int, total: int) -> None:
    assert 0 <= done <= total


class Filled:
    """A store with something in it, and what it says."""

    def __init__(self, url: str, held: HeldMessage, noon: datetime) -> None:
        self.url = url
        self._held = held
        self._noon = noon

    def fill(self, keys: Keys | None) -> None:
        asyncio.run(self._fill(keys))

    def said(self, keys: Keys | None) -> list[object]:
        return asyncio.run(self._said(keys))

    async def _fill(self, keys: Keys | None) -> None:
        stores = await open_store(self.url, keys=keys)
        await stores.consent.record(
            [
                ConsentAnswer(msisdn, "sp1", Answer.REFUSED, self._noon, "mo")
                for msisdn in SUBSCRIBERS
            ]
        )
        await stores.quarantine.hold([self._held])
        origin = ChangeOrigin(Channel.CLI, self._noon, "clerk")
        await stores.preferences.change(SUBSCRIBER, lambda before: (*before, FRIEND), origin)
        until = self._noon + timedelta(days=7)
        await stores.suspensions.suspend(NewSuspension(SUBSCRIBER, "sp1", "R43", self._noon, until))
        await stores.close()

    async def _said(self, keys: Keys | None) -> list[object]:
        stores = await open_store(self.url, keys=keys)
        try:
            return [
                await stores.consent.answers_of(SUBSCRIBERS),
                await stores.quarantine.find(),
                await stores.preferences.of(SUBSCRIBER),
                await stores.preferences.journal_of(SUBSCRIBER),
                await stores.suspensions.listed(),
                await stores.changes.changes(0),
                await _everybody(stores),
            ]
        finally:
            await stores.close()


async def _everybody(stores: Stores) -> Sequence[object]:
    return sorted([row async for page in stores.consent.all_answers(batch=8) for row in page])


@pytest.fixture
def filled(sqlite_url: str, held: Builder, noon: datetime) -> Filled:
    message = held(destination=str(SUBSCRIBER)[2:], pdu=str(SUBSCRIBER).encode(), joined="退订")
    return Filled(sqlite_url, message, noon)


@pytest.fixture
def turned(keys: Keys) -> Keys:
    """Return the same keys after a rotation."""
    return replace(keys, current="k2")


def test_r73_after_a_rotation_the_store_says_the_same_with_the_new_key(
    filled: Filled, keys: Keys, turned: Keys
) -> None:
    filled.fill(keys)
    before = filled.said(keys)

    changed = reseal_store(filled.url, turned, nobody)

    assert changed > len(SUBSCRIBERS)
    assert filled.said(turned) == before
    # The old key is not needed any more, and opens nothing.
    assert filled.said(Keys({"k2": keys.by_id["k2"]}, "k2")) == before
    with pytest.raises(SealMismatch, match="sealed with the key k2"):
        filled.said(Keys({"k1": keys.by_id["k1"]}, "k1"))


def test_r73_a_store_that_stood_open_shows_no_number_once_it_is_sealed(
    filled: Filled, keys: Keys, database_file: Path, numbers_in: NumbersIn
) -> None:
    filled.fill(None)
    before = filled.said(None)
    numbers = {*SUBSCRIBERS, 8613911112222}
    assert numbers_in(database_file, numbers) == numbers

    reseal_store(filled.url, keys, nobody)

    assert numbers_in(database_file, numbers) == set()
    assert filled.said(keys) == before


def test_resealing_again_changes_nothing(filled: Filled, keys: Keys) -> None:
    filled.fill(None)

    assert reseal_store(filled.url, keys, nobody) > 0
    assert reseal_store(filled.url, keys, nobody) == 0


def test_how_far_it_is_gets_told(filled: Filled, keys: Keys) -> None:
    filled.fill(None)
    told: list[tuple[int, int]] = []

    reseal_store(filled.url, keys, lambda done, total: told.append((done, total)))

    assert told[-1][0] == told[-1][1] > len(SUBSCRIBERS)
    assert sorted(told) == told


def killed_after(pages: int, filled: Filled, keys: Keys) -> None:
    """Reseal in a process of its own that is killed after so many pages."""
    told: Mapping[str, object] = {
        "url": filled.url,
        "keys": {name: key.hex() for name, key in keys.by_id.items()},
        "current": keys.current,
        "pages": pages,
    }
    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", RESEALING, json.dumps(told)], check=False, cwd=Path.cwd()
    )
    assert ran.returncode == -signal.SIGKILL


@pytest.mark.parametrize("first", [None, "k1"])
@pytest.mark.parametrize("pages", [1, 4, 9])
def test_r73_resealing_goes_on_after_a_kill_and_nobody_opens_the_store_meanwhile(
    filled: Filled,
    keys: Keys,
    turned: Keys,
    first: str | None,
    pages: int,
) -> None:
    old = None if first is None else keys
    filled.fill(old)
    before = filled.said(old)

    killed_after(pages, filled, turned)

    for wrong in (None, keys, turned):
        with pytest.raises(SealMismatch, match=r"k2|has not ended"):
            filled.said(wrong)
    reseal_store(filled.url, turned, nobody)
    assert filled.said(turned) == before


def test_a_change_of_key_is_ended_before_the_next_one(
    filled: Filled, keys: Keys, turned: Keys
) -> None:
    filled.fill(keys)
    killed_after(3, filled, turned)
    third = Keys({**keys.by_id, "k3": bytes(64)}, "k3")

    with pytest.raises(SealMismatch, match="a change to the key k2 has not ended"):
        reseal_store(filled.url, third, nobody)


def test_without_the_key_before_nothing_is_resealed(filled: Filled, keys: Keys) -> None:
    filled.fill(keys)

    with pytest.raises(SealMismatch, match="sealed with the key k1: put it back"):
        reseal_store(filled.url, Keys({"k2": keys.by_id["k2"]}, "k2"), nobody)

    assert filled.said(keys)


def test_without_the_key_before_nothing_is_gone_on_with(
    filled: Filled, keys: Keys, turned: Keys
) -> None:
    filled.fill(keys)
    killed_after(3, filled, turned)

    with pytest.raises(SealMismatch, match="some of it is sealed with the key k1: put it back"):
        reseal_store(filled.url, Keys({"k2": keys.by_id["k2"]}, "k2"), nobody)


def test_a_wrong_key_of_the_right_name_reseals_nothing(filled: Filled, keys: Keys) -> None:
    filled.fill(keys)

    with pytest.raises(SealMismatch, match="another key of the name k1"):
        reseal_store(filled.url, Keys({"k1": bytes(64), "k2": bytes(64)}, "k2"), nobody)


@pytest.mark.parametrize(
    ("table", "column"),
    [("consent_answers", "msisdn"), ("held_messages", "pdu"), ("held_messages", "joined")],
)
def test_what_opens_with_no_key_stops_it_and_says_where(
    filled: Filled, keys: Keys, turned: Keys, database_file: Path, table: str, column: str
) -> None:
    filled.fill(keys)
    with closing(sqlite3.connect(database_file, isolation_level=None)) as connection:
        connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ?", (bytes(40),))  # noqa: S608

    with pytest.raises(SealMismatch, match=f"something in {table} opens with none of the keys"):
        reseal_store(filled.url, turned, nobody)


def test_nothing_is_resealed_while_somebody_has_the_store_open(
    filled: Filled, keys: Keys, turned: Keys
) -> None:
    async def beside() -> None:
        stores = await open_store(filled.url, keys=keys)
        try:
            with pytest.raises(StoreUnavailable, match="has it open: stop them"):
                await asyncio.to_thread(reseal_store, filled.url, turned, nobody)
        finally:
            await stores.close()

    asyncio.run(beside())
    reseal_store(filled.url, turned, nobody)


def test_nobody_opens_the_store_while_it_is_being_resealed(
    filled: Filled, keys: Keys, turned: Keys
) -> None:
    filled.fill(keys)
    refused: list[str] = []

    def told(done: int, total: int) -> None:
        nobody(done, total)
        with pytest.raises(StoreUnavailable, match="being resealed"), asyncio.Runner() as runner:
            runner.run(open_store(filled.url, keys=turned))
        refused.append("once")

    reseal_store(filled.url, turned, told)

    assert refused


def test_nothing_is_kept_in_memory_to_be_resealed(keys: Keys) -> None:
    with pytest.raises(ValueError, match="nothing"):
        reseal_store("memory://", keys, nobody)


def test_a_place_without_a_store_is_said_in_words(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(StoreUnavailable, match="no lock beside"):
        reseal_store(f"sqlite:///{tmp_path}/none/smsward.db", keys, nobody)


def test_a_file_that_is_no_database_is_said_in_words(tmp_path: Path, keys: Keys) -> None:
    (tmp_path / "smsward.db").write_bytes(bytes(range(256)) * 16)

    with pytest.raises(StoreUnavailable):
        reseal_store(f"sqlite:///{tmp_path}/smsward.db", keys, nobody)


def swap(database_file: Path) -> None:
    """Put one sealed text in the place of another, as who writes the file can."""
    with closing(sqlite3.connect(database_file, isolation_level=None)) as connection:
        connection.execute("UPDATE held_messages SET destination = joined")


def test_r73_a_sealed_text_in_the_place_of_another_is_a_fault_and_no_garbage(
    filled: Filled, keys: Keys, turned: Keys, database_file: Path
) -> None:
    filled.fill(keys)
    swap(database_file)

    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        filled.said(keys)
    with pytest.raises(SealMismatch, match="something in held_messages opens with none"):
        reseal_store(filled.url, turned, nobody)
