"""YAML without its traps: values exactly as written, each with its place; faults of files.

PyYAML's own loaders read YAML 1.1, in which ``no`` is false, ``0106`` is 70, ``21:00`` is
1260 and the second of two equal keys wins in silence: the opt-out words, port numbers and
hours of this trade. Here only ``true``, ``false``, ``null``, plain decimal numbers and the
empty value mean anything but their text, and keys are always text.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import yaml

Loaded = TypeVar("Loaded")
Instead = TypeVar("Instead")

_MAX_FAULTS = 500
_MAX_PROBLEM_CHARS = 400
Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
Where: TypeAlias = tuple[str | int, ...]

MAX_OCTETS = 4 * 1024 * 1024
_MAX_DEPTH = 32
_MAX_VALUES = 500_000
# What a path may stand behind: the URL of a store in a file. A server's names no file.
_FILE_SCHEME = "sqlite:///"

# Longer runs of digits are identifiers, not quantities: they stay text and lose nothing.
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS = {"": None, "null": None, "true": True, "false": False}

# The reader refuses these too, but without a line (YAML 1.1, 5.1).
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


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


class Mark(NamedTuple):
    """Where something stands: a file, and line and column in it, from 1."""

    path: Path
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """One file as plain values, or several laid over each other (settings.bundles.layers).

    `marks` maps the way to each value, ``("senders", 0, "ports")``, to where it stands,
    `key_marks` the same way to where its key does. `faults` are the repeated keys: the
    first one counts, so that the rest of the file can still be checked.
    """

    path: Path
    value: Value
    marks: Mapping[Where, Mark]
    key_marks: Mapping[Where, Mark]
    faults: tuple[Fault, ...] = ()

    def fault(self, where: Where, problem: str, *, at_key: bool = False) -> Fault:
        """Return a fault at the deepest known part of `where`, or at the key of all of it."""
        if at_key and where in self.key_marks:
            return Fault(*self.key_marks[where], problem)
        return Fault(*self.mark(where), problem)

    def mark(self, where: Where) -> Mark:
        """Return where the deepest known part of `where` stands."""
        while where and where not in self.marks:
            where = where[:-1]
        return self.marks.get(where, Mark(self.path, 1, 1))

    def find(self, *pattern: str) -> Iterator[tuple[Where, Value]]:
        """Yield way and value of all that `pattern` names; ``*`` stands for every entry.

        What has another shape than the pattern is passed over.
        """
        found: list[tuple[Where, Value]] = [((), self.value)]
        for step in pattern:
            found = [
                ((*where, key), value)
                for where, parent in found
                for key, value in _entries(parent)
                if step in ("*", key)
            ]
        yield from found


def anchor(document: Document, ways: Iterable[tuple[str, ...]]) -> list[tuple[Where, Path, Path]]:
    """Let relative paths at `ways` count from the directory of the file that names them.

    A path may stand behind ``sqlite:///``. What begins with ``env:`` or another scheme is no path.
    Returns the way to each that was relative, the path as it stood there, and as it is now.
    """
    base, changed = document.path.parent.resolve(), list[tuple[Where, Path, Path]]()
    for way in ways:
        for where, text in list(document.find(*way)):
            if not isinstance(text, str):
                continue
            place = text.removeprefix(_FILE_SCHEME)
            if not place or place.startswith(("/", ":", "env:")) or "?" in place or "://" in place:
                continue
            parent = document.value
            for step in where[:-1]:
                parent = parent[step]  # type: ignore[index]
            anchored = os.path.normpath(base / place)
            scheme = text.removesuffix(place)
            parent[where[-1]] = scheme + anchored  # type: ignore[index]
            changed.append((where, Path(place), Path(anchored)))
    return changed


def _entries(value: Value) -> list[tuple[str | int, Value]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    return []


def load(path: Path) -> Document:
    """Return the file at `path`. Raises SettingsError for any fault, repeated keys included."""
    document = read(path)
    if document.faults:
        raise SettingsError(document.faults)
    return document


def read(path: Path) -> Document:
    """Return the file at `path`, as `compose` does; its size is bounded."""
    return compose(path, read_octets(path, MAX_OCTETS))


def compose(path: Path, octets: bytes) -> Document:
    """Build the values of one file; repeated keys are left in the document's `faults`.

    Raises SettingsError for what is not YAML, and at the first alias, anchor, tag, second
    document, key that is not plain text, or nesting past 32 levels.
    """
    text = decode_utf8(path, octets)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        line, column = position_in(text[: forbidden.start()])
        raise SettingsError([Fault(path, line, column, "control character")])
    try:
        return _Builder(path, text).document()
    except yaml.MarkedYAMLError as error:
        raise SettingsError([_syntax_fault(path, error)]) from error


def _syntax_fault(path: Path, error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Fault(path, line, column, str(error.problem or error.context))


class _Builder:
    """Turns the parser's events into values.

    Events rather than composed nodes: an alias, a tag or a deep nest is then met before it
    costs anything, and at its own place in the file.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._marks: dict[Where, Mark] = {}
        self._key_marks: dict[Where, Mark] = {}
        self._faults: list[Fault] = []

    def document(self) -> Document:
        next(self._events)  # the start of the stream
        value: Value = None
        if isinstance(next(self._events), yaml.DocumentStartEvent):
            value = self._value(next(self._events), ())
            next(self._events)  # the end of the document
            after = next(self._events)
            if isinstance(after, yaml.DocumentStartEvent):
                raise self._refused(after, "a second document in one file")
        return Document(self._path, value, self._marks, self._key_marks, tuple(self._faults))

    def _value(self, event: yaml.Event, where: Where) -> Value:
        if len(where) > _MAX_DEPTH:
            raise self._refused(event, f"nested deeper than {_MAX_DEPTH} levels")
        if len(self._marks) >= _MAX_VALUES:
            raise self._refused(event, f"more than {_MAX_VALUES} values in one file")
        self._marks.setdefault(where, self._mark(event))
        self._check_plain(event)
        if isinstance(event, yaml.ScalarEvent):
            return _resolved(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(where)
        return self._mapping(where)

    def _list(self, where: Where) -> list[Value]:
        values: list[Value] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, (*where, len(values))))
        return values

    def _mapping(self, where: Where) -> dict[str, Value]:
        values: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            below = (*where, key)
            mark = self._mark(event)
            if key in values:
                first = self._key_marks[below].line
                problem = f"repeated key {key[:60]!r} (first in line {first})"
                self._faults.append(Fault(*mark, problem))
            self._key_marks.setdefault(below, mark)
            value = self._value(next(self._events), below)
            values.setdefault(key, value)
        return values

    def _key(self, event: yaml.Event) -> str:
        self._check_plain(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refused(event, "a key must be plain text")
        return event.value

    def _check_plain(self, event: yaml.Event) -> None:
        # Without aliases no small file grows large (a billion laughs), and nothing is
        # changed from afar; a tag would ask for a type that the schema does not know.
        if isinstance(event, yaml.AliasEvent):
            raise self._refused(event, "aliases are not accepted")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise self._refused(event, "anchors are not accepted")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            raise self._refused(event, "tags are not accepted")

    def _refused(self, event: yaml.Event, problem: str) -> SettingsError:
        return SettingsError([Fault(*self._mark(event), problem)])

    def _mark(self, event: yaml.Event) -> Mark:
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return Mark(self._path, line, column)


def _resolved(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
