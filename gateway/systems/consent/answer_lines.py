"""Read lists of answers line by line: CSV with a header, or one number on each line."""

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Never

from gateway.domain.categories import advert_category
from gateway.domain.consent import (
    EVERY_SENDER,
    FIRST,
    Answer,
    ConsentAnswer,
    end_said,
    parts_of,
    scope_of,
)
from gateway.domain.msisdn import SHORTEST_NUMBER, msisdn_of
from gateway.domain.sender import PORT_PATTERN
from gateway.systems.consent.sql import PlainAnswer

MAX_LINE_OCTETS = 4096
COLUMNS = ("number", "system_id", "answer", "since", "channel", "evidence", "until")
_ENDED, _ASSERTED_ENDED = "ended", "asserted-ended"
EVERY_SENDER_CELL = "*"

_PORT = re.compile(PORT_PATTERN)
_SEPARATORS = ",;\t"
_BOM = b"\xef\xbb\xbf"
_MAX_SYSTEM_ID_CHARS = 15  # SMPP 3.4, 5.2.1, less its NUL
_MAX_CHANNEL_CHARS = 64
_MAX_EVIDENCE_CHARS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Many lines of a list share a date, so dates are cached; bounded, because all may differ.
_MAX_DATES_KNOWN = 10_000


class LineFault(StrEnum):
    """Why a line is rejected."""

    TOO_LONG = "line too long"
    NOT_UTF8 = "not UTF-8"
    FIELDS = "not as many fields as the header, or a stray quote"
    NUMBER = "no subscriber number"
    NO_SENDER = "no system_id"
    UNKNOWN_SENDER = "no such sender"
    PART = "neither a port nor a category of adverts stands behind the system_id"
    NO_ANSWER = "no answer"
    ANSWER = "the answer is none of agreed, refused, asserted, ended and asserted-ended"
    SINCE = "since is no time with an offset, as 2013-11-04T09:30:00+08:00"
    FUTURE = "since lies in the future"
    TOO_OLD = "since lies before 1990"
    CHANNEL = "the channel is too long or cannot be shown"
    EVIDENCE = "the evidence is too long or cannot be shown"
    UNTIL = "until is neither a day, as 2035-12-31, nor a time with an offset"
    NO_END = "a refusal has no end"
    NOT_ENDED = "it ended, but until is missing or lies ahead"


class LineRejectedError(ValueError):
    """One line is rejected."""

    def __init__(self, fault: LineFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class ListRejectedError(ValueError):
    """A whole list is rejected. The text says why."""


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Defaults for values that a line does not give; None means that each line must give one."""

    scope: str | None
    answer: Answer | None
    since: datetime
    channel: str
    evidence: str = ""
    until: datetime | None = None


class AnswerLines:
    """Reads the lines of one list; the `first` line that is not empty gives the layout.

    `senders` are the allowed scopes, None means any. An answer dated later than `now` is
    rejected: it would override what the subscriber says until then. An agreement without
    evidence is read as ASSERTED (R26). Raises ListRejectedError for a first line that is neither
    a header nor a number.
    """

    def __init__(
        self, first: bytes, unsaid: Unsaid, senders: Collection[str] | None, now: datetime
    ) -> None:
        self.has_header, self._separator, self._columns = _layout(first)
        self._places = [
            self._columns.index(name) if name in self._columns else -1 for name in COLUMNS
        ]
        self._first_us, self._now_us = microseconds(FIRST), microseconds(now)
        self._ends = {"": None if unsaid.until is None else microseconds(unsaid.until)}
        self._dates = {"": microseconds(unsaid.since)}
        self._channel, self._evidence = unsaid.channel, unsaid.evidence
        self._is_any_sender = senders is None
        self._scopes = {sender: sender for sender in senders or ()}
        self._scopes[EVERY_SENDER_CELL] = EVERY_SENDER
        self._proven = {answer.value: answer.value for answer in Answer}
        self._proven |= {_ENDED: Answer.AGREED.value, _ASSERTED_ENDED: Answer.ASSERTED.value}
        if unsaid.scope is not None:
            self._scopes[""] = unsaid.scope
        if unsaid.answer is not None:
            self._proven[""] = unsaid.answer.value
        self._unproven = {
            cell: Answer.ASSERTED.value if answer == Answer.AGREED else answer
            for cell, answer in self._proven.items()
        }
        if "system_id" not in self._columns and unsaid.scope is None:
            raise ListRejectedError("to whom the answers were given is not said")
        if "answer" not in self._columns and unsaid.answer is None:
            raise ListRejectedError("whether they refused or agreed is not said")

    def read(self, line: bytes) -> PlainAnswer:
        """Return the answer of one line. Raises LineRejectedError."""
        if len(line) > MAX_LINE_OCTETS:
            _reject(LineFault.TOO_LONG)
        if not self.has_header:
            msisdn = _msisdn(line.removeprefix(_BOM).strip())
            answer = (self._proven if self._evidence else self._unproven)[""]
            said = (self._dates[""], self._channel, self._evidence)
            return (msisdn, self._scopes[""], answer, *said, self._end("", answer))
        number, system_id, said_answer, since, channel, proof, until = self._cells(line)
        # Checked only if given: most lines have none, and there are millions of lines.
        evidence = self._evidence
        if proof:
            evidence = _shown(proof, _MAX_EVIDENCE_CHARS, LineFault.EVIDENCE)
        answer = self._answer(said_answer, evidence)
        end_us = self._end(until, answer)
        if said_answer.endswith(_ENDED) and (end_us is None or end_us > self._now_us):
            _reject(LineFault.NOT_ENDED)
        return (
            _msisdn(number.encode()),
            self._scope(system_id),
            answer,
            self._since(since),
            _shown(channel, _MAX_CHANNEL_CHARS, LineFault.CHANNEL) if channel else self._channel,
            evidence,
            end_us,
        )

    def _cells(self, line: bytes) -> tuple[str, ...]:
        """Return the cells of all COLUMNS, an empty one for a missing column."""
        try:
            text = line.decode().strip("\r\n")
        except UnicodeDecodeError:
            _reject(LineFault.NOT_UTF8)
        try:
            cells = _cut(text, self._separator)
        except csv.Error:
            _reject(LineFault.FIELDS)
        if len(cells) != len(self._columns):
            _reject(LineFault.FIELDS)
        cells.append("")
        return tuple([cells[place].strip() for place in self._places])  # a generator is slower

    def _scope(self, cell: str) -> str:
        scope = self._scopes.get(cell)
        if scope is not None:
            return scope
        if not cell:
            _reject(LineFault.NO_SENDER)
        whom = parts_of(cell)
        system_id = whom.system_id
        is_possible = system_id.isprintable() and 0 < len(system_id) <= _MAX_SYSTEM_ID_CHARS
        if system_id not in self._scopes and not (self._is_any_sender and is_possible):
            _reject(LineFault.UNKNOWN_SENDER)
        if cell == system_id:
            return cell
        is_known = advert_category(whom.category) or _PORT.fullmatch(whom.port)
        if system_id == EVERY_SENDER_CELL or not is_known:
            _reject(LineFault.PART)
        return scope_of(system_id, whom.port, advert_category(whom.category))

    def _answer(self, cell: str, evidence: str) -> str:
        answer = (self._proven if evidence else self._unproven).get(cell)
        if answer is None:
            _reject(LineFault.ANSWER if cell else LineFault.NO_ANSWER)
        return answer

    def _end(self, cell: str, answer: str) -> int | None:
        if answer == Answer.REFUSED:
            return None if not cell else _reject(LineFault.NO_END)
        if cell not in self._ends:
            try:
                end_us = microseconds(end_said(cell))
            except ValueError:
                _reject(LineFault.UNTIL)
            if len(self._ends) >= _MAX_DATES_KNOWN:
                return end_us
            self._ends[cell] = end_us
        return self._ends[cell]

    def _since(self, cell: str) -> int:
        since_us = self._dates.get(cell)
        if since_us is None:
            since_us = self._dated(cell)
            if len(self._dates) < _MAX_DATES_KNOWN:
                self._dates[cell] = since_us
        return since_us

    def _dated(self, cell: str) -> int:
        try:
            since_us = microseconds(datetime.fromisoformat(cell))
        except (ValueError, TypeError):
            _reject(LineFault.SINCE)
        if since_us > self._now_us:
            _reject(LineFault.FUTURE)
        if since_us < self._first_us:
            _reject(LineFault.TOO_OLD)
        return since_us


def answer_cell(answer: ConsentAnswer, now: datetime) -> str:
    """Return the answer as a list writes it; an ended agreement has a word of its own."""
    standing = answer.standing(now)
    if standing is not None:
        return standing
    return _ASSERTED_ENDED if answer.answer is Answer.ASSERTED else _ENDED


def microseconds(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970; TypeError for a naive one."""
    # Half a microsecond faster than a division by timedelta(microseconds=1).
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _layout(first: bytes) -> tuple[bool, str, tuple[str, ...]]:
    """Return whether `first` is a header, its separator, and its column names."""
    try:
        text = first.removeprefix(_BOM).decode().strip()
    except UnicodeDecodeError:
        raise ListRejectedError("the first line is not UTF-8") from None
    separator = next((mark for mark in _SEPARATORS if mark in text), ",")
    names = tuple(name.strip().strip('"').lower() for name in text.split(separator))
    if "number" not in names:
        if len(names) > 1:
            raise ListRejectedError("the first line names no column `number`")
        return False, separator, ()
    if len(set(names)) < len(names) or not set(names) <= set(COLUMNS):
        raise ListRejectedError(f"each column must be one of {', '.join(COLUMNS)}, given once")
    return True, separator, names


def _cut(text: str, separator: str) -> list[str]:
    # Quotes are rare, and the csv module takes four times as long.
    if '"' not in text:
        return text.split(separator)
    return next(csv.reader([text], delimiter=separator, strict=True))


def _msisdn(number: bytes) -> int:
    msisdn = msisdn_of(number)
    # A column of row numbers or amounts is no list of subscribers.
    if msisdn is None or msisdn < SHORTEST_NUMBER:
        _reject(LineFault.NUMBER)
    return msisdn


def _shown(cell: str, max_chars: int, fault: LineFault) -> str:
    if len(cell) > max_chars or not cell.isprintable():
        _reject(fault)
    return cell


def _reject(fault: LineFault) -> Never:
    raise LineRejectedError(fault)
