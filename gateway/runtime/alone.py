"""An exclusive lock on a file; the system releases it when the process ends in any way."""

import fcntl
import os
from pathlib import Path
from typing import Self


class Alone:
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
