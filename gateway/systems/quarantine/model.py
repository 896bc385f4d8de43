"""Held messages (隔离区): what is changed of them, every way that one may go, and their ids."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, NotRequired, TypedDict

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.records import NewAccess
from gateway.domain.verdict import Reason, ReasonCode

# States that can expire. A message that may have reached the SMSC cannot.
EXPIRING_STATES = frozenset({HoldState.HELD, HoldState.DEFERRED, HoldState.RELEASE_REQUESTED})
# States in which the sender may still replace the text: the message was not sent anywhere.
REPLACEABLE_STATES = frozenset({HoldState.HELD, HoldState.DEFERRED})


# Who decided where no person did in time, before the category; see review_limits.
BY_TIME_LIMIT = "the time limit of "


class PersonDecision(StrEnum):
    """A decision of the operator's staff on a held message."""

    RELEASED = "released"
    REJECTED = "rejected"


def decision_on(held: HeldMessage) -> PersonDecision | None:
    """Return the decision of the operator's staff on a message, None without one.

    It stands even if the message was refused later. Decisions of its subscriber and its SP do not
    count, nor what a time limit did.
    """
    if f" by {BY_TIME_LIMIT}" in held.decision:
        return None
    if held.state is HoldState.DISCARDED and held.decision:
        return PersonDecision.REJECTED
    return PersonDecision.RELEASED if held.is_reviewed else None


class ReviewState(StrEnum):
    """State of a decision that waits before it takes effect. The last three are final."""

    WAITING = "waiting"  # it can be undone: the message stands as it stood
    TAKEN = "taken"  # the gateway took it up
    UNDONE = "undone"
    VOID = "void"  # the message had gone another way by then, or has another text


@dataclass(frozen=True, slots=True)
class NewReview:
    """What a person decides on a held message, and why.

    `reason` is a few words, `note` at most MAX_NOTE_CHARS characters, `category` an id of the
    tree of categories, or empty. `seen` is the `seen_digest` of the message that was shown;
    empty is not compared. With `may_be_second` it is taken as a second opinion on a message that
    is dealt to this person after another one decided on it.
    """

    message_id: int
    decision: PersonDecision
    by: str
    reason: str = ""
    note: str = ""
    category: str = ""
    seen: str = ""
    may_be_second: bool = False


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """A decision on record. It has no effect before `not_before`, and can be undone till then.

    `subject` is the message, or the assembly that it is a part of. `found_in` is the state of the
    message then. `outcome` tells how a final state came about. One that `is_second` is an opinion
    on what was decided before: it has no effect at all. `job` is the number of the job on chosen
    messages that it was given with.
    """

    number: int
    message_id: int
    subject: int
    found_in: HoldState
    decision: PersonDecision
    by: str
    reason: str
    note: str
    category: str
    decided_at: datetime
    not_before: datetime
    state: ReviewState
    ended_at: datetime | None
    outcome: str
    is_second: bool = False
    job: int | None = None

    @property
    def why(self) -> str:
        """Return reason and note together."""
        return ": ".join(filter(None, (self.reason, self.note)))


@dataclass(frozen=True, slots=True)
class Escalation:
    """A message was put before a senior reviewer: `is_open` until it is decided on."""

    number: int
    message_id: int
    by: str
    note: str
    at: datetime
    is_open: bool


@dataclass(frozen=True, slots=True)
class ReviewLease:
    """A reviewer has a message until then; `subject` is as in ReviewDecision."""

    subject: int
    by: str
    until: datetime


class ReviewJobState(StrEnum):
    """State of a decision on many messages. The last two are final."""

    WAITING = "waiting"  # it can be undone
    RUNNING = "running"  # the gateway moves its messages
    DONE = "done"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class NewCampaignReview:
    """What a person decides on all that is held of a campaign, and why; see NewReview.

    With a `system_id` only what that SP sent is meant, with a `rule` only what an exception of
    that rule is about. `expected_count` is how many messages the person was told of, and has typed
    in. Those `as_held` are dealt to a second reviewer, `dealt_to` or the person that decides: they
    count, and get opinions.
    """

    campaign: str
    decision: PersonDecision
    by: str
    expected_count: int
    system_id: str = ""
    reason: str = ""
    note: str = ""
    category: str = ""
    rule: str = ""
    as_held: tuple[int, ...] = field(default=(), repr=False)
    dealt_to: str = ""

    @property
    def second_reviewer(self) -> str:
        """Return to whom the messages `as_held` are dealt."""
        return self.dealt_to or self.by


MOST_CHOSEN = 500


class ChosenMessage(NamedTuple):
    """A message that a person chose; `seen` is as in NewReview."""

    message_id: int
    seen: str = ""


@dataclass(frozen=True, slots=True)
class NewChosenReview:
    """What a person decides on messages chosen one by one, 1 to MOST_CHOSEN, and why.

    `may_be_second` is as in NewReview.
    """

    chosen: tuple[ChosenMessage, ...]
    decision: PersonDecision
    by: str
    reason: str = ""
    note: str = ""
    category: str = ""
    may_be_second: bool = False


@dataclass(frozen=True, slots=True)
class ReviewJob:
    """A decision on a campaign, or on chosen messages: then `campaign` is empty.

    It has no effect before `not_before`. It is on what was held at `decided_at`, up to the message
    `upto_id`, `expected_count` messages; `last_id` is the last that was looked at, `done` counts
    those that were moved. Each part of a long message counts, but of chosen ones it is one message.
    """

    number: int
    campaign: str
    system_id: str
    decision: PersonDecision
    by: str
    reason: str
    note: str
    category: str
    expected_count: int
    decided_at: datetime
    not_before: datetime
    state: ReviewJobState
    upto_id: int
    last_id: int
    done: int
    ended_at: datetime | None
    outcome: str
    rule: str = ""

    @property
    def why(self) -> str:
        """Return reason and note together."""
        return ": ".join(filter(None, (self.reason, self.note)))


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why and until when a message is kept after it was judged again."""

    reason: str
    rule: str
    category: str
    evidence: str
    digest: str
    expires_at: datetime
    due_at: datetime | None = None
    campaign: str = ""
    severity: str = ""
    owner: str = ""
    score: int | None = None
    found: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a replace_sm changes of a held message: its octets and why it is held now."""

    pdu: bytes
    reason: str
    rule: str
    category: str
    evidence: str
    digest: str
    receipt_asked: bool
    expires_at: datetime
    campaign: str = ""
    overruled: str = ""  # nobody has read the new text


class HeldTotals(NamedTuple):
    """How many messages of an SP are not in a final state, and their total `octets`."""

    messages: int
    octets: int


class ReleasedId(NamedTuple):
    """Our id and the SMSC's id of a released message, for a receipt that is still expected."""

    system_id: str
    smsc_message_id: str
    message_id: int
    destination: str


class ReleaseScope(NamedTuple):
    """What a release overrules: `lines`, and with `of_message` all that the message is held for."""

    of_message: bool = True
    lines: str = ""


class HoldMove(TypedDict):
    """From which states a message moves, and the columns that this sets at once.

    `audited` is kept in the audit with the move; the store says there about which messages. What a
    move `overrules` is added to what was overruled before. The store itself says `held_again_at`.
    """

    allowed: frozenset[HoldState]
    to: HoldState
    at: datetime
    note: NotRequired[str]
    decision: NotRequired[str]
    smsc_message_id: NotRequired[str]
    receipt: NotRequired[ReceiptState | None]
    grounds: NotRequired[Grounds | None]
    is_reviewed: NotRequired[bool]
    is_wanted: NotRequired[bool]
    held_for: NotRequired[ReasonCode | None]
    overrules: NotRequired[ReleaseScope]
    held_again_at: NotRequired[datetime]
    audited: NotRequired[NewAccess]


class HeldMessageAct(StrEnum):
    """What is done to a held message, by people, its sender, time, or the gateway.

    RELEASE_OWN and DISCARD_OWN are its addressee's (R50).
    """

    REQUEST_RELEASE = "request_release"
    RELEASE_OWN = "release_own"
    DISCARD = "discard"
    DISCARD_OWN = "discard_own"
    CANCEL = "cancel"
    EXPIRE = "expire"
    DEFER = "defer"
    HOLD = "hold"
    REFUSE = "refuse"
    BEGIN_RELEASE = "begin_release"
    CONFIRM = "confirm"
    POSTPONE = "postpone"
    GIVE_BACK = "give_back"
    TURN_DOWN = "turn_down"
    TAKE = "take"
    LOSE = "lose"


@dataclass(frozen=True, slots=True)
class Transition:
    """From any of `allowed` to `to`; `receipt` is DUE where the SP must be told.

    `is_reviewed` is what a person's decision leaves on the message for good, and `is_wanted`
    what its addressee's does. With `held_for` only what is kept for that reason moves.
    """

    allowed: frozenset[HoldState]
    to: HoldState
    receipt: ReceiptState | None = None
    is_reviewed: bool = False
    is_wanted: bool = False
    held_for: ReasonCode | None = None


_HELD = HoldState.HELD
_DEFERRED = HoldState.DEFERRED
_REQUESTED = HoldState.RELEASE_REQUESTED
_RELEASING = HoldState.RELEASING
_IN_DOUBT = HoldState.IN_DOUBT

# No act starts from a final state. Nothing but BEGIN_RELEASE leads to RELEASING, and only
# from a release that is still wanted: whoever succeeds with it may write to the SMSC, once.
# What is DEFERRED is taken when its hour comes (QuarantineStore.take_due), and by nobody before:
# a person may drop it, but not send it at night. The parts of a long message are taken as soon
# as all are there.
TRANSITIONS: dict[HeldMessageAct, Transition] = {
    # A person may decide that a message in doubt goes out again, or never.
    HeldMessageAct.REQUEST_RELEASE: Transition(
        frozenset({_HELD, _IN_DOUBT}), _REQUESTED, is_reviewed=True
    ),
    # A subscriber decides over what waits for his own rule, and not over what the SMSC may have
    # or what was judged again since he saw it, and is for reviewers now.
    HeldMessageAct.RELEASE_OWN: Transition(
        frozenset({_HELD}), _REQUESTED, is_wanted=True, held_for=Reason.USER_PREF
    ),
    HeldMessageAct.DISCARD_OWN: Transition(
        frozenset({_HELD}), HoldState.DISCARDED, ReceiptState.DUE, held_for=Reason.USER_PREF
    ),
    HeldMessageAct.DISCARD: Transition(
        frozenset({_HELD, _DEFERRED, _REQUESTED, _IN_DOUBT}),
        HoldState.DISCARDED,
        ReceiptState.DUE,
    ),
    # The SP hears of it in the cancel_sm_resp.
    HeldMessageAct.CANCEL: Transition(
        frozenset({_HELD, _DEFERRED, _REQUESTED}), HoldState.CANCELLED
    ),
    HeldMessageAct.EXPIRE: Transition(EXPIRING_STATES, HoldState.EXPIRED, ReceiptState.DUE),
    # What judging it again at the moment of leaving comes to (R21, R40, R61).
    HeldMessageAct.DEFER: Transition(frozenset({_REQUESTED}), _DEFERRED),
    HeldMessageAct.HOLD: Transition(frozenset({_REQUESTED}), _HELD),
    HeldMessageAct.REFUSE: Transition(frozenset({_REQUESTED}), HoldState.REFUSED, ReceiptState.DUE),
    HeldMessageAct.TAKE: Transition(frozenset({_DEFERRED}), _REQUESTED),
    HeldMessageAct.BEGIN_RELEASE: Transition(frozenset({_REQUESTED}), _RELEASING),
    # The SMSC's answer may come after the message was given up as in doubt, and even after
    # a person asked for it to go out again: then it must not.
    HeldMessageAct.CONFIRM: Transition(
        frozenset({_RELEASING, _IN_DOUBT, _REQUESTED}), HoldState.RELEASED
    ),
    # The SMSC said no: for now (POSTPONE), so that the person who let it go should see it
    # (GIVE_BACK), or to what no person ever saw (TURN_DOWN).
    HeldMessageAct.POSTPONE: Transition(frozenset({_RELEASING}), _REQUESTED),
    HeldMessageAct.GIVE_BACK: Transition(frozenset({_RELEASING, _IN_DOUBT}), _HELD),
    HeldMessageAct.TURN_DOWN: Transition(
        frozenset({_RELEASING, _IN_DOUBT}), HoldState.REFUSED, ReceiptState.DUE
    ),
    HeldMessageAct.LOSE: Transition(frozenset({_RELEASING}), _IN_DOUBT),
}


# 8 | thirteen digits of milliseconds since 1970 | two of the worker | three of a counter.
# Nineteen digits that fit a signed 64-bit number and sort by time. SMSCs seen so far give
# shorter or hexadecimal ids; where one does not, the store tells whose an id is.
_FIRST = 8 * 10**18
_MAX_EPOCH_MS = 10**13
_WORKERS = 100
_PER_MS = 1000
_MS_PER_S = 1000
_DIGITS = 19


class MessageIds:
    """Issues ids that no other worker and no later run issues.

    `after` is the highest id known to be taken: it guards against a host clock that was
    set back while nothing ran.
    """

    def __init__(self, worker: int, after: int = 0) -> None:
        if not 0 <= worker < _WORKERS:
            raise ValueError(f"a worker's number is 0 to {_WORKERS - 1}")
        self._worker = worker
        self._last_ms = 0
        self.pass_over(after)

    def pass_over(self, after: int) -> None:
        """Issue no id that is not above `after`, which another has issued, or a clock set back."""
        self._last_ms = max(self._last_ms, (after - _FIRST) // (_WORKERS * _PER_MS))
        self._last_count = _PER_MS - 1

    def next_id(self, epoch_ms: int) -> int:
        """Return an id above every earlier one, also when `epoch_ms` steps back.

        Past a thousand in one millisecond, ids are taken from the next millisecond.
        """
        if not 0 <= epoch_ms < _MAX_EPOCH_MS:
            raise ValueError("not a time in milliseconds since 1970")
        if epoch_ms > self._last_ms:
            self._last_ms, self._last_count = epoch_ms, 0
        elif self._last_count + 1 < _PER_MS:
            self._last_count += 1
        else:
            self._last_ms, self._last_count = self._last_ms + 1, 0
        moment = self._last_ms * _WORKERS + self._worker
        return _FIRST + moment * _PER_MS + self._last_count


def lowest_id_at(epoch_ms: int) -> int:
    """Return the lowest id that can be issued from a moment on."""
    return _FIRST + epoch_ms * _WORKERS * _PER_MS


def is_message_id(text: str) -> bool:
    """Tell whether `text` has the form of our ids; only the store knows whether it is one."""
    return len(text) == _DIGITS and text[0] == "8" and text.isascii() and text.isdigit()


def issued_at(message_id: str) -> datetime | None:
    """Return the moment that an id of ours has in it; None for one of another form."""
    if not is_message_id(message_id):
        return None
    epoch_ms = (int(message_id) - _FIRST) // (_WORKERS * _PER_MS)
    return datetime.fromtimestamp(epoch_ms / _MS_PER_S, UTC)


_CAMPAIGN = re.compile(r"c[0-9a-f]{16}")


def is_campaign_id(text: str) -> bool:
    """Tell whether `text` has the form of the id of a campaign."""
    return _CAMPAIGN.fullmatch(text) is not None
