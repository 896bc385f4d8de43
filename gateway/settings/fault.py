"""What is wrong in a file and where, all of it at once; bounded reads of files."""

import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Loaded = TypeVar("Loaded")
Instead = TypeVar("Instead")

_MAX_FAULTS = 500
_MAX_PROBLEM_CHARS = 400


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault. Line and column count from 1; a fault of a whole file stands at 1:1."""

    path: Path
    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        """Return ``file:line:col problem`` on one line, fit for a terminal.

        Keys are quoted in problems, and a key may hold escape sequences.
        """
        whole = f"{self.path}:{self.line}:{self.column} {self.problem[:_MAX_PROBLEM_CHARS]}"
        return "".join(char if char.isprintable() else "?" for char in whole)


class SettingsError(Exception):
    """Configuration that cannot be used. Carries its faults in file order, at most 500."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        found = sorted(set(faults))
        self.faults = tuple(found[:_MAX_FAULTS])
        if len(found) > _MAX_FAULTS:
            last = self.faults[-1]
            rest = f"and {len(found) - _MAX_FAULTS} faults more"
            self.faults += (Fault(last.path, last.line, last.column, rest),)
        super().__init__("\n".join(map(str, self.faults)))


class FaultCollector:
    """Collects the faults of several loads, so that one bad file does not hide the next."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def take(self, load: Callable[[], Loaded], instead: Instead) -> Loaded | Instead:
        """Return what `load` returns, or `instead` once its faults are kept."""
        try:
            return load()
        except SettingsError as error:
            self.faults.extend(error.faults)
            return instead

    def close(self) -> None:
        """Raise SettingsError if any load had faults."""
        if self.faults:
            raise SettingsError(self.faults)


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
