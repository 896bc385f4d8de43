"""What an act on held messages comes to."""

from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.quarantine import HeldMessage, HoldState


@dataclass(frozen=True, slots=True)
class Done:
    """The act took place; `message` as it is now, and so the parts that go with it."""

    message: HeldMessage
    others: tuple[HeldMessage, ...] = ()

    @property
    def together(self) -> list[HeldMessage]:
        """Return all, in the order of the parts."""
        return sorted((self.message, *self.others), key=lambda one: (one.part, one.message_id))


@dataclass(frozen=True, slots=True)
class NotDone:
    """Nothing changed. `state` is where the message stands, None when there is none."""

    message_id: int
    state: HoldState | None
    why: str


Outcome: TypeAlias = Done | NotDone


@dataclass(frozen=True, slots=True)
class Taken:
    """The parts of a long message in their order: those that may leave now, and the others.

    What has become of the others is settled, or for somebody else to settle.
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
