"""The free room of file systems, from the kernel (contract: gateway.ports.free_space)."""

import os
from pathlib import Path

_FILES_LEFT = 64  # fewer cannot take the hour's records and what SQLite makes beside its file


def free_octets(directory: Path) -> int:
    """Return the octets that this process may still write below `directory`."""
    found = os.statvfs(directory)
    has_files = not found.f_files or found.f_favail >= _FILES_LEFT  # some file systems count none
    return found.f_bavail * found.f_frsize if has_files else 0
