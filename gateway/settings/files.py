"""Reads of configuration files: bounded, and with the cause where one cannot be read."""

import stat
from pathlib import Path

from gateway.settings.fault import Fault, SettingsError


def read_octets(path: Path, max_octets: int) -> bytes:
    """Return the content of the regular file at `path`.

    Raises SettingsError if the file does not exist, cannot be read or is too large. A pipe or a
    device is refused before it is opened: opening could block for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise whole_file_fault(path, "is not a regular file")
        with path.open("rb") as file:
            octets = file.read(max_octets + 1)
    except OSError as error:
        raise whole_file_fault(path, f"cannot be read: {error.strerror}") from error
    if len(octets) > max_octets:
        raise whole_file_fault(path, f"is larger than {max_octets} octets")
    return octets


def whole_file_fault(path: Path, problem: str) -> SettingsError:
    """Return the error for a fault that has no line."""
    return SettingsError([Fault(path, 1, 1, problem)])


def decode_utf8(path: Path, octets: bytes) -> str:
    """Return `octets` as text, a byte order mark dropped.

    Raises SettingsError with the place of the first octet that is not UTF-8.
    """
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from behind a byte order mark; `error.object` is what it counted.
        line, column = position_in(error.object[: error.start].decode())
        raise SettingsError([Fault(path, line, column, "not UTF-8")]) from error


def position_in(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of what follows the text `before`."""
    line_start = before.rfind("\n") + 1
    return before.count("\n") + 1, len(before) - line_start + 1
