"""Records: rows of messages, how long they are kept, and the journals of purges and of readers."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple

from gateway.domain.verdict import Finding

# The request: session, system_id, command_id.
About = tuple[int, str, int]
# data_coding, octets.
Text = tuple[int, bytes]
# What was delivered (receipt, reply and the like), and for a receipt: stat, err, submit date, done
# date, as the SMSC wrote them.
Told = tuple[str, str, str, str, str]
# Of a delivery: source, destination, the message_id that a receipt is about, what it is.
DeliveryNames = tuple[bytes, bytes, bytes, Told]


class Why(NamedTuple):
    """What was decided, and why; "" means none.

    `digest` names the policy. `category` and `campaign` are those of the finding that decided, else
    of the first in shadow mode. `findings` are all that there are. `traffic` is the class of the
    message, as far as it was classed, and `classed_by` what decided about that.
    """

    action: str
    reason: str
    rule: str
    status: str
    digest: str
    category: str = ""
    campaign: str = ""
    findings: tuple[Finding, ...] = ()
    traffic: str = ""
    classed_by: str = ""


# What the gateway decided: epoch, request, sequence_number, source, destination, why, gateway_id,
# and the text, None if it is not kept.
DecisionRow = tuple[Literal["d"], float, About, int, bytes, bytes, Why, int, Text | None]
# What came for an SP: epoch, request (its session is the bind at the SMSC), sequence_number,
# source, destination, the message_id that a receipt is about, what it was, and the text.
DeliveryRow = tuple[Literal["m"], float, About, int, bytes, bytes, bytes, Told, Text | None]
# The outcome of either: epoch, request, sequence_number, command_status, message_id,
# latency_us, how it ended (answered, timeout, link_lost, late and the like).
OutcomeRow = tuple[Literal["o"], float, About, int, int, bytes, int, str]
# Rare facts (releases, binds): epoch, kind, fields.
EventRow = tuple[Literal["e"], float, str, Mapping[str, object]]
Row = DecisionRow | DeliveryRow | OutcomeRow | EventRow


@dataclass(frozen=True, slots=True)
class ReportedMessage:
    """A message that somebody says came: records of ``since <= at < until`` are to prove it.

    `number` names it to the caller. It came from `port`, or an extension of it, to `msisdn`; None
    where the report does not say.
    """

    number: int
    port: str
    msisdn: int | None = field(repr=False)
    text: str = field(repr=False)
    since: datetime
    until: datetime


class RecordProof(NamedTuple):
    """Numbers of reported messages: of those that passed, and of those that may have.

    Of the latter not all records could be read, or there are none of the time.
    """

    passed: frozenset[int]
    unread: frozenset[int]


_END_OF_DAY = time(23, 59, 59)
_SHORTEST_MONTH_DAYS = 28


def purge_from(recorded: date, months: int) -> date:
    """Return the last day on which a record of the day `recorded` is kept for `months`.

    It is the same day of a later month, or that month's last day if there is no such day:
    2013-09-30 and five months are 2014-02-28 (O31, R70).
    """
    year, month = divmod(recorded.year * 12 + recorded.month - 1 + months, 12)
    return date(year, month + 1, min(recorded.day, monthrange(year, month + 1)[1]))


def is_purgeable(recorded: date, months: int, at: datetime) -> bool:
    """Tell whether the retention is over `at` a moment of the same clock as `recorded`."""
    last = purge_from(recorded, months)
    return at.date() > last or (at.date() == last and at.time() >= _END_OF_DAY)


def last_purgeable(months: int, at: datetime) -> date:
    """Return the latest day from which all records may be purged `at` this moment."""
    day = at.date() - timedelta(days=_SHORTEST_MONTH_DAYS * months)
    while not is_purgeable(day, months, at):
        day -= timedelta(days=1)
    return day


@dataclass(frozen=True, slots=True)
class NewPurge:
    """What was deleted because of its age: `count` of `what`, recorded from `since` to `until`."""

    what: str
    since: datetime
    until: datetime
    count: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge(NewPurge):
    """A purge on record."""

    number: int


@dataclass(frozen=True, slots=True)
class NewAccess:
    """An entry of the audit: who did what, why, and about what. No text or whole number is in it.

    `action` is one of domain.audit.ACTIONS. `reason` is empty where none was asked for.
    """

    by: str
    action: str
    reason: str
    about: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Access(NewAccess):
    """An entry on record."""

    number: int


class JournalRow(NamedTuple):
    """The number of a row of a journal, and its digest: of itself and all rows before it."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class JournalState:
    """How far the hash chain of a journal is intact: `rows` rows, up to the digest `head`.

    `problem` says what is wrong with it, "" if nothing is; `broken` is the number of the first row
    that does not fit, None if no single row is the cause.
    """

    journal: str
    rows: int
    head: str
    broken: int | None = None
    problem: str = ""
