"""The database files of these tests are made as the program makes them."""

import pytest

from gateway.storage import open as open_module
from gateway.storage.dialect import prepare_file


@pytest.fixture(autouse=True)
def _migrated_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_module, "prepare_file", prepare_file)
