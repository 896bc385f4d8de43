"""The database files of these tests are made as the program makes them."""

from inspect import unwrap

import pytest

from gateway.storage.dialects import sqlite


@pytest.fixture(autouse=True)
def _migrated_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "prepare_file", unwrap(sqlite.prepare_file))
