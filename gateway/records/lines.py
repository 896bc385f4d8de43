"""Format record rows as JSON Lines: plain tuples in, octets out, no clock and no file.

A row of a message costs about 0.6 us here; a dict and an orjson call for each row would cost
4 us. So parts that repeat from row to row are cached, and only the rest is formatted.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import orjson

from gateway.domain.records import About, EventRow, Row, Text, Told, Why
from gateway.domain.verdict import Finding

K = TypeVar("K")

_HOUR_S = 3600
_DAY_HOURS = 24
_LEFT_OUT = b',"text_left_out":"day_full"'
_KEPT_PARTS = 4096
_MAX_REPR = 2000
_KEPT_TEXT_OCTETS = 16 * 1024 * 1024
_TEXT_ENTRY_OCTETS = 200  # memory of one table entry without its text

_BEGIN = b'{"kind":"%b","at":"%b","session":%d,"system_id":%b,"command_id":%d,"sequence_number":'
_WHY = (
    b'","action":%b,"reason":%b,"rule":%b,"status":%b,"digest":%b,"category":%b,'
    b'"campaign":%b%b,"gateway_id":'
)
_CLASS = b',"class":%b,"classed_by":%b'
_DECISION = b'%b%d,"source":"%b","destination":"%b%b%d%b}\n'
_DELIVERY = b'%b%d,"source":"%b","destination":"%b","message_id":"%b"%b%b}\n'
_OUTCOME = b'%b%d,"command_status":%d,"message_id":"%b","latency_us":%d,"how":%b}\n'
_OF_RECEIPT = b',"stat":%b,"err":%b,"submitted":%b,"done":%b'
_TEXT = b'{"kind":"text","at":"%b","id":"%b","system_id":%b,"data_coding":%d,"octets":"%b"}\n'


_NOBODY: About = (0, "", 0)
_NO_REASON = Why("", "", "", "", "")
_NO_TALE: Told = ("", "", "", "", "")


class RecordLines:
    """Formats rows; caches parts that repeat, with a limit. For one thread.

    A text is written once an hour, on its own line before the first decision that names its id.
    After the cache is full, or after a restart, it is written again with another id. So a reader
    needs only the earlier lines of the same file.

    Once the lines of an SP have `max_octets_per_day` in a UTC day, its new texts are left out, and
    their decisions say so; decisions are never left out.
    """

    def __init__(self, max_octets_per_day: int | None = None) -> None:
        self.malformed = 0
        self.octets: defaultdict[str, int] = defaultdict(int)  # of all lines, by system_id
        self.texts_left_out = 0
        self.max_octets_per_day = max_octets_per_day
        self._at_midnight: dict[str, int] = {}
        self._payer, self._first = "", 0  # whose the lines from the first are that is not counted
        self._day = -1
        self._epoch = 0.0
        self._at = _at(0.0)
        self._names: dict[str, bytes] = {}
        self._tails: dict[Why, bytes] = {}
        self._at_hand: dict[int, tuple[Why, bytes]] = {}
        self._told: dict[Told, bytes] = {}
        self._hows: dict[str, bytes] = {}
        self._texts: dict[Text, bytes] = {}
        self._text_octets = 0
        self._text_number = 0
        self._hour = -1

    def by_hour(self, rows: Sequence[Row]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (hours since 1970, number of rows, their lines) in the order of `rows`.

        If the first and the last row have the same hour, all count as that hour: a clock set
        back in between only puts a line into the file of a neighbouring hour.
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
        """Return `row` as one JSON line with newline, for any octets and text.

        A text that is new in this hour is a line before it.

        A row with wrong types is written as ``{"kind":"malformed"}`` with its repr, and
        counted: evidence is not dropped because of its form.
        """
        return b"".join(self._written([row]))

    def _lines(self, rows: Sequence[Row]) -> bytes:
        hour = _hour(rows[0])
        if hour != self._hour:
            self._hour = hour
            self._forget_texts()
        if hour // _DAY_HOURS != self._day:
            self._day = hour // _DAY_HOURS
            self._at_midnight = dict(self.octets)
        return b"".join(self._written(rows))

    def _written(self, rows: Sequence[Row]) -> list[bytes]:  # noqa: C901, PLR0912, PLR0915 - one loop: a call per row costs as much again
        lines: list[bytes] = []
        add, at_hand = lines.append, self._at_hand
        # Rows of one tick and one session share these objects, so their parts are formatted once.
        kind, at, of, why = "", 0.0, _NOBODY, _NO_REASON
        tale, begin, because, what = _NO_TALE, b"", b"", b""
        self._first = 0
        for row in rows:
            try:
                if row[0] == "d":
                    _, epoch, about, sequence, source, destination, reasons, gateway_id, text = row
                    if about is not of or epoch != at or kind != "d":
                        begin = self._begin(b"decision", epoch, about, lines)
                        kind, at, of = "d", epoch, about
                    if reasons is not why:
                        known = at_hand.get(id(reasons))
                        if known is not None and known[0] is reasons:
                            because = known[1]
                        else:
                            because = self._tail(reasons)
                        why = reasons
                    source = source if source.isalnum() else _escaped(source)
                    if not destination.isalnum():
                        destination = _escaped(destination)
                    said = b"" if text is None else self._named(text, about[1], epoch, lines)
                    values = (begin, sequence, source, destination, because, gateway_id, said)
                    add(_DECISION % values)
                elif row[0] == "o":
                    _, epoch, about, sequence, status, message_id, latency_us, how = row
                    if epoch != at or kind != "o" or (about is not of and about != of):
                        begin = self._begin(b"outcome", epoch, about, lines)
                        kind, at, of = "o", epoch, about
                    if message_id and not message_id.isalnum():
                        message_id = _escaped(message_id)
                    ended = self._hows.get(how) or self._how(how)
                    add(_OUTCOME % (begin, sequence, status, message_id, latency_us, ended))
                elif row[0] == "m":
                    _, epoch, about, sequence, source, destination, message_id, told, text = row
                    if epoch != at or kind != "m" or about != of:
                        begin = self._begin(b"delivery", epoch, about, lines)
                        kind, at, of = "m", epoch, about
                    source = source if source.isalnum() else _escaped(source)
                    if not destination.isalnum():
                        destination = _escaped(destination)
                    if message_id and not message_id.isalnum():
                        message_id = _escaped(message_id)
                    if told is not tale:
                        what, tale = self._told.get(told) or self._what(told), told
                    said = b"" if text is None else self._named(text, about[1], epoch, lines)
                    cells = (begin, sequence, source, destination, message_id, what, said)
                    add(_DELIVERY % cells)
                else:
                    self._add_unpaid(lines, _event(row))
            except Exception:  # noqa: BLE001 - the writer's edge: one bad row must not stop it
                kind = ""
                self._add_unpaid(lines, self._malformed(row))
        self._charge(lines)
        return lines

    def _charge(self, lines: Sequence[bytes]) -> None:
        """Count the octets of the lines since the last call: they are of one payer."""
        if len(lines) > self._first:  # once for all of them: once for each costs 0.1 us
            self.octets[self._payer] += sum(map(len, lines[self._first :]))
            self._first = len(lines)

    def _add_unpaid(self, lines: list[bytes], line: bytes) -> None:
        self._charge(lines)
        lines.append(line)
        self._first = len(lines)

    def _begin(self, kind: bytes, epoch: float, about: About, lines: Sequence[bytes]) -> bytes:
        if epoch != self._epoch:
            self._epoch, self._at = epoch, _at(epoch)
        session, system_id, command_id = about
        if system_id != self._payer:
            self._charge(lines)
            self._payer = system_id
        name = self._names.get(system_id) or self._name(system_id)
        return _BEGIN % (kind, self._at, session, name, command_id)

    def _malformed(self, row: Row) -> bytes:
        self.malformed += 1
        fields = {"kind": "malformed", "row": repr(row)[:_MAX_REPR]}
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)

    def _named(self, text: Text, system_id: str, epoch: float, lines: list[bytes]) -> bytes:
        """Return a decision's reference to its text; a text new in this hour is a line first."""
        known = self._texts.get(text)
        if known is not None or not text[1]:
            return known or b""
        data_coding, octets = text
        size = len(octets) + _TEXT_ENTRY_OCTETS
        self._charge(lines)
        if not self._may_write(system_id, size + len(octets) // 3):
            self.texts_left_out += 1
            return _LEFT_OUT
        if self._text_octets + size > _KEPT_TEXT_OCTETS:
            self._forget_texts()
        self._text_octets += size
        self._text_number += 1
        # With the second of the hour, because numbers restart with each process in the same file.
        text_id = b"t%d-%d" % (epoch % _HOUR_S, self._text_number)
        name = self._names.get(system_id) or self._name(system_id)
        lines.append(_TEXT % (self._at, text_id, name, data_coding, b64encode(octets)))
        named = self._texts[text] = b',"text":"%b"' % text_id
        return named

    def _may_write(self, system_id: str, octets: int) -> bool:
        if self.max_octets_per_day is None:
            return True
        today = self.octets.get(system_id, 0) - self._at_midnight.get(system_id, 0)
        return today + octets <= self.max_octets_per_day

    def _forget_texts(self) -> None:
        self._texts.clear()
        self._text_octets = 0

    def _name(self, system_id: str) -> bytes:
        return _keep(self._names, system_id, _quoted(system_id))

    def _tail(self, why: Why) -> bytes:
        tail = self._tails.get(why)
        if tail is None:
            *reasons, findings, traffic, classed_by = why
            said = b',"findings":%b' % _findings(findings) if findings else b""
            if traffic:
                said += _CLASS % (_quoted(traffic), _quoted(classed_by))
            tail = _keep(self._tails, why, _WHY % (*map(_quoted, reasons), said))
        # Rows with equal reasons mostly share one object, which is found again by its id.
        if len(self._at_hand) >= _KEPT_PARTS:
            self._at_hand.clear()
        self._at_hand[id(why)] = why, tail
        return tail

    def _what(self, told: Told) -> bytes:
        what, *of_receipt = told
        part = b',"what":%b' % _quoted(what)
        if any(of_receipt):
            part += _OF_RECEIPT % tuple(map(_quoted, of_receipt))
        return _keep(self._told, told, part)

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
    # orjson rejects lone surrogates.
    return orjson.dumps(text.encode("utf-8", "replace").decode())


def _findings(findings: Sequence[Finding]) -> bytes:
    """Return findings as a JSON array; what a finding has not is left out."""
    return orjson.dumps([finding_fields(one) for one in findings])


def finding_fields(one: Finding) -> dict[str, object]:
    """Return what records say of a finding."""
    said = {
        "rule": one.rule,
        "mode": one.mode,
        "action": one.action.value,
        "reason": one.reason.value,
        "category": one.category,
        "severity": one.severity and one.severity.value,
        "list": one.word and one.rule,
        "word": one.word,
        "campaign": one.campaign,
    }
    shown: dict[str, object] = {name: value for name, value in said.items() if value}
    return shown if one.score is None else shown | {"score": one.score}


def _event(row: EventRow) -> bytes:
    _, epoch, kind, fields = row
    line = {"kind": kind, "at": _at(epoch).decode()} | {
        key: value for key, value in fields.items() if key not in {"kind", "at"}
    }
    return orjson.dumps(line, default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def _plain(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
