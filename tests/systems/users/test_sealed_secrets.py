"""What a second factor is made of is sealed in the store, and goes from key to key with it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.runtime.sealing import Keys
from gateway.storage.open import SealMismatch
from gateway.stores import Stores, open_store, reseal_store
from tests.systems.users.people import PASSWORD, enrolled


def with_store(url: str, keys: Keys | None) -> list[str]:
    """Add lin and wu where there is no user yet; return the secrets of both."""

    async def run() -> list[str]:
        stores = await open_store(url, keys=keys)
        try:
            if await stores.users.get("lin") is None:
                await enrolled(stores, "lin")
                await enrolled(stores, "wu")
            return [await secret_of(stores, name) for name in ("lin", "wu")]
        finally:
            await stores.close()

    return asyncio.run(run())


async def secret_of(stores: Stores, name: str) -> str:
    found = await stores.user_sessions.credentials_of(name)
    assert found is not None
    return found.totp_secret


def octets_of(file: Path) -> bytes:
    return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))


def test_a_secret_stands_in_no_sealed_store_also_under_another_key(
    sqlite_url: str, database_file: Path, keys: Keys
) -> None:
    secrets = with_store(sqlite_url, keys)
    first = octets_of(database_file)
    changed = reseal_store(sqlite_url, replace(keys, current="k2"), lambda _done, _total: None)

    assert changed == 2
    assert with_store(sqlite_url, replace(keys, current="k2")) == secrets
    for octets in (first, octets_of(database_file)):
        assert b"$argon2id$" in octets
        assert not [one for one in (*secrets, PASSWORD) if one.encode() in octets]


def test_a_store_with_open_secrets_is_sealed_before_it_is_used_with_a_key(
    sqlite_url: str, database_file: Path, keys: Keys
) -> None:
    secrets = with_store(sqlite_url, None)
    assert secrets[0].encode() in octets_of(database_file)

    with pytest.raises(SealMismatch, match="stand open"):
        with_store(sqlite_url, keys)
    reseal_store(sqlite_url, keys, lambda _done, _total: None)

    assert with_store(sqlite_url, keys) == secrets
    assert secrets[0].encode() not in octets_of(database_file)
