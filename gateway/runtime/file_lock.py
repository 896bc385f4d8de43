"""Locks beside a file, shared or exclusive; the system releases them when the process ends."""

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


class OwnerLock:
    """Holds a lock file beside a file that must have one owner, until `release`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def beside(cls, path: Path) -> Self:
        """Lock ``PATH.lock``; raise OSError, which names PATH, if another process has it."""
        lock = path.with_name(f"{path.name}.lock")
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            problem = f"another gateway works on {path}; give each its own store"
            raise OSError(error.errno, problem) from error
        return cls(fd)

    def release(self) -> None:
        """Release the lock; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
