from pathlib import Path

import pytest

from gateway.runtime.file_lock import FileLock


def test_many_may_take_part_in_a_file(tmp_path: Path) -> None:
    first, second = FileLock.of(tmp_path / "db"), FileLock.of(tmp_path / "db")

    first.release()
    second.release()
    second.release()


def test_nobody_has_all_of_a_file_in_which_somebody_takes_part(tmp_path: Path) -> None:
    part = FileLock.of(tmp_path / "db")

    with pytest.raises(BlockingIOError):
        FileLock.whole(tmp_path / "db")
    part.release()
    FileLock.whole(tmp_path / "db").release()


def test_nobody_takes_part_in_a_file_of_which_somebody_has_all(tmp_path: Path) -> None:
    whole = FileLock.whole(tmp_path / "db")

    with pytest.raises(BlockingIOError):
        FileLock.of(tmp_path / "db")
    whole.release()
    FileLock.of(tmp_path / "db").release()


def test_the_lock_is_its_owners_alone(tmp_path: Path) -> None:
    FileLock.of(tmp_path / "db").release()

    assert (tmp_path / "db.share").stat().st_mode & 0o777 == 0o600
