"""Every way a held message may go, in one table."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.quarantine import HoldState, ReceiptState
from gateway.ports.quarantine import EXPIRING_STATES


class Act(StrEnum):
    """What is done to a held message, by people, its sender, time, or the gateway."""

    REQUEST_RELEASE = "request_release"
    DISCARD = "discard"
    CANCEL = "cancel"
    EXPIRE = "expire"
    REFUSE = "refuse"
    BEGIN_RELEASE = "begin_release"
    CONFIRM = "confirm"
    POSTPONE = "postpone"
    GIVE_BACK = "give_back"
    LOSE = "lose"


@dataclass(frozen=True, slots=True)
class Transition:
    """From any of `allowed` to `to`; `receipt` is DUE where the SP must be told."""

    allowed: frozenset[HoldState]
    to: HoldState
    receipt: ReceiptState | None = None


_HELD = HoldState.HELD
_REQUESTED = HoldState.RELEASE_REQUESTED
_RELEASING = HoldState.RELEASING
_IN_DOUBT = HoldState.IN_DOUBT

# No act starts from a final state. Nothing but BEGIN_RELEASE leads to RELEASING, and only
# from a release that is still wanted: whoever succeeds with it may write to the SMSC, once.
TRANSITIONS: dict[Act, Transition] = {
    # A person may decide that a message in doubt goes out again, or never.
    Act.REQUEST_RELEASE: Transition(frozenset({_HELD, _IN_DOUBT}), _REQUESTED),
    Act.DISCARD: Transition(
        frozenset({_HELD, _REQUESTED, _IN_DOUBT}), HoldState.DISCARDED, ReceiptState.DUE
    ),
    # The SP hears of it in the cancel_sm_resp.
    Act.CANCEL: Transition(frozenset({_HELD, _REQUESTED}), HoldState.CANCELLED),
    Act.EXPIRE: Transition(EXPIRING_STATES, HoldState.EXPIRED, ReceiptState.DUE),
    Act.REFUSE: Transition(frozenset({_REQUESTED}), HoldState.REFUSED, ReceiptState.DUE),
    Act.BEGIN_RELEASE: Transition(frozenset({_REQUESTED}), _RELEASING),
    # The SMSC's answer may come after the message was given up as in doubt, and even after
    # a person asked for it to go out again: then it must not.
    Act.CONFIRM: Transition(frozenset({_RELEASING, _IN_DOUBT, _REQUESTED}), HoldState.RELEASED),
    # The SMSC said no: for now (POSTPONE), or so that a person should see it (GIVE_BACK).
    Act.POSTPONE: Transition(frozenset({_RELEASING}), _REQUESTED),
    Act.GIVE_BACK: Transition(frozenset({_RELEASING, _IN_DOUBT}), _HELD),
    Act.LOSE: Transition(frozenset({_RELEASING}), _IN_DOUBT),
}
