import stat
from pathlib import Path

import pytest

from gateway.cli.private_files import private_file


def test_a_file_is_private_and_takes_its_name_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"

    with private_file(path) as file:
        file.write("1")
        was_there = path.exists()

    assert not was_there
    assert path.read_text(encoding="utf-8") == "1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("of yesterday", encoding="utf-8")

    with pytest.raises(RuntimeError), private_file(path):
        raise RuntimeError

    assert path.read_text(encoding="utf-8") == "of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_waits_for_the_numbers_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "list.csv.part").symlink_to(elsewhere)

    with pytest.raises(OSError, match="symbolic links"), private_file(tmp_path / "list.csv"):
        pass

    assert not elsewhere.exists()
