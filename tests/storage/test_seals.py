"""With which key a store opens, and with which it does not."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.domain.consent import ConsentAnswer
from gateway.runtime.sealing import Keys
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import SealMismatch
from gateway.stores import open_store

AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]


@pytest.fixture
async def sealed(sqlite_url: str, keys: Keys, answer: AnswerBuilder) -> str:
    """Make a store that is sealed with k1 and holds an answer."""
    stores = await open_store(sqlite_url, keys=keys)
    await stores.consent.record([answer()])
    await stores.close()
    return sqlite_url


async def test_a_sealed_store_opens_again_with_its_key(
    sealed: str, keys: Keys, answer: AnswerBuilder
) -> None:
    stores = await open_store(sealed, keys=keys)

    found = await stores.consent.answer_of(answer().msisdn, answer().scope)

    await stores.close()
    assert found == answer()


async def test_r73_without_its_key_a_sealed_store_does_not_open(sealed: str) -> None:
    with pytest.raises(SealMismatch, match=r"sealed with the key k1.*privacy\.keys"):
        await open_store(sealed)


async def test_a_sealed_store_keeps_its_key_until_it_is_resealed(
    sealed: str, keys: Keys, answer: AnswerBuilder
) -> None:
    stores = await open_store(sealed, keys=replace(keys, current="k2"))

    found = await stores.consent.answer_of(answer().msisdn, answer().scope)

    await stores.close()
    assert (found, stores.key_id) == (answer(), "k1")


async def test_r73_without_its_own_key_among_others_a_store_does_not_open(
    sealed: str, keys: Keys
) -> None:
    with pytest.raises(SealMismatch, match="sealed with the key k1: put it back"):
        await open_store(sealed, keys=Keys({"k2": keys.by_id["k2"]}, "k2"))


async def test_r73_a_wrong_key_of_the_right_name_is_found_out(sealed: str) -> None:
    with pytest.raises(SealMismatch, match="another key of the name k1"):
        await open_store(sealed, keys=Keys({"k1": bytes(64)}, "k1"))


async def test_a_store_that_stands_open_is_not_used_as_if_it_were_sealed(
    sqlite_url: str, keys: Keys, answer: AnswerBuilder
) -> None:
    stores = await open_store(sqlite_url)
    await stores.consent.record([answer()])
    await stores.close()

    with pytest.raises(SealMismatch, match=r"stand open.*run smsward keys reseal"):
        await open_store(sqlite_url, keys=keys)


async def test_an_empty_store_is_sealed_from_its_first_start_with_keys_on(
    sqlite_url: str, keys: Keys, database_file: Path
) -> None:
    await (await open_store(sqlite_url)).close()

    await (await open_store(sqlite_url, keys=keys)).close()

    with closing(sqlite3.connect(database_file)) as connection:
        row = connection.execute("SELECT key_id, previous FROM store_seals").fetchone()
    assert row == ("k1", None)


async def test_a_number_that_was_tampered_with_is_no_number(
    sealed: str, keys: Keys, database_file: Path
) -> None:
    with closing(sqlite3.connect(database_file, isolation_level=None)) as connection:
        connection.execute("UPDATE consent_answers SET msisdn = ?", (bytes(24),))
    stores = await open_store(sealed, keys=keys)

    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        [page async for page in stores.consent.all_answers()]
    await stores.close()


async def test_a_store_in_memory_is_sealed_as_one_on_disk(keys: Keys) -> None:
    stores = await open_store("memory://", keys=keys)

    assert stores.consent_lists.number_seal() is not None
    await stores.close()
