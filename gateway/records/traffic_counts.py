"""Counts of messages on record by what they have in common, within a bounded time and number."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import orjson

from gateway.domain.msisdn import masked
from gateway.domain.verdict import Action
from gateway.records.archive import FileLines, RecordArchive, hour_of, scan_hour, start_of
from gateway.records.sealed_values import (
    UNPROVEN,
    Joint,
    Record,
    is_sealed,
    joint_of,
    opened,
    stamp_of,
)
from gateway.records.sender_messages import RecordsTooManyError
from gateway.runtime.sealing import Sealer, SealError
from gateway.smpp.commands import CommandId

T = TypeVar("T")

FIELDS = ("system_id", "port", "action", "reason", "rule", "category", "smsc")
MOST_ROWS = 50
MAX_HOURS = 24 * 31
# In records as they are written these stand as "name":"value".
_WRITTEN = frozenset({"system_id", "action", "reason", "rule", "category"})
_DECISION, _OUTCOME, _BOUND = b'{"kind":"decision",', b'{"kind":"outcome",', b'{"kind":"bound",'
_JOINT = re.compile(
    rb'\{"kind":"outcome","at":"[^"]*","session":([0-9]+),"system_id":"(?:[^"\\]|\\.)*",'
    rb'"command_id":[0-9]+,"sequence_number":([0-9]+),'
)
_REPLACE_SM = int(CommandId.REPLACE_SM)  # the message that it changes has a record
_SHADOW = "shadow"
_WHY = ("reason", "rule", "category")
_EVERY = 1024

Condition = tuple[str, str]
"""A field and its value."""


class Patience:
    """How long, and how many records, one look may take. For one look."""

    def __init__(self, monotonic: Callable[[], float], most_s: float, most: int) -> None:
        self._monotonic = monotonic
        self._until_s = monotonic() + most_s
        self._left = most

    @property
    def is_over(self) -> bool:
        """Tell whether the time is over, or enough was read."""
        return self._left <= 0 or self._monotonic() > self._until_s

    def spend(self, count: int) -> None:
        """Count what was read."""
        self._left -= count

    def bounded_blocks(self, blocks: Iterable[FileLines]) -> Iterator[FileLines]:
        """Yield blocks of lines; raises RecordsTooManyError where it is over before they are."""
        for block in blocks:
            self.spend(len(block.lines))
            if self.is_over:
                raise RecordsTooManyError
            yield block

    def bounded(self, records: Iterable[T]) -> Iterator[T]:
        """Yield records; raises RecordsTooManyError where it is over before they are."""
        for number, record in enumerate(records, 1):
            if not number % _EVERY:
                self.spend(_EVERY)
                if self.is_over:
                    raise RecordsTooManyError
            yield record


@dataclass(frozen=True, slots=True)
class TrafficQuery:
    """Which messages are counted: decided from `since` until before `until`.

    They fit all of `only`, and none of `without`. `is_of_sp`: for an SP, to which what rules in
    shadow mode found is not told.
    """

    since: datetime
    until: datetime
    only: tuple[Condition, ...] = ()
    without: tuple[Condition, ...] = ()
    is_of_sp: bool = False

    @property
    def is_sound(self) -> bool:
        """Tell whether its fields are known and its time is not too long."""
        known = all(name in FIELDS for name, _ in (*self.only, *self.without))
        hours = hour_of(self.until) - hour_of(self.since)
        return known and self.since < self.until and hours <= MAX_HOURS

    def fits(self, values: Mapping[str, str]) -> bool:
        """Tell whether a message with these values is meant."""
        return all(values[name] == value for name, value in self.only) and not any(
            values[name] == value for name, value in self.without
        )

    def needles(self) -> list[bytes]:
        """Return what every line that may fit has in it."""
        return [
            orjson.dumps({name: value})[1:-1]
            for name, value in self.only
            if name in _WRITTEN and (name == "system_id" or not self.is_of_sp)
        ]


@dataclass(slots=True)
class TrafficRow:
    """One message; its recipient is masked, and so is a source that may be a person."""

    at: str
    source: str
    destination: str
    values: Mapping[str, str]
    message_id: str = ""


@dataclass(slots=True)
class TrafficCounts:
    """What was found: how many in all, by field and value, and the last rows, the newest first.

    `since` is the time from which on all is counted: later than asked for if it was too much.
    """

    since: datetime
    is_cut: bool = False
    total: int = 0
    read: int = 0
    by_field: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in FIELDS}
    )
    rows: list[TrafficRow] = field(default_factory=list)


Binding = tuple[str, str]
"""Since when a session was at an SMSC, as records write times, and the name of that."""


class TrafficRecords:
    """Counts messages on record. `ports` returns the ports of every SP. Its methods block."""

    def __init__(
        self,
        archive: RecordArchive,
        sealer: Sealer | None,
        ports: Callable[[], Mapping[str, tuple[str, ...]]],
    ) -> None:
        self._archive = archive
        self._sealer = sealer
        self._ports = ports

    def count(
        self, query: TrafficQuery, bound: Mapping[int, Binding], patience: Patience
    ) -> TrafficCounts:
        """Count hour by hour from the newest back; `bound` are the sessions that are bound now.

        Raises OSError, EOFError, zlib.error or ValueError for files that are not records.
        """
        first, last = hour_of(query.since), hour_of(query.until)
        hours = [hour for hour in self._archive.hours() if first <= hour <= last]
        found, sessions = TrafficCounts(query.until), SessionBinds(bound)
        for hour in reversed(hours):
            reader = _HourReader(query, self._ports(), sessions)
            is_whole = reader.read(scan_hour(self._archive, hour, bool), patience)
            found.is_cut = not is_whole
            if is_whole or not found.read:  # a part of an hour says little beside whole ones
                found.since = max(query.since, start_of(hour))
                self._take(found, reader)
            if not is_whole:
                return found
        found.since = query.since
        return found

    def _take(self, found: TrafficCounts, reader: "_HourReader") -> None:
        found.read += reader.read_rows
        for name, counts in reader.by_field.items():
            found.by_field[name] += counts
        found.total += reader.total
        room = MOST_ROWS - len(found.rows)
        last = list(reader.last)[::-1][:room]
        found.rows += [self._shown(record, values, reader.ids) for record, values in last]

    def _shown(
        self, record: Record, values: Mapping[str, str], ids: Mapping[Joint, str]
    ) -> TrafficRow:
        whole: Record = record
        if is_sealed(record):
            try:
                whole = opened(record, self._sealer) if self._sealer is not None else {}
            except SealError:
                whole = {}
        source = str(whole.get("source") or record.get("source") or "")
        is_proven = record.get("reason") not in UNPROVEN
        return TrafficRow(
            at=str(record.get("at")),
            source=source if is_proven and values["port"] else masked(source),
            destination=masked(str(whole.get("destination") or "").removeprefix("+")),
            values=values,
            message_id=ids.get(joint_of(record), "") or str(record.get("gateway_id") or ""),
        )


class SessionBinds:
    """At which SMSC a session was at a time, as far as that is known."""

    def __init__(self, bound: Mapping[int, Binding]) -> None:
        self._known: defaultdict[object, list[Binding]] = defaultdict(list)
        for session, binding in bound.items():
            self._known[session].append(binding)

    def note(self, record: Record) -> None:
        """Note where a session was bound."""
        known = self._known[record.get("session")]
        known.append((str(record.get("at")), str(record.get("smsc") or "")))
        known.sort()

    def at(self, session: object, at: str) -> str:
        """Return the SMSC of a session, "" if that is not known."""
        known = self._known.get(session, ())
        place = bisect_right(known, at, key=lambda one: one[0])
        return known[place - 1][1] if place else ""


class _HourReader:
    """Counts the messages of one hour."""

    def __init__(
        self, query: TrafficQuery, ports: Mapping[str, tuple[str, ...]], binds: SessionBinds
    ) -> None:
        self.read_rows = self.total = 0
        self.by_field: dict[str, Counter[str]] = {name: Counter() for name in FIELDS}
        self.last: deque[tuple[Record, dict[str, str]]] = deque(maxlen=MOST_ROWS)
        self.ids: dict[Joint, str] = {}  # of the last messages, as SMSCs answered
        self._waiting: dict[bytes, Joint] = {}
        self._query, self._ports, self._binds = query, ports, binds
        self._needles = query.needles()
        self._begin, self._end = stamp_of(query.since), stamp_of(query.until)

    def read(self, blocks: Iterable[FileLines], patience: Patience) -> bool:
        """Read the lines; return whether all could be, in time."""
        for block in blocks:
            if patience.is_over:
                return False
            patience.spend(len(block.lines))
            self.read_rows += len(block.lines)
            for line in block.lines:
                if line.startswith(_DECISION):
                    if all(needle in line for needle in self._needles):
                        self._count(orjson.loads(line))
                elif line.startswith(_OUTCOME):
                    self._answer(line)
                elif line.startswith(_BOUND):
                    self._binds.note(orjson.loads(line))
        return True

    def _count(self, record: Record) -> None:
        at = str(record.get("at"))
        if not self._begin <= at < self._end or record.get("command_id") == _REPLACE_SM:
            return
        values = self._values_of(record, at)
        if not self._query.fits(values):
            return
        self.total += 1
        for name, value in values.items():
            self.by_field[name][value] += 1
        if len(self.last) == MOST_ROWS:
            self._waiting.pop(_key_of(joint_of(self.last[0][0])), None)
        self.last.append((record, values))
        joint = joint_of(record)
        self._waiting[_key_of(joint)] = joint

    def _values_of(self, record: Record, at: str) -> dict[str, str]:
        system_id, source = str(record.get("system_id")), str(record.get("source") or "")
        owned = [one for one in self._ports.get(system_id, ()) if source.startswith(one)]
        action = str(record.get("action"))
        is_hidden = self._query.is_of_sp and action == _SHADOW
        action = Action.FORWARD.value if is_hidden else action
        why = {name: "" if is_hidden else str(record.get(name) or "") for name in _WHY}
        return {
            "system_id": system_id,
            "port": max(owned, key=len, default=""),
            "action": action,
            **why,
            "smsc": self._binds.at(record.get("session"), at),
        }

    def _answer(self, line: bytes) -> None:
        """Note the id of one of the last messages, from its outcome."""
        found = _JOINT.match(line)
        joint = None if found is None else self._waiting.pop(b" ".join(found.groups()), None)
        if joint is not None:
            self.ids[joint] = str(orjson.loads(line).get("message_id") or "")


def _key_of(joint: Joint) -> bytes:
    return b"%s %s" % (str(joint[0]).encode(), str(joint[1]).encode())
