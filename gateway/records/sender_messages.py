"""What records tell an SP of its own messages: how each of them stands, and counts by day."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

import orjson

from gateway.domain.msisdn import masked
from gateway.domain.verdict import Action
from gateway.records.archive import RecordArchive, hour_of, scan_hour
from gateway.records.sealed_values import (
    UNPROVEN,
    Joint,
    Record,
    is_sealed,
    joint_of,
    opened,
    stamp_of,
)
from gateway.runtime.sealing import Sealer, SealError
from gateway.smpp.commands import CommandId
from gateway.smpp.receipt import id_forms

MAX_MESSAGES = 500
MAX_RANGE = timedelta(hours=24)
MAX_DAYS = 31
# Answers and receipts of the last messages of a range.
_AFTERWARDS = timedelta(hours=1)
_PATIENCE_S = 20.0
_MAX_HOURS = 24 * (MAX_DAYS + 1)
_DECISION, _RELEASE = b'{"kind":"decision",', b'{"kind":"release",'
_PASSING = frozenset({Action.FORWARD, "shadow"})  # rules in shadow mode are no SP's business
_REFUSING = frozenset({Action.REJECT, Action.THROTTLE})
_REPLACE_SM = int(CommandId.REPLACE_SM)  # the message that it changes has a record
_DELIVERED, _ON_THE_WAY = "DELIVRD", frozenset({"ENROUTE", "ACCEPTD", "UNKNOWN"})


class RecordsTooManyError(Exception):
    """The records that were asked for could not be read in time."""


class MessageState(StrEnum):
    """How a message stands, as far as the records tell."""

    REFUSED = "refused"
    HELD = "held"
    UNANSWERED = "unanswered"
    ACCEPTED = "accepted"
    FAILED = "failed"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which messages of one SP: submitted from `since` until before `until`, at most MAX_RANGE.

    `after` is the `next` of the page before.
    """

    system_id: str
    since: datetime
    until: datetime
    message_id: str | None = None
    state: MessageState | None = None
    after: str | None = None
    limit: int = MAX_MESSAGES


@dataclass(slots=True)
class SentMessage:
    """One message to one subscriber, with a masked number and without its text.

    `status` is what the SP heard, a name or a number; `receipt` the `stat` of the last receipt.
    """

    at: str
    source: str
    destination: str
    action: str
    reason: str
    rule: str
    status: str
    message_id: str = ""
    receipt: str = ""
    is_answered: bool = False
    is_released: bool = False

    @property
    def state(self) -> MessageState:
        """Return how the message stands."""
        if self.action in _REFUSING:
            return MessageState.REFUSED
        if self.receipt:
            is_there = self.receipt == _DELIVERED
            return MessageState.DELIVERED if is_there else MessageState.UNDELIVERED
        if not self.is_answered:
            return MessageState.UNANSWERED
        if self.status not in {"ESME_ROK", ""}:
            return MessageState.FAILED
        is_held = self.action not in _PASSING and not self.is_released
        return MessageState.HELD if is_held else MessageState.ACCEPTED


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages in the order of their records; `next` asks for those behind them, "" if none."""

    messages: list[SentMessage]
    next: str


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many messages of a day in UTC, from one port, came to an action for a reason."""

    day: date
    port: str
    action: str
    reason: str
    count: int


@dataclass(slots=True)
class _FoundMessages:
    """What is found so far; `same` counts decisions at the time `last`, with those of before."""

    last: str
    same: int = 0
    messages: list[SentMessage] = field(default_factory=list)
    joints: dict[Joint, list[SentMessage]] = field(default_factory=dict)
    by_id: dict[str, SentMessage] = field(default_factory=dict)
    by_form: dict[str, SentMessage] = field(default_factory=dict)  # other spellings of ids
    next: str = ""


Port = tuple[str, str, str, str]  # system_id, port, action, reason


class SenderRecords:
    """Reads records for SPs, each its own. Its methods block, and are called one at a time.

    `ports` returns the ports of every SP. Counts of closed hours are kept, so that a second call
    goes on where the first ran out of time.
    """

    def __init__(
        self,
        archive: RecordArchive,
        sealer: Sealer | None,
        ports: Callable[[], Mapping[str, tuple[str, ...]]],
        clock: tuple[Callable[[], float], Callable[[], datetime]],
    ) -> None:
        self._archive = archive
        self._sealer = sealer
        self._ports = ports
        self._monotonic, self._utcnow = clock
        self._counted: dict[int, Counter[Port]] = {}
        self._counted_for: Mapping[str, tuple[str, ...]] = {}

    def messages(self, query: MessageQuery) -> MessagePage:
        """Return a page of messages.

        Raises RecordsTooManyError; OSError, EOFError, zlib.error or ValueError for files that are
        not records, and ValueError for a wrong `after`.
        """
        begin, skipped = _place_of(query)
        end = stamp_of(query.until)
        until_s = self._monotonic() + _PATIENCE_S
        wanted = self._joints_of(query, until_s) if query.message_id else None
        page = _FoundMessages(begin)
        for record in self._records(query, until_s):
            match record.get("kind"):
                case "decision":
                    is_meant = wanted is None or joint_of(record) in wanted
                    at = str(record.get("at"))
                    if record.get("command_id") == _REPLACE_SM or at >= end or not is_meant:
                        continue
                    if at >= begin:
                        self._add(page, record, skipped if at == begin else 0, query.limit)
                case "outcome":
                    _answer(page, record)
                case _:
                    _receive(page, record)
        found = (one for one in page.messages if query.message_id in (None, one.message_id))
        return MessagePage([one for one in found if query.state in (None, one.state)], page.next)

    def counts(self, system_id: str, first: date, last: date) -> list[DayCount]:
        """Return the counts of an SP from the day `first` to `last`, MAX_DAYS at most.

        Raises as `messages` does; after RecordsTooManyError ask again.
        """
        until_s = self._monotonic() + _PATIENCE_S
        ports = self._ports()
        if ports != self._counted_for:
            self._counted.clear()
            self._counted_for = ports
        days: Counter[tuple[date, str, str, str]] = Counter()
        for hour in self._hours(_midnight(first), _midnight(last + timedelta(days=1))):
            counted = self._counted.get(hour) or self._count(hour, until_s)
            day = datetime.fromtimestamp(hour * 3600, UTC).date()
            for (owner, port, action, reason), count in counted.items():
                if owner == system_id:
                    days[day, port, action, reason] += count
        return [DayCount(*key, count) for key, count in sorted(days.items())]

    def _count(self, hour: int, until_s: float) -> Counter[Port]:
        counted: Counter[Port] = Counter()
        for line in self._lines(hour, until_s):
            if line.startswith(_DECISION):
                record = orjson.loads(line)
                if record.get("command_id") != _REPLACE_SM:
                    counted[self._key_of(record)] += 1
        if hour < hour_of(self._utcnow()) - 1:  # rows of the hour before may still come
            while len(self._counted) >= _MAX_HOURS:
                del self._counted[next(iter(self._counted))]
            self._counted[hour] = counted
        return counted

    def _key_of(self, record: Record) -> Port:
        system_id, source = str(record.get("system_id")), str(record.get("source") or "")
        owned = [one for one in self._counted_for.get(system_id, ()) if source.startswith(one)]
        action, reason = str(record.get("action")), str(record.get("reason"))
        if action in _PASSING:
            action, reason = Action.FORWARD.value, ""
        return system_id, max(owned, key=len, default=""), action, reason

    def _joints_of(self, query: MessageQuery, until_s: float) -> set[Joint]:
        """Return what the outcomes with the id that is looked for have in common with requests.

        Those of ids that a receipt may mean as well are among them: it is theirs, if it is exact.
        """
        forms = id_forms(query.message_id or "")
        return {
            joint_of(record)
            for record in self._records(query, until_s)
            if record.get("kind") == "outcome"
            and not forms.isdisjoint(id_forms(str(record.get("message_id") or "")))
        }

    def _records(self, query: MessageQuery, until_s: float) -> Iterator[dict[str, object]]:
        """Yield what concerns messages of the SP in the hours of `query`."""
        name = orjson.dumps(query.system_id)
        own = re.compile(
            rb'\{"kind":"(?:decision|outcome|delivery)","at":"[^"]*","session":[0-9]+,"system_id":'
            + re.escape(name)
            + b","
        )
        for hour in self._hours(query.since, query.until + _AFTERWARDS):
            for line in self._lines(hour, until_s):
                if own.match(line) or (line.startswith(_RELEASE) and name in line):
                    record = orjson.loads(line)
                    if record.get("system_id") == query.system_id:
                        yield record

    def _hours(self, since: datetime, until: datetime) -> list[int]:
        first, last = hour_of(since), hour_of(until)
        return [hour for hour in self._archive.hours() if first <= hour <= last]

    def _lines(self, hour: int, until_s: float) -> Iterator[bytes]:
        for block in scan_hour(self._archive, hour, lambda _octets: None):
            if self._monotonic() > until_s:
                raise RecordsTooManyError
            yield from block.lines

    def _add(self, page: _FoundMessages, record: Record, skipped: int, limit: int) -> None:
        at, joint = str(record.get("at")), joint_of(record)
        page.same = page.same + 1 if at == page.last else 1
        page.last = at
        others = page.joints.get(joint)
        if others is not None and others[0].at != at:  # numbers begin anew after a restart
            del page.joints[joint]
        if page.same <= skipped or page.next:
            return
        if len(page.messages) == limit:
            page.next = f"{at}/{page.same - 1}"
            return
        message = self._message_of(record)
        page.messages.append(message)
        page.joints.setdefault(joint, []).append(message)

    def _message_of(self, record: Record) -> SentMessage:
        whole: Record = record
        if is_sealed(record):
            try:
                whole = opened(record, self._sealer) if self._sealer is not None else {}
            except SealError:
                whole = {}
        action, is_proven = str(record.get("action")), record.get("reason") not in UNPROVEN
        why = ("", "") if action in _PASSING else (record.get("reason"), record.get("rule"))
        source = str(whole.get("source") or record.get("source") or "")
        return SentMessage(
            at=str(record.get("at")),
            source=source if is_proven else masked(source),
            destination=masked(str(whole.get("destination") or "").removeprefix("+")),
            action=action,
            reason=str(why[0] or ""),
            rule=str(why[1] or ""),
            status=str(record.get("status") or ""),
        )


def _place_of(query: MessageQuery) -> tuple[str, int]:
    """Return the time that a page begins at, and how many decisions of that time it leaves out."""
    if query.after is None:
        return stamp_of(query.since), 0
    at, _, skipped = query.after.partition("/")
    return max(at, stamp_of(query.since)), int(skipped)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _answer(page: _FoundMessages, record: Record) -> None:
    """Note the answer to messages of a page."""
    status, message_id = record.get("command_status"), str(record.get("message_id") or "")
    for message in page.joints.get(joint_of(record), ()):
        message.is_answered = record.get("how") not in {"timeout", "link_lost"}
        message.message_id = message_id
        if isinstance(status, int) and message.action not in _REFUSING:
            message.status = "ESME_ROK" if not status else f"0x{status:X}"
        _know(page, message_id, message)


def _know(page: _FoundMessages, message_id: str, message: SentMessage) -> None:
    if message_id:
        page.by_id[message_id] = message
    for form in id_forms(message_id):
        page.by_form.setdefault(form, message)  # a form of 10 is 16, which another may have


def _receive(page: _FoundMessages, record: Record) -> None:
    """Note a receipt, or that a held message was sent."""
    message_id = str(record.get("message_id") or "")
    forms = sorted(id_forms(message_id))
    found = (page.by_form[one] for one in forms if one in page.by_form)
    message = page.by_id.get(message_id) or next(found, None)
    if message is None:
        return
    stat = str(record.get("stat") or "")
    if record.get("kind") == "release":
        message.is_released = message.is_released or record.get("status") == 0
        _know(page, str(record.get("smsc_message_id") or ""), message)
    elif record.get("what") == "receipt" and stat not in _ON_THE_WAY:
        message.receipt = stat
