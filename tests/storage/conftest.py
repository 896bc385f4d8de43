"""The database files of these tests are made as the program makes them."""

import pytest

from gateway.storage.dialects import sqlite
from gateway.storage.dialects.sqlite import prepare_file


@pytest.fixture(autouse=True)
def _migrated_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "prepare_file", prepare_file)
