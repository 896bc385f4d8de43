"""Where people, SPs, time and the gateway decide over held messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.ports.quarantine import QuarantineStore
from gateway.systems.quarantine.ids import MessageIds
from gateway.systems.quarantine.transitions import TRANSITIONS, Act


@dataclass(frozen=True, slots=True)
class Done:
    """The act took place; `message` as it is now."""

    message: HeldMessage


@dataclass(frozen=True, slots=True)
class NotDone:
    """Nothing changed. `state` is where the message stands, None when there is none."""

    message_id: int
    state: HoldState | None
    why: str


Outcome: TypeAlias = Done | NotDone

_STANDING: dict[HoldState, str] = {
    HoldState.HELD: "it is held",
    HoldState.RELEASE_REQUESTED: "its release was asked for",
    HoldState.RELEASING: "it was written to the SMSC, which has not answered yet",
    HoldState.IN_DOUBT: "the SMSC may have it or not: a person must decide",
    HoldState.RELEASED: "it was released",
    HoldState.REFUSED: "it was judged again and refused",
    HoldState.DISCARDED: "it was discarded",
    HoldState.EXPIRED: "it has expired",
    HoldState.CANCELLED: "its sender cancelled it",
}


class QuarantineDesk:
    """Moves held messages, each to exactly one final state whoever else is at it.

    Every act is one compare-and-set of the store, which may be shared with other
    processes. Each raises StoreUnavailable; an act may be repeated then, and a repetition
    that was not needed is NotDone. `by` is an operator or a system_id, and goes into the
    note.
    """

    def __init__(self, store: QuarantineStore, ids: MessageIds) -> None:
        self._store = store
        self._ids = ids

    def next_id(self, at: datetime) -> int:
        """Return the id for a message about to be held."""
        return self._ids.next_id(int(at.timestamp() * 1000))

    async def request_release(self, message_id: int, by: str, at: datetime) -> Outcome:
        """Ask the gateway to let a message go: it judges it again, then writes it."""
        return await self._act(Act.REQUEST_RELEASE, message_id, at, f"release asked by {by}")

    async def discard(self, message_id: int, by: str, at: datetime) -> Outcome:
        """Drop a message for good; its sender gets the receipt it asked for."""
        return await self._act(Act.DISCARD, message_id, at, f"discarded by {by}")

    async def cancel(self, message_id: int, by: str, at: datetime) -> Outcome:
        """Drop a message because its sender says so (SMPP 3.4, 4.9)."""
        return await self._act(Act.CANCEL, message_id, at, f"cancelled by {by}")

    async def expire_due(self, now: datetime, limit: int = 500) -> list[HeldMessage]:
        """Expire messages whose time has come, at most `limit`; return those it expired."""
        outcomes = [
            await self._act(Act.EXPIRE, held.message_id, now, "expired")
            for held in await self._store.expired(now, limit)
        ]
        return [outcome.message for outcome in outcomes if isinstance(outcome, Done)]

    async def refuse(self, message_id: int, why: str, at: datetime) -> Outcome:
        """End a release that was judged again and refused."""
        return await self._act(Act.REFUSE, message_id, at, why)

    async def begin_release(self, message_id: int, at: datetime) -> Outcome:
        """Take a message to write it to the SMSC: only who gets Done may, and only once."""
        return await self._act(Act.BEGIN_RELEASE, message_id, at)

    async def confirm(self, message_id: int, smsc_message_id: str, at: datetime) -> Outcome:
        """Record that the SMSC took the message under its own id; who asked for it stays noted."""
        return await self._act(Act.CONFIRM, message_id, at, smsc_message_id=smsc_message_id)

    async def postpone(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC did not take the message now: it is to go out later."""
        return await self._act(Act.POSTPONE, message_id, at, why)

    async def give_back(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC refused the message: people decide again."""
        return await self._act(Act.GIVE_BACK, message_id, at, why)

    async def lose(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that no answer will come: the SMSC may have the message, or not."""
        return await self._act(Act.LOSE, message_id, at, why)

    async def lose_in_flight(self, at: datetime) -> list[HeldMessage]:
        """Put in doubt what an earlier run was releasing when it ended; return those.

        Call this at start-up only, before anything is released.
        """
        lost: list[HeldMessage] = []
        while found := await self._store.in_flight():
            for held in found:
                outcome = await self.lose(held.message_id, "the gateway stopped", at)
                if isinstance(outcome, Done):
                    lost.append(outcome.message)
        return lost

    async def _act(
        self,
        act: Act,
        message_id: int,
        at: datetime,
        note: str = "",
        *,
        smsc_message_id: str = "",
    ) -> Outcome:
        transition = TRANSITIONS[act]
        moved = await self._store.move(
            message_id,
            allowed=transition.allowed,
            to=transition.to,
            at=at,
            note=note,
            smsc_message_id=smsc_message_id,
            receipt=transition.receipt,
        )
        if moved is not None:
            return Done(moved)
        held = await self._store.get(message_id)
        if held is None:
            return NotDone(message_id, None, "there is no such message")
        return NotDone(message_id, held.state, _STANDING[held.state])
