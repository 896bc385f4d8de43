"""Complaints (举报): their values, their states, and what may be given as one (R80 to R82)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from gateway.domain.categories import CATEGORIES
from gateway.domain.consent import EVERY_SENDER, FIRST, Answer, ConsentAnswer, parts_of
from gateway.domain.sender import PORT_PATTERN, PORT_PROBLEM

MOST_AT_ONCE = 500
MAX_TEXT_CHARS = 65_000
MAX_ATTACHMENTS = 16
# A complaint that lacks something waits so long for it (R82).
INFO_WITHIN = timedelta(days=7)
# How many complaints one status query shows at most (R89).
STATUS_ROWS = 5

# Whose numbers of these countries are written to in Chinese; others in English.
_CHINESE = ("86", "852", "853", "886")
_MAX_ID_CHARS = 128
_MAX_BY_CHARS = 64
_CHINA = timedelta(hours=8)
# The clocks of those who take complaints may be ahead of ours.
_CLOCK_AHEAD = timedelta(days=1)
_SENDER = re.compile(PORT_PATTERN)
_DIGEST = re.compile("[0-9a-f]{64}")
_CATEGORIES = frozenset(one.id for one in CATEGORIES)


class ComplaintSource(StrEnum):
    """Who hands a complaint in."""

    CUSTOMER_SERVICE = "cs"
    MO = "mo"
    CLIENT = "client"
    AUTHORITY = "12321"
    CARRIER = "carrier"
    LINKAGE = "linkage"
    PROBE = "probe"
    MONITOR = "monitor"


class ComplaintState(StrEnum):
    """The state of a complaint; TRANSITIONS has which may follow which."""

    RECEIVED = "received"
    NEED_INFO = "need_info"
    VALID = "valid"
    INVALID = "invalid"
    CLUSTERED = "clustered"
    CLOSED = "closed"


class InvalidReason(StrEnum):
    """Why a complaint is invalid (R82)."""

    INCOMPLETE = "incomplete"
    NO_RECORD = "no_record"
    CONSENTED = "consented"
    DUPLICATE = "duplicate"
    OUT_OF_WINDOW = "out_of_window"


_S = ComplaintState
TRANSITIONS: dict[ComplaintState, frozenset[ComplaintState]] = {
    _S.RECEIVED: frozenset({_S.VALID, _S.INVALID}),
    _S.NEED_INFO: frozenset({_S.RECEIVED, _S.INVALID}),
    _S.VALID: frozenset({_S.CLUSTERED}),
    _S.CLUSTERED: frozenset({_S.CLOSED}),
    _S.INVALID: frozenset(),
    _S.CLOSED: frozenset(),
}
# What waits for `smsward complaints match`.
UNMATCHED = (_S.RECEIVED, _S.VALID)
JUDGED = frozenset({_S.VALID, _S.INVALID, _S.CLUSTERED, _S.CLOSED})
# A reporter is known by the last of its complaints that were judged.
LAST_JUDGED = 50
_LEAST_JUDGED, _MALICIOUS_SHARE = 5, 0.8


def is_malicious(judged: Sequence[InvalidReason | None]) -> bool:
    """Tell whether a reporter complains of what was never sent; `judged` is why each is invalid.

    Its complaints are still taken, but do not count for the suspension of a port (R89).
    """
    invented = sum(reason is InvalidReason.NO_RECORD for reason in judged)
    return len(judged) >= _LEAST_JUDGED and invented > _MALICIOUS_SHARE * len(judged)


def china_day(at: datetime) -> date:
    """Return the day in China at a moment: a reporter is told how it stands once a day (R89)."""
    return (at.astimezone(UTC) + _CHINA).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComplaint:
    """A complaint as it is handed in; `source` and `source_id` name it for ever.

    `sender` is the address that the subscriber saw, `text` the message, `received_at` when it came;
    each is empty where it is not known. `attachments` are SHA-256 digests. `by` took it down.
    """

    source: ComplaintSource
    source_id: str
    reported_at: datetime
    sender: str = ""
    text: str = field(default="", repr=False)
    reporter: int | None = field(default=None, repr=False)
    received_at: datetime | None = None
    category: str = ""
    attachments: tuple[str, ...] = ()
    by: str = ""

    @property
    def is_complete(self) -> bool:
        """Tell whether it says who sent what."""
        return bool(self.sender and self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint(NewComplaint):
    """A complaint on record. `number` is the id that its reporter was told.

    `port` is the port of an SP here that `sender` is or extends, "" if no SP owns it; `system_id`
    is its owner, "" if several SPs share it. `agreed_since` is since when the reporter had agreed
    to messages of that port when this was taken, None if it had not. Unless it `is_proved` its
    reporter is only said to be it: nothing is done to that subscriber, or because of it.
    """

    number: int
    taken_at: datetime
    system_id: str = ""
    port: str = ""
    state: ComplaintState = ComplaintState.RECEIVED
    invalid_reason: InvalidReason | None = None
    case_number: int | None = None
    agreed_since: datetime | None = None
    is_proved: bool = True

    @property
    def came_at(self) -> datetime:
        """Return when the message came, or when it was reported at the latest."""
        return self.received_at or self.reported_at


GIVEN = tuple(one.name for one in fields(NewComplaint))


class TakenComplaint(NamedTuple):
    """What a detector counts of a complaint (R95)."""

    number: int
    taken_at: datetime
    system_id: str
    port: str
    reporter: int | None
    is_proved: bool


class IntakeResult(NamedTuple):
    """What came of a complaint that was handed in.

    Where it was on record already, `is_new` is False and nothing was written. `is_shielded` says
    that its reporter refuses the port from now on (R86).
    """

    number: int
    state: ComplaintState
    is_new: bool
    is_shielded: bool


class ComplaintFault(NamedTuple):
    """A field of a complaint that cannot be taken, and why."""

    name: str
    problem: str


def faults_of(new: NewComplaint, now: datetime) -> list[ComplaintFault]:
    """Return what keeps a complaint from being taken; a missing sender or text does not."""
    faults: list[ComplaintFault] = []

    def check(is_right: object, name: str, problem: str) -> None:
        if not is_right:
            faults.append(ComplaintFault(name, problem))

    identity, by = new.source_id, new.by
    is_id = 0 < len(identity) <= _MAX_ID_CHARS and identity.isprintable()
    check(is_id, "source_id", f"must be 1 to {_MAX_ID_CHARS} printable characters")
    latest = now + _CLOCK_AHEAD
    for name in ("reported_at", "received_at"):
        at = getattr(new, name)
        is_moment = at is None or (at.tzinfo is not None and FIRST <= at <= latest)
        check(is_moment, name, "must be a time with its offset, from 1990 on, not in the future")
    check(not new.sender or _SENDER.fullmatch(new.sender), "sender", PORT_PROBLEM)
    check(_is_text(new.text), "text", f"must be Unicode of at most {MAX_TEXT_CHARS} characters")
    check(new.reporter is None or new.reporter > 0, "reporter", "must be a subscriber's number")
    check(not new.category or new.category in _CATEGORIES, "category", "there is no such category")
    is_few = len(new.attachments) <= MAX_ATTACHMENTS
    are_digests = is_few and all(map(_DIGEST.fullmatch, new.attachments))
    check(are_digests, "attachments", f"must be at most {MAX_ATTACHMENTS} SHA-256 in hexadecimal")
    is_name = len(by) <= _MAX_BY_CHARS and (not by or by.isprintable())
    check(is_name, "by", f"must be at most {_MAX_BY_CHARS} printable characters")
    return faults


def reads_chinese(reporter: int) -> bool:
    """Tell whether a reporter is written to in Chinese."""
    return str(reporter).startswith(_CHINESE)


def agreements(
    given: Iterable[tuple[Complaint, Sequence[ConsentAnswer]]], answers: Iterable[ConsentAnswer]
) -> dict[tuple[ComplaintSource, str], datetime]:
    """Return by source and id since when reporters have agreed to what they complain of.

    `given` are complaints with their shields, `answers` what was on record before.
    """
    by_number: defaultdict[int, list[ConsentAnswer]] = defaultdict(list)
    for answer in answers:
        by_number[answer.msisdn].append(answer)
    found: dict[tuple[ComplaintSource, str], datetime] = {}
    for one, shields in given:
        own = [said for number in {it.msisdn for it in shields} for said in by_number[number]]
        since = _agreed_since(shields, own, one.came_at) if own else None
        if since is not None:
            found[one.source, one.source_id] = since
    return found


def _agreed_since(
    shields: Sequence[ConsentAnswer], answers: Sequence[ConsentAnswer], at: datetime
) -> datetime | None:
    """Return since when a reporter had agreed to messages of a port `at`; None if it had not.

    `shields` refuse the port at each SP that owns it; `answers` are those on record before. What
    an SP asserts is no agreement, and of a shared port all SPs need one.
    """
    begins: list[datetime] = []
    for scopes in {(EVERY_SENDER, parts_of(one.scope).system_id, one.scope) for one in shields}:
        own = [one for one in answers if one.scope in scopes and one.standing(at) is one.answer]
        agreed = max((one.since for one in own if one.answer is Answer.AGREED), default=None)
        refused = max((one.since for one in own if one.answer is Answer.REFUSED), default=FIRST)
        if agreed is None or refused >= agreed:
            return None
        begins.append(agreed)
    return max(begins, default=None)


def _is_text(text: str) -> bool:
    if len(text) > MAX_TEXT_CHARS:
        return False
    try:  # half of a surrogate pair is no text, and SQLite takes none
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
