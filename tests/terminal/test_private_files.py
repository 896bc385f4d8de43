import stat
from pathlib import Path

import pytest

from gateway.terminal.failure import CommandError
from gateway.terminal.screen import private_file


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

    with pytest.raises(CommandError, match="symbolic links"), private_file(tmp_path / "list.csv"):
        pass

    assert not elsewhere.exists()


@pytest.mark.parametrize("number", ["8613800138000", "+8613800138000", "13800138000"])
def test_r73_masked_numbers_take_the_place_of_no_whole_ones(tmp_path: Path, number: str) -> None:
    path = tmp_path / "list.csv"
    with private_file(path, is_whole=True) as file:
        file.write(f"number,answer\n{number},refused\n")

    with pytest.raises(CommandError, match="holds whole numbers") as raised:
        private_file(path, is_whole=False).__enter__()

    assert raised.value.exit_code == 2
    assert number in path.read_text(encoding="utf-8")
    assert number not in str(raised.value)


def test_masked_numbers_take_the_place_of_masked_ones(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    earlier = (
        '{"message_id":"81764072000000001000","to":"138****8000","sha":"a13800138000b","at":1}'
    )
    path.write_text(earlier, encoding="utf-8")

    with private_file(path, is_whole=False) as file:
        file.write("138****8001")

    assert path.read_text(encoding="utf-8") == "138****8001"
