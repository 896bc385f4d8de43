"""One message in the records, or all of a subscriber: from the submit to the receipt."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.msisdn import masked
from gateway.records.archive import RecordArchive, hour_of
from gateway.records.sealed_values import REQUESTS, Joint, Record, joint_of, stamp_of
from gateway.records.traffic_counts import Patience, SessionBinds

IDS = ("message_id", "gateway_id", "smsc_message_id")
# A message goes on under these ids; a receipt only repeats its own.
_NEW_IDS = ("gateway_id", "smsc_message_id")
_PASSED = frozenset({"forward", "shadow"})
# A number may stand there with spaces or after 086; ids of the gateway have more digits.
_DIGITS = re.compile(r"\d(?:[\W_]*\d){7,}")
_MOST_DIGITS = 18
# The answer to a release, and a receipt that came with it, are written before the release itself.
_LOOK_BACK = 5_000


def has_id(message_id: str) -> Callable[[Record], bool]:
    """Return what tells whether a record has this id of the gateway or of an SMSC."""
    return lambda record: any(str(record.get(name)) == message_id for name in IDS)


@dataclass(slots=True)
class _Exchange:
    """A request that waits for its outcome: its records, one for each recipient."""

    at: object
    others: list[Record] = field(default_factory=list)  # that are not taken yet
    is_taken: bool = False


class MessageTrail:
    """Picks out, of records in their order, all about the messages that `is_meant` names.

    That are the request, its outcome, and what bears one of its ids later: a release from the
    quarantine, the receipt, its delivery.
    """

    def __init__(self, is_meant: Callable[[Record], bool]) -> None:
        self.found: list[Record] = []
        self._is_meant = is_meant
        self._ids: set[tuple[object, str]] = set()  # with the system_id: SPs may share an id
        self._open: dict[Joint, _Exchange] = {}
        self._last: deque[Record] = deque(maxlen=_LOOK_BACK)  # with an id that nothing named yet

    def follow(self, records: Iterable[Record]) -> None:
        """Look at more records, none earlier than those before."""
        for record in records:
            if record.get("kind") == "outcome":
                self._end(record)
            else:
                self._begin(record)

    def _begin(self, record: Record) -> None:
        is_taken = self._is_meant(record) or any(
            (record.get("system_id"), str(record.get(name))) in self._ids for name in IDS
        )
        if is_taken:
            self.found.append(record)
            self._know(record, _NEW_IDS)
            if record.get("kind") == "release":
                self._look_back(record)
        elif record.get("message_id"):
            self._last.append(record)
        # What the gateway has answered itself has no outcome.
        if record.get("kind") not in REQUESTS or record.get("action", "forward") not in _PASSED:
            return
        joint, at = joint_of(record), record.get("at")
        exchange = self._open.get(joint)
        if exchange is None or exchange.at != at:  # else it is another recipient of the same
            exchange = self._open[joint] = _Exchange(at)
        if is_taken:
            exchange.is_taken = True
        else:
            exchange.others.append(record)

    def _end(self, outcome: Record) -> None:
        exchange = self._open.pop(joint_of(outcome), _NO_EXCHANGE)
        if exchange.is_taken or self._is_meant(outcome):
            if not exchange.is_taken:
                self.found += exchange.others
            self.found.append(outcome)
            self._know(outcome, ("message_id",))
        elif outcome.get("message_id"):
            self._last.append(outcome)

    def _look_back(self, release: Record) -> None:
        """Take what bears the id that the SMSC gave to a release, and was written before it."""
        name = (release.get("system_id"), str(release.get("smsc_message_id") or ""))
        for record in self._last:
            if name[1] and (record.get("system_id"), str(record.get("message_id"))) == name:
                self.found.append(record)

    def _know(self, record: Record, names: Iterable[str]) -> None:
        for name in names:
            if record.get(name):
                self._ids.add((record.get("system_id"), str(record[name])))


_NO_EXCHANGE = _Exchange("")


def masked_about(what: str) -> str:
    """Return what is followed, for a journal: what may be a number is masked."""
    return _DIGITS.sub(_masked_run, what)


def _masked_run(run: re.Match[str]) -> str:
    digits = "".join(filter(str.isdigit, run[0]))
    return masked(digits) if len(digits) <= _MOST_DIGITS else run[0]


def follow_hours(
    archive: RecordArchive,
    trail: MessageTrail,
    span: tuple[datetime, datetime],
    patience: Patience,
    binds: SessionBinds,
    system_id: str | None = None,
) -> list[Record]:
    """Return what a trail finds in the records of a span of time, in order of time.

    Of the SP `system_id` alone where one is given; `binds` learns where sessions were bound.
    Raises RecordsTooManyError, and OSError, EOFError, zlib.error or ValueError for files that are
    not records.
    """
    first, last = map(hour_of, span)
    begin, end = map(stamp_of, span)

    def meant(hour: int) -> Iterator[Record]:
        for record in patience.bounded(archive.read(hour)):
            if record.get("kind") == "bound":
                binds.note(record)
            if begin <= str(record.get("at")) < end and system_id in (
                None,
                record.get("system_id"),
            ):
                yield record

    for hour in archive.hours():
        if first <= hour <= last:
            trail.follow(meant(hour))
    return sorted(trail.found, key=lambda record: str(record.get("at")))
