"""Locks beside a file, shared or exclusive; the system releases them when the process ends."""

import fcntl
import os
from pathlib import Path
from typing import Self


class FileLock:
    """Holds a lock beside a file until `release` or the end of the process."""

    def __init__(self, path: Path, kind: int) -> None:
        # Not the file itself: when SQLite's own process closes any descriptor of it, the system
        # gives back the locks that SQLite holds there.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise

    @classmethod
    def of(cls, path: Path) -> Self:
        """Take part, as many may. Raises BlockingIOError while somebody has all of it."""
        return cls(path.with_name(f"{path.name}.share"), fcntl.LOCK_SH)

    @classmethod
    def whole(cls, path: Path) -> Self:
        """Take all of it. Raises BlockingIOError while anybody takes part."""
        return cls(path.with_name(f"{path.name}.share"), fcntl.LOCK_EX)

    @classmethod
    def owner(cls, path: Path) -> Self:
        """Lock ``PATH.lock``; raise OSError, which names PATH, if another process has it."""
        lock = path.with_name(f"{path.name}.lock")
        try:
            return cls(lock, fcntl.LOCK_EX)
        except BlockingIOError as error:
            problem = f"another gateway works on {path}; give each its own store"
            raise OSError(error.errno, problem) from error

    def release(self) -> None:
        """Let it go; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
