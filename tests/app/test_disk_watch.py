import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.app.health import free_octets


def test_the_kernel_tells_what_is_free(tmp_path: Path) -> None:
    assert free_octets(tmp_path) > 0


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        free_octets(tmp_path / "none")


@pytest.mark.parametrize(("files", "left", "free"), [(100, 3, 0), (100, 64, 40960), (0, 0, 40960)])
def test_where_no_more_files_can_be_made_nothing_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, left: int, free: int
) -> None:
    found = SimpleNamespace(f_bavail=10, f_frsize=4096, f_files=files, f_favail=left)
    monkeypatch.setattr(os, "statvfs", lambda _path: found)

    assert free_octets(tmp_path) == free
