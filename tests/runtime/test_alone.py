"""One gateway per store: a second is told so, and a dead one is in nobody's way."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.runtime.file_lock import FileLock

HOLD_AND_DIE = """
import os, sys
from pathlib import Path
from gateway.runtime.file_lock import FileLock
FileLock.owner(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
os.abort()
"""


def test_a_second_owner_is_refused_and_told_what_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "smsward.db"
    FileLock.owner(path)

    with pytest.raises(OSError, match=r"another gateway works on .*smsward\.db"):
        FileLock.owner(path)


def test_who_lets_go_lets_others_in(tmp_path: Path) -> None:
    first = FileLock.owner(tmp_path / "smsward.db")

    first.release()
    first.release()

    second = FileLock.owner(tmp_path / "smsward.db")
    assert (tmp_path / "smsward.db.lock").stat().st_mode & 0o777 == 0o600
    second.release()


def test_a_process_that_died_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "smsward.db"
    other = subprocess.Popen(  # noqa: S603 - our own script above
        [sys.executable, "-c", HOLD_AND_DIE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(OSError, match="another gateway"):
        FileLock.owner(path)

    other.communicate()

    FileLock.owner(path).release()
