"""Find one message in the records without parsing every line: by its ids, hour by hour."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import orjson

from gateway.records.archive import FileLines, hour_of
from gateway.records.message_trail import IDS, MessageTrail, has_id
from gateway.records.sealed_values import Joint, Record, joint_of, stamp_of

ReadHour = Callable[[int], Iterable[FileLines]]
"""Reads the lines of an hour (since 1970), as `scan_hour` does."""

Window = tuple[datetime, datetime]

_BOUND = b'{"kind":"bound",'
# Ids of other characters may be written with escapes.
_AS_WRITTEN = re.compile(r"[0-9A-Za-z._-]+")
# A clock that is set back lets ids run ahead of it.
_BEFORE = timedelta(hours=1)
_ANSWERED_WITHIN = (-1, 0, 1)  # hours around a request or an answer in which the other one is


def windows_of(
    since: datetime, until: datetime, issued_at: datetime | None, *, reaches_back: bool = True
) -> list[Window]:
    """Return when to look for a message: from `since` to `until`, but not before it had an id.

    For an id that was issued before `since`, which `reaches_back`, also as long from that moment
    on: what was decided is there, and what people did lately. `issued_at` is None for an id
    without a time.
    """
    if issued_at is None or issued_at > until:
        return [(since, until)]
    begin = issued_at - _BEFORE
    if begin >= since:
        return [(begin, until)]
    if not reaches_back:
        return [(since, until)]
    return [(begin, min(issued_at + (until - since), until)), (since, until)]


def earlier_windows(windows: Sequence[Window]) -> str:
    """Return for a journal which time is looked through beside the last window."""
    times = (f"{since:%Y-%m-%dT%H:%M%z} to {until:%Y-%m-%dT%H:%M%z}" for since, until in windows)
    return "".join(f", and {one}" for one in list(times)[:-1])


def hours_within(hours: Iterable[int], windows: Sequence[Window]) -> list[int]:
    """Return those of `hours` (since 1970) that touch a window."""
    spans = [(hour_of(since), hour_of(until)) for since, until in windows]
    return [hour for hour in hours if any(first <= hour <= last for first, last in spans)]


def _is_within(record: Record, windows: Sequence[Window]) -> bool:
    """Tell whether a record is of the time of a window."""
    at = str(record.get("at"))
    return any(stamp_of(since) <= at < stamp_of(until) for since, until in windows)


def follow_message(
    message_id: str,
    hours: Iterable[int],
    windows: Sequence[Window],
    read: ReadHour,
    *,
    system_id: str | None = None,
    note_bound: Callable[[Record], object] = bool,
) -> list[Record]:
    """Return what a `MessageTrail` finds of one message in some windows, in order of time.

    `hours` are those that there are; with a `system_id` only records of that SP are meant.

    Only lines with one of its ids, or with the sequence_number of one of its requests, are parsed:
    some twenty times as many lines a second. Hours are read again where an id becomes known that
    they may have. `note_bound` gets each record of a bind. Raises what `read` raises, and
    ValueError for a line that is no record.
    """

    def is_meant(record: Record) -> bool:
        is_of_sender = system_id in (None, record.get("system_id"))
        return is_of_sender and _is_within(record, windows)

    hours = hours_within(hours, windows)
    search = _MessageLines(message_id, hours, read)
    while True:
        trail, is_more = MessageTrail(has_id(message_id)), False
        for hour in hours:
            count = len(trail.found)
            trail.follow(filter(is_meant, search.records_of(hour, note_bound)))
            is_more |= search.learn(trail.found[count:], hour)
        if not is_more:
            return sorted(trail.found, key=lambda record: str(record.get("at")))


class _MessageLines:
    """The ids and requests of one message, and the lines of each hour that have them."""

    def __init__(self, message_id: str, hours: Sequence[int], read: ReadHour) -> None:
        self._read = read
        self._ids = {message_id: min(hours, default=0)}  # from which hour on they are known
        self._joints: dict[Joint, set[int]] = {}  # in which hours they may be
        self._picked: dict[int, tuple[Mapping[str, bytes], Mapping[Joint, bytes], list[Record]]]
        self._picked = {}

    def learn(self, found: Iterable[Record], hour: int) -> bool:
        """Take over ids and requests of what was found in an hour; tell whether any is new."""
        before = len(self._ids), sum(map(len, self._joints.values()))
        for record in found:
            for name in IDS:
                if record.get(name):
                    self._ids.setdefault(str(record[name]), hour - 1)
            if isinstance(record.get("sequence_number"), int):
                hours = self._joints.setdefault(joint_of(record), set())
                hours.update(hour + off for off in _ANSWERED_WITHIN)
        return before != (len(self._ids), sum(map(len, self._joints.values())))

    def records_of(self, hour: int, note_bound: Callable[[Record], object]) -> list[Record]:
        """Return the records of an hour that may be about the message, by what is known now."""
        ids = {one: _needle(one) for one, first in self._ids.items() if first <= hour}
        joints = {
            one: b'"sequence_number":%d,' % one[1]
            for one, hours in self._joints.items()
            if hour in hours and isinstance(one[1], int)
        }
        known = self._picked.get(hour)
        if known is not None and known[:2] == (ids, joints):
            return known[2]
        needles = {*ids.values(), *joints.values()} | ({_BOUND} if known is None else set())
        records = []
        for record in _with(self._read(hour), needles):
            if record.get("kind") == "bound":
                note_bound(record)
            elif joint_of(record) in joints or any(str(record.get(name)) in ids for name in IDS):
                records.append(record)
        self._picked[hour] = ids, joints, records
        return records


def _needle(message_id: str) -> bytes:
    """Return what every line with an id has in it: nothing for one that may be escaped."""
    return message_id.encode() if _AS_WRITTEN.fullmatch(message_id) else b""


def _with(blocks: Iterable[FileLines], needles: Iterable[bytes]) -> Iterator[Record]:
    for block in blocks:
        octets = b"\n".join(block.lines)
        there = [one for one in needles if one in octets]
        if there:
            for line in block.lines:
                if any(one in line for one in there):
                    yield _record_of(line)


def _record_of(line: bytes) -> Record:
    record = orjson.loads(line)
    if not isinstance(record, dict):
        raise ValueError("a line is no record")  # noqa: TRY004 - of a file, and not of a caller
    return record
