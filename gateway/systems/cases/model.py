"""Cases (派单): their states, every way from one to the next, their clocks and records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from gateway.domain.warning import Severity

MOST_AT_ONCE = 500
MAX_WORD_CHARS = 64
MAX_SENDER_CHARS = 20
MAX_NOTE_CHARS = 1000
MAX_MEASURES = 50
# There was no SMS before: a measure of an earlier year is a slip of the pen.
FIRST_MEASURE_YEAR = 1990
# Complaints of one campaign that come within this time of the one before are one case (R82).
CLUSTER_WITHIN = timedelta(hours=72)
# A complaint of the campaign so soon after the end opens the case again.
REOPEN_WITHIN = timedelta(days=30)
# How often "not mine" sends a case on to another owner, before it is for arbitration (R84).
MOST_HOPS = 2
# Shares of the time allowed, in percent, at which a case is escalated (R83).
ESCALATIONS = (80, 100)


class CaseState(StrEnum):
    """Where a case is. Overdue is no state: clocks tell that."""

    OPEN = "open"
    DISPATCHED = "dispatched"
    ACKED = "acked"
    VERIFYING = "verifying"
    ACTIONED = "actioned"
    UNFOUNDED = "unfounded"
    FEEDBACK_RECEIVED = "feedback_received"
    USER_TOLD = "user_told"
    CLOSED = "closed"
    ARBITRATION = "arbitration"
    REFERRED = "referred"
    REOPENED = "reopened"


class CaseAct(StrEnum):
    """What people, or other carriers, do to a case."""

    DISPATCH = "dispatch"
    ACCEPT = "accept"
    REDISPATCH = "redispatch"
    ARBITRATE = "arbitrate"
    ASSIGN = "assign"
    VERIFY = "verify"
    MEASURE = "measure"
    DISMISS = "dismiss"
    FEEDBACK = "feedback"
    TELL_USER = "tell_user"
    CLOSE = "close"
    REOPEN = "reopen"
    REFER = "refer"
    RETURN = "return"
    HAND_BACK = "hand_back"


class PlainAct(StrEnum):
    """What a person does to a case with no more than a word; some name an owner."""

    DISPATCH = "dispatch"
    ACCEPT = "accept"
    REFUSE = "refuse"
    INCOMPLETE = "incomplete"
    DUPLICATE = "duplicate"
    ASSIGN = "assign"
    VERIFY = "verify"
    TELL = "tell"
    CLOSE = "close"
    REOPEN = "reopen"
    RETURN = "return"
    NOTE = "note"
    QUERY = "query"


# Act -> (states in which it may be done, the state after it). An act in another state is refused
# and changes nothing. docs/reference/cases.md draws this table.
CASE_TRANSITIONS: dict[CaseAct, tuple[frozenset[CaseState], CaseState]] = {
    CaseAct.DISPATCH: (frozenset({CaseState.OPEN, CaseState.REOPENED}), CaseState.DISPATCHED),
    # The owner's answer: it is ours, or "not mine", which goes to whom it names, or to a decision.
    CaseAct.ACCEPT: (frozenset({CaseState.DISPATCHED}), CaseState.ACKED),
    CaseAct.REDISPATCH: (frozenset({CaseState.DISPATCHED}), CaseState.DISPATCHED),
    CaseAct.ARBITRATE: (frozenset({CaseState.DISPATCHED}), CaseState.ARBITRATION),
    CaseAct.ASSIGN: (frozenset({CaseState.ARBITRATION}), CaseState.DISPATCHED),
    # A case of the own organisation needs no dispatch.
    CaseAct.VERIFY: (
        frozenset({CaseState.OPEN, CaseState.ACKED, CaseState.REOPENED}),
        CaseState.VERIFYING,
    ),
    # Another carrier may send what it found without a word about its verifying.
    CaseAct.MEASURE: (
        frozenset({CaseState.ACKED, CaseState.VERIFYING, CaseState.ACTIONED}),
        CaseState.ACTIONED,
    ),
    CaseAct.DISMISS: (frozenset({CaseState.ACKED, CaseState.VERIFYING}), CaseState.UNFOUNDED),
    CaseAct.FEEDBACK: (
        frozenset({CaseState.ACTIONED, CaseState.UNFOUNDED}),
        CaseState.FEEDBACK_RECEIVED,
    ),
    CaseAct.TELL_USER: (frozenset({CaseState.FEEDBACK_RECEIVED}), CaseState.USER_TOLD),
    CaseAct.CLOSE: (frozenset({CaseState.USER_TOLD}), CaseState.CLOSED),
    CaseAct.REOPEN: (frozenset({CaseState.CLOSED}), CaseState.REOPENED),
    CaseAct.REFER: (
        frozenset({CaseState.ACKED, CaseState.VERIFYING, CaseState.ACTIONED}),
        CaseState.REFERRED,
    ),
    # The authority has answered; what follows from it is for the owner.
    CaseAct.RETURN: (frozenset({CaseState.REFERRED}), CaseState.VERIFYING),
    # A case of another node is "not mine" here: that node sends it on.
    CaseAct.HAND_BACK: (frozenset({CaseState.DISPATCHED}), CaseState.CLOSED),
}


def state_after(state: CaseState, act: CaseAct) -> CaseState | None:
    """Return the state after `act`, None if it may not be done in `state`."""
    allowed, after = CASE_TRANSITIONS[act]
    return after if state in allowed else None


class CaseFinding(StrEnum):
    """What the owner found (R85)."""

    CONFIRMED = "confirmed"
    UNFOUNDED = "unfounded"
    UNVERIFIABLE = "unverifiable"


class MeasureKind(StrEnum):
    """What was done about a campaign (R85)."""

    PORT_SUSPENDED = "port_suspended"
    PORT_CLOSED = "port_closed"
    SENDER_SUSPENDED = "sender_suspended"
    SENDER_WARNED = "sender_warned"
    NUMBER_SUSPENDED = "number_suspended"
    CONTENT_BLOCKED = "content_blocked"
    # What another member did in words that are not known here: the note of the journal has them.
    OTHER = "other"


class Recheck(StrEnum):
    """How far the second look at a closed case is, if it was drawn for one (R85)."""

    DRAWN = "drawn"
    AGREED = "agreed"
    REVERSED = "reversed"


class ClockName(StrEnum):
    """What a clock measures."""

    FORWARD = "forward"
    FIRST_RESPONSE = "first_response"
    ACK = "ack"
    FEEDBACK = "feedback"
    ACTION = "action"
    TELL_USER = "tell_user"


class ClockProfile(StrEnum):
    """Which rules set the time limits of a case."""

    CN_O31 = "cn-o31"
    CN_2020 = "cn-2020"
    INTERNAL = "internal"
    TRAI = "trai"


@dataclass(frozen=True, slots=True)
class CaseClock:
    """A clock of a case; `due` is its first overdue moment, None where no calendar knows it.

    `escalated` is the highest of `ESCALATIONS` that people were told of, 0 for none.
    """

    name: ClockName
    start: datetime
    due: datetime | None
    stop: datetime | None = None
    escalated: int = 0

    def is_overdue(self, at: datetime) -> bool:
        """Tell whether it ran past its limit, by `at` or before it was stopped."""
        return self.due is not None and (self.stop or at) >= self.due

    def escalation(self, at: datetime) -> int:
        """Return the highest of `ESCALATIONS` that is reached `at`; 0 for none or if stopped."""
        if self.stop is not None or self.due is None:
            return 0
        used, whole = at - self.start, self.due - self.start
        return max((share for share in ESCALATIONS if used * 100 >= whole * share), default=0)


@dataclass(frozen=True, slots=True)
class CaseMeasure:
    """A measure, and when it was taken. `about` is the port or the SP that it was taken against."""

    kind: MeasureKind
    at: datetime
    about: str = ""


@dataclass(frozen=True, slots=True)
class CaseFeedback:
    """What the owner found and did; `measures` are those that are not on record yet (R85).

    `evidence` refers to where the evidence is, and `answer` is what the subscribers are told.
    """

    finding: CaseFinding
    measures: tuple[CaseMeasure, ...] = ()
    evidence: str = ""
    system_id: str = ""
    answer: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CaseComplaint:
    """A valid complaint, as far as its case is concerned. `complaint` is its number.

    `campaign` names the text by its fingerprint: the same for every sender of it. `front_owner` is
    the organisation that took the complaint, as ``carrier/province``.
    """

    complaint: int
    campaign: str
    sender: str
    reporter: int | None = field(repr=False)
    taken_at: datetime
    front_owner: str
    category: str = ""
    severity: Severity = Severity.GENERAL
    profile: ClockProfile = ClockProfile.CN_O31


@dataclass(frozen=True, slots=True)
class Case:
    """A case on record; numbers increase and are never reused. 0 stands for one to be opened.

    `owner` must act, "" until it is known. `complaints` and `reporters` count, a reporter once.
    `hops` counts how often it was sent on as "not mine". `referred_by` has approved that it goes to
    `authority`. A case of another node has the member that sent it as `origin`, that member's name
    for it as `subject`, and the port or the hash of the number that it is about as `sender`.
    """

    number: int
    campaign: str
    category: str
    severity: Severity
    state: CaseState
    profile: ClockProfile
    front_owner: str
    owner: str
    opened_at: datetime
    grown_at: datetime
    complaints: int = 0
    reporters: int = 0
    hops: int = 0
    closed_at: datetime | None = None
    finding: CaseFinding | None = None
    measures: tuple[CaseMeasure, ...] = ()
    evidence: str = ""
    system_id: str = ""
    answer: str = field(default="", repr=False)
    authority: str = ""
    referred_by: str = ""
    clocks: tuple[CaseClock, ...] = ()
    origin: str = ""
    subject: str = ""
    sender: str = ""
    recheck: Recheck | None = None

    @property
    def responsible(self) -> str:
        """Return the organisation that must act next: the first contact tells (R87)."""
        is_answer_due = self.state in (CaseState.FEEDBACK_RECEIVED, CaseState.USER_TOLD)
        return self.front_owner if is_answer_due or not self.owner else self.owner

    @property
    def is_assist(self) -> bool:
        """Tell whether it is an assist task (协查) here: taken here, and another owner's (R84)."""
        is_over = self.state is CaseState.CLOSED
        return not self.origin and self.owner not in ("", self.front_owner) and not is_over

    def overdue(self, at: datetime) -> list[CaseClock]:
        """Return the clocks that run and are past their limit `at`."""
        return [one for one in self.clocks if one.stop is None and one.is_overdue(at)]

    def next_look(self, at: datetime) -> datetime | None:
        """Return when a clock reaches its next escalation; None if none will.

        A clock without a due time is looked at once a day: the calendar may have grown.
        """
        running = [one for one in self.clocks if one.stop is None]
        looks = [at + timedelta(days=1) for one in running if one.due is None]
        for one in running:
            coming = [share for share in ESCALATIONS if share > one.escalated]
            if one.due is not None and coming:
                looks.append(one.start + (one.due - one.start) * coming[0] / 100)
        return min(looks, default=None)


@dataclass(frozen=True, slots=True)
class CaseHandover:
    """A case that the organisation `front_owner` of another node sends to this one, `owner`.

    `due` is until when it wants the feedback, None where it does not say.
    """

    origin: str
    subject: str
    sender: str
    front_owner: str
    owner: str
    category: str
    complaints: int
    due: datetime | None = None


class Actor(NamedTuple):
    """Who acts on a case, when, and what is noted; the journal masks mobile numbers in it."""

    by: str
    at: datetime
    note: str = ""


class CaseEntry(NamedTuple):
    """A line of the journal of a case: who did what to it, and when.

    `act` is a CaseAct, or open, join, approve, escalate, note, query, attach, report, draw,
    recheck. `about` is what it went to, as an organisation, a measure, an authority, a clock or a
    digest, or why a case was refused that is not "not mine".
    """

    act: str
    by: str
    at: datetime
    note: str = ""
    about: str = ""


# The act of an entry: an abuse report went to somebody outside the linkage.
REPORT = "report"


def report_entry(report_id: str, recipient: str) -> str:
    """Return what the journal says of an abuse report and its recipient."""
    return f"{report_id} to {recipient}"


class CaseChange(NamedTuple):
    """A case as it is after an act, and what the journal gets."""

    case: Case
    entries: Sequence[CaseEntry]


class CaseRefusal(NamedTuple):
    """Nothing changed. `state` is that of the case, None if it does not exist.

    `is_incomplete` says that the act lacks something in any state, as a finding its measure.
    """

    number: int
    state: CaseState | None
    why: str
    is_incomplete: bool = False


class CaseJoin(NamedTuple):
    """The case of a complaint. `act` is open, join or reopen, "" if it was in a case before."""

    complaint: int
    case_number: int
    act: str


class CaseEscalation(NamedTuple):
    """A clock of a case has reached `share` percent of its time; `responsible` must act."""

    number: int
    clock: ClockName
    share: int
    responsible: str
