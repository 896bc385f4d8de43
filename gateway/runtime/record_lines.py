"""Turns record rows into JSON Lines: plain tuples in, octets out, no clock and no file.

The rows of one message cost about 0.6 us each here; a dict and one orjson call per row cost
4 us. So the parts that repeat from row to row are kept ready, and only the rest is formatted.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import orjson

from gateway.domain.records import DecisionRow, EventRow, OutcomeRow, Row

K = TypeVar("K")

_HOUR_S = 3600
_KEPT_PARTS = 4096
_MAX_REPR = 2000
_KEPT_TEXT_OCTETS = 16 * 1024 * 1024
_TEXT_ENTRY_OCTETS = 200  # what the table itself takes for each

_HEAD = b'","session":%d,"system_id":%b,"command_id":%d,"sequence_number":'
_TAIL = b'","action":%b,"reason":%b,"rule":%b,"status":%b,"digest":%b,"gateway_id":'
_DECISION = b'{"kind":"decision","at":"%b%b%d,"source":"%b","destination":"%b%b%d%b}\n'
_TEXT = b'{"kind":"text","at":"%b","id":"%b","system_id":%b,"data_coding":%d,"octets":"%b"}\n'
_OUTCOME = (
    b'{"kind":"outcome","at":"%b%b%d,"command_status":%d,"message_id":"%b",'
    b'"latency_us":%d,"how":%b}\n'
)


class RecordLines:
    """Formats rows; keeps the parts that repeat, bounded. For one thread.

    A text is written once an hour, on a line of its own before the first decision that names
    its id; where the bound was reached, or the process started again, once more with
    another id. So a reader needs no more than the lines of the same file that came before.
    """

    def __init__(self) -> None:
        self.malformed = 0
        self._epoch = 0.0
        self._at = _at(0.0)
        self._heads: dict[tuple[int, str, int], bytes] = {}
        self._tails: dict[tuple[str, str, str, str, str], bytes] = {}
        self._hows: dict[str, bytes] = {}
        self._texts: dict[tuple[int, bytes], bytes] = {}
        self._text_octets = 0
        self._text_number = 0
        self._hour = -1

    def by_hour(self, rows: Sequence[Row]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (hours since 1970, number of rows, their lines) in the order of `rows`.

        Rows whose first and last hour agree are taken for one hour: a clock that was set
        back in between does no harm but a line in a neighbour's file.
        """
        if not rows:
            return
        if _hour(rows[0]) == _hour(rows[-1]):
            yield _hour(rows[0]), len(rows), self._lines(rows)
            return
        start = 0
        for end in range(1, len(rows) + 1):
            if end == len(rows) or _hour(rows[end]) != _hour(rows[start]):
                part = rows[start:end]
                yield _hour(rows[start]), len(part), self._lines(part)
                start = end

    def line(self, row: Row) -> bytes:
        """Return `row` as one line of JSON, newline included; any octets and text will do.

        A text that is new in this hour is a line before it.

        A row that breaks its own type is written as ``{"kind":"malformed"}`` with its
        repr and counted: evidence is never dropped for its form.
        """
        try:
            if row[0] == "d":
                return self._decision(row)
            if row[0] == "o":
                return self._outcome(row)
            return _event(row)
        except Exception:  # noqa: BLE001 - the writer thread's edge: one bad row must not stop it
            self.malformed += 1
            fields = {"kind": "malformed", "row": repr(row)[:_MAX_REPR]}
            return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)

    def _lines(self, rows: Sequence[Row]) -> bytes:
        hour = _hour(rows[0])
        if hour != self._hour:
            self._hour = hour
            self._forget_texts()
        return b"".join(map(self.line, rows))

    def _decision(self, row: DecisionRow) -> bytes:
        if row[1] != self._epoch:
            self._set_time(row[1])
        source, destination = row[6], row[7]
        before = text = b""
        if row[15]:
            text = self._texts.get(row[14:], b"")
            if not text:
                before, text = self._new_text(row)
        return before + _DECISION % (
            self._at,
            self._heads.get(row[2:5]) or self._head(row[2:5]),
            row[5],
            source if source.isalnum() else _escaped(source),
            destination if destination.isalnum() else _escaped(destination),
            self._tails.get(row[8:13]) or self._tail(row[8:13]),
            row[13],
            text,
        )

    def _outcome(self, row: OutcomeRow) -> bytes:
        if row[1] != self._epoch:
            self._set_time(row[1])
        message_id = row[7]
        return _OUTCOME % (
            self._at,
            self._heads.get(row[2:5]) or self._head(row[2:5]),
            row[5],
            row[6],
            message_id if message_id.isalnum() else _escaped(message_id),
            row[8],
            self._hows.get(row[9]) or self._how(row[9]),
        )

    def _new_text(self, row: DecisionRow) -> tuple[bytes, bytes]:
        """Return the line of a text, and how decisions name it from now on."""
        data_coding, octets = row[14:]
        size = len(octets) + _TEXT_ENTRY_OCTETS
        if self._text_octets + size > _KEPT_TEXT_OCTETS:
            self._forget_texts()
        self._text_octets += size
        self._text_number += 1
        # The second of the hour: numbers begin anew with each process, in the same file.
        text_id = b"t%d-%d" % (row[1] % _HOUR_S, self._text_number)
        named = self._texts[data_coding, octets] = b',"text":"%b"' % text_id
        system_id = _quoted(row[3])
        return _TEXT % (self._at, text_id, system_id, data_coding, b64encode(octets)), named

    def _forget_texts(self) -> None:
        self._texts.clear()
        self._text_octets = 0

    def _set_time(self, epoch: float) -> None:
        # One tick's rows share their time.
        self._epoch, self._at = epoch, _at(epoch)

    def _head(self, key: tuple[int, str, int]) -> bytes:
        session, system_id, command_id = key
        return _keep(self._heads, key, _HEAD % (session, _quoted(system_id), command_id))

    def _tail(self, key: tuple[str, str, str, str, str]) -> bytes:
        return _keep(self._tails, key, _TAIL % tuple(map(_quoted, key)))

    def _how(self, key: str) -> bytes:
        return _keep(self._hows, key, _quoted(key))


def _keep(parts: dict[K, bytes], key: K, part: bytes) -> bytes:
    if len(parts) >= _KEPT_PARTS:
        parts.clear()
    parts[key] = part
    return part


def _hour(row: Row) -> int:
    return int(row[1] // _HOUR_S)


def _at(epoch: float) -> bytes:
    stamp = datetime.fromtimestamp(epoch, UTC)
    return stamp.isoformat(timespec="milliseconds")[:-6].encode() + b"Z"


def _escaped(octets: bytes) -> bytes:
    """Return `octets` as the inside of a JSON string, one character per octet (latin-1)."""
    return orjson.dumps(octets.decode("latin-1"))[1:-1]


def _quoted(text: str) -> bytes:
    # orjson refuses lone surrogates.
    return orjson.dumps(text.encode("utf-8", "replace").decode())


def _event(row: EventRow) -> bytes:
    _, epoch, kind, fields = row
    line = {"kind": kind, "at": _at(epoch).decode()} | {
        key: value for key, value in fields.items() if key not in {"kind", "at"}
    }
    return orjson.dumps(line, default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def _plain(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
