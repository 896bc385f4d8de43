"""Using a file beside others, or as the only one: a lock that the system gives back."""

import fcntl
import os
from pathlib import Path
from typing import Self


class FileLock:
    """Holds a lock beside a file until `release` or the end of the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def of(cls, path: Path) -> Self:
        """Take part, as many may. Raises BlockingIOError while somebody has all of it."""
        return cls(_locked(path, fcntl.LOCK_SH))

    @classmethod
    def whole(cls, path: Path) -> Self:
        """Take all of it. Raises BlockingIOError while anybody takes part."""
        return cls(_locked(path, fcntl.LOCK_EX))

    def release(self) -> None:
        """Let it go; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _locked(path: Path, kind: int) -> int:
    # Not the file itself: when SQLite's own process closes any descriptor of it, the system
    # gives back the locks that SQLite holds there.
    lock = path.with_name(f"{path.name}.share")
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd
