"""The results of acts on held messages."""

from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.quarantine import HeldMessage, HoldState


@dataclass(frozen=True, slots=True)
class ActResult:
    """The act was done; `message` and the `others` parts moved with it are as they are now."""

    message: HeldMessage
    others: tuple[HeldMessage, ...] = ()

    @property
    def together(self) -> list[HeldMessage]:
        """Return all, in the order of the parts."""
        return sorted((self.message, *self.others), key=lambda one: (one.part, one.message_id))


@dataclass(frozen=True, slots=True)
class NotDone:
    """Nothing changed. `state` is the message's present state, None if it does not exist."""

    message_id: int
    state: HoldState | None
    why: str


Outcome: TypeAlias = ActResult | NotDone


@dataclass(frozen=True, slots=True)
class LeavingParts:
    """The parts of a long message in order: those that may leave now, and the others.

    The others are in a final state, or another caller decides on them.
    """

    ready: list[HeldMessage]
    others: list[HeldMessage]


STANDING: dict[HoldState, str] = {
    HoldState.HELD: "it is held",
    HoldState.DEFERRED: "it waits for its hour",
    HoldState.RELEASE_REQUESTED: "its release was asked for",
    HoldState.RELEASING: "it was written to the SMSC, which has not answered yet",
    HoldState.IN_DOUBT: "the SMSC may have it or not: a person must decide",
    HoldState.RELEASED: "it was released",
    HoldState.REFUSED: "it was refused when it was to leave",
    HoldState.DISCARDED: "it was discarded",
    HoldState.EXPIRED: "it has expired",
    HoldState.CANCELLED: "its sender cancelled it",
}
