"""Files of complaints (R81): CSV and JSON Lines, with a mapping of their columns to our fields.

Files of 12321 and of other carriers have columns, words, times and encodings of their own. A
mapping in YAML says what they mean.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NamedTuple, get_args

import orjson
from pydantic import Field

from gateway.settings import yaml
from gateway.settings.schema import Section, Text, Version, matching, validate
from gateway.settings.yaml import Document, Fault
from gateway.systems.complaints.intake import category_id

# The longest text, each character as two escapes of JSON, and the other fields.
MAX_LINE_OCTETS = 1 << 20

_SKIPPED_OCTETS = 1 << 16
_BOM = "\ufeff"
_TIMES = ("reported_at", "received_at")
_CHINA = "+08:00"
_MAX_WORDS = 1000

FieldName = Literal[
    "source_id", "sender", "text", "reported_at", "received_at", "reporter", "category"
]
# ASCII is one octet in each of them, and no octet of another character is a line feed.
Encoding = Literal["utf-8", "gb18030", "gbk", "gb2312", "big5"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping(Section):
    """One mapping: `columns` names the column, or the key, that has a field of ours.

    `categories` has the words of the file for ours. Times are of `time_format` (strptime), in ISO
    8601 without one, and without an offset they are of `utc_offset`.
    """

    version: Version = 1
    columns: Annotated[dict[FieldName, Text], Field(min_length=1)]
    categories: Annotated[dict[Text, Text], Field(max_length=_MAX_WORDS)] = field(
        default_factory=dict
    )
    encoding: Encoding = "utf-8"
    separator: Literal[",", ";", "\t", "|"] = ","
    time_format: Text = ""
    utc_offset: Annotated[str, matching("[+-](0[0-9]|1[0-4]):[0-5][0-9]", "must be as +08:00")] = (
        _CHINA
    )


_OWN_COLUMNS = FileMapping(columns={name: name for name in get_args(FieldName)})
_REQUIRED = ("source_id", "sender", "text", "reported_at")


class FileRejectedError(ValueError):
    """A whole file of complaints cannot be read. The text says why."""


class FileRow(NamedTuple):
    """A complaint of a file, to be read by the intake, or the `problem` with it."""

    line: int
    item: object
    problem: str = ""


def load_mapping(path: Path) -> FileMapping:
    """Read a mapping. Raises SettingsError with all its faults."""
    return validate(yaml.read(path), FileMapping, _required, _unknown_categories)


def _required(document: Document) -> Iterator[Fault]:
    for where, columns in document.find("columns"):
        for name in _REQUIRED:
            if isinstance(columns, dict) and name not in columns:
                yield document.fault(where, f"columns: {name} is missing")


def _unknown_categories(document: Document) -> Iterator[Fault]:
    for where, word in document.find("categories", "*"):
        if isinstance(word, str) and category_id(word) is None:
            yield document.fault(where, "categories: there is no such category")


class ComplaintFile:
    """Reads the complaints of one open file, line by line; `line` is the last that was read.

    Without a mapping the columns of CSV have our names, and each line of JSON is our form or MARS.
    """

    def __init__(self, file: BinaryIO, mapping: FileMapping | None, *, is_json: bool) -> None:
        self.line = 0
        self._file = file
        self._mapping = mapping or _OWN_COLUMNS
        self._is_mapped = mapping is not None
        self._is_json = is_json
        self._problem = ""
        offset = datetime.strptime(self._mapping.utc_offset, "%z").tzinfo
        self._zone = offset or UTC

    def rows(self) -> Iterator[FileRow]:
        """Yield what each line is, empty ones passed over. Raises FileRejectedError and OSError."""
        return self._json_rows() if self._is_json else self._csv_rows()

    def _lines(self) -> Iterator[str]:
        """Yield lines as text; what is wrong with one stays in `_problem`."""
        encoding = self._mapping.encoding
        while octets := self._file.readline(MAX_LINE_OCTETS + 1):
            self.line += 1
            if len(octets) > MAX_LINE_OCTETS and not octets.endswith(b"\n"):
                self._skip_rest()
                self._problem = f"the line is longer than {MAX_LINE_OCTETS} octets"
                octets = b"?\n"
            try:
                line = octets.decode(encoding)
            except UnicodeDecodeError:
                self._problem = f"is not {encoding}"
                line = octets.decode(encoding, "replace")
            yield line.removeprefix(_BOM) if self.line == 1 else line

    def _skip_rest(self) -> None:
        while (rest := self._file.readline(_SKIPPED_OCTETS)) and not rest.endswith(b"\n"):
            pass

    def _json_rows(self) -> Iterator[FileRow]:
        for line in self._lines():
            problem, self._problem = self._problem, ""
            if problem:
                yield FileRow(self.line, None, problem)
            elif not line.isspace():
                yield self._json_row(line)

    def _json_row(self, line: str) -> FileRow:
        try:
            item = orjson.loads(line)
        except orjson.JSONDecodeError:
            return FileRow(self.line, None, "is no JSON")
        if self._is_mapped and isinstance(item, dict):
            columns = self._mapping.columns
            item = self._meant({ours: _plain(item.get(theirs)) for ours, theirs in columns.items()})
        return FileRow(self.line, item)

    def _csv_rows(self) -> Iterator[FileRow]:
        reader = csv.reader(self._lines(), delimiter=self._mapping.separator)
        places: dict[str, int] | None = None
        width = 0
        while True:
            first, self._problem = self.line + 1, ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                # An open quote takes lines until a cell is full, and not the rest of the file.
                cells, self._problem = ["?"], f"is no CSV, until line {self.line}"
            if places is None:
                places, width = self._places(cells), len(cells)
            elif self._problem:
                yield FileRow(first, None, self._problem)
            elif len(cells) not in (0, width):
                yield FileRow(first, None, f"has {len(cells)} columns, and the header {width}")
            elif cells:
                found: dict[str, object] = {name: cells[at] for name, at in places.items()}
                yield FileRow(first, self._meant(found))

    def _places(self, header: list[str]) -> dict[str, int]:
        """Return where the column of each field stands. Raises FileRejectedError."""
        if self._problem:
            raise FileRejectedError(f"the header {self._problem}")
        names = [name.strip() for name in header]
        columns = {str(ours): theirs for ours, theirs in self._mapping.columns.items()}
        wanted = columns if self._is_mapped else dict.fromkeys(_REQUIRED)
        missing = [columns[name] for name in wanted if columns[name] not in names]
        if missing:
            raise FileRejectedError(f"the header has no column {', '.join(missing)}")
        return {ours: names.index(theirs) for ours, theirs in columns.items() if theirs in names}

    def _meant(self, found: Mapping[str, object]) -> dict[str, object]:
        """Return an item of our form, without what is empty."""
        items = ((name, self._value(name, value)) for name, value in found.items())
        return {name: value for name, value in items if value not in (None, "")}

    def _value(self, name: str, value: object) -> object:
        if not isinstance(value, str) or name == "text":
            return value
        word = value.strip()
        if name in _TIMES:
            return self._moment(word)
        return self._mapping.categories.get(word, word) if name == "category" else word

    def _moment(self, written: str) -> str:
        """Return a time in ISO 8601 with its offset; other text stays, for the intake to reject."""
        form = self._mapping.time_format
        try:
            at = datetime.strptime(written, form) if form else datetime.fromisoformat(written)  # noqa: DTZ007 - its zone is the mapping's
        except ValueError:
            return written
        return at.replace(tzinfo=at.tzinfo or self._zone).isoformat()


def _plain(value: object) -> object:
    """Return a whole number of JSON as its digits, for ids and addresses are often written so."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value
