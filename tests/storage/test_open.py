"""Which stores a URL names."""

from pathlib import Path

import pytest

from gateway.storage.errors import StoreUnavailable
from gateway.stores import open_store


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////",
        "nosuch://localhost/smsward",
    ],
)
async def test_a_url_that_would_not_keep_anything_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="store's URL"):
        await open_store(url)


async def test_three_slashes_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    stores = await open_store("sqlite:///var/smsward.db")
    await stores.close()

    assert (tmp_path / "var" / "smsward.db").is_file()


async def test_memory_stores_begin_empty_and_may_be_closed() -> None:
    stores = await open_store("memory://")

    assert await stores.quarantine.find() == []
    await stores.close()


async def test_a_place_that_cannot_be_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailable, match="Is a directory"):
        await open_store(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreUnavailable, match="no database file"):
        await open_store(f"sqlite:///{tmp_path}/file/smsward.db")
