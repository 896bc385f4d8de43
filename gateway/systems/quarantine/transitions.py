"""Every way a held message may go, in one table."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.quarantine import HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.systems.quarantine.store import EXPIRING_STATES


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
    held_for: Reason | None = None


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
