"""Where people, SPs, time and the gateway decide over held messages."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable
from datetime import datetime
from typing import TypeAlias

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.ports.quarantine import Grounds, QuarantineStore
from gateway.systems.quarantine.ids import MessageIds
from gateway.systems.quarantine.outcomes import STANDING, Done, NotDone, Outcome, Taken
from gateway.systems.quarantine.transitions import TRANSITIONS, Act

Ids: TypeAlias = tuple[int, ...]


class QuarantineDesk:
    """Moves held messages, each to exactly one final state whoever else is at it.

    Every act is one compare-and-set of the store, which may be shared with other
    processes. Each raises StoreUnavailable; an act may be repeated then, and a repetition
    that was not needed is NotDone. `by` is an operator or a system_id, and goes into the
    note. What is done to one part of a long message is done to all that stand where it may
    be done, in the same commit: those who know them give `others`.
    """

    def __init__(self, store: QuarantineStore, ids: MessageIds) -> None:
        self._store = store
        self._ids = ids

    def next_id(self, at: datetime) -> int:
        """Return the id for a message about to be held."""
        return self._ids.next_id(int(at.timestamp() * 1000))

    async def request_release(self, message_id: int, by: str, at: datetime) -> Outcome:
        """Ask the gateway to let a message go: it judges it again, then writes it."""
        note = f"release asked by {by}"
        return await self._act_on_all(Act.REQUEST_RELEASE, message_id, at, note)

    async def discard(self, message_id: int, by: str, at: datetime) -> Outcome:
        """Drop a message for good; its sender gets the receipt it asked for."""
        return await self._act_on_all(Act.DISCARD, message_id, at, f"discarded by {by}")

    async def request_release_each(
        self, message_ids: Collection[int], by: str, at: datetime
    ) -> list[Outcome]:
        """Ask for the release of many, at most 1000, in as few commits as can be.

        Returns what became of each, and of each part that went with one of them, by id.
        """
        note = f"release asked by {by}"
        return await self._act_on_each(Act.REQUEST_RELEASE, message_ids, at, note)

    async def discard_each(
        self, message_ids: Collection[int], by: str, at: datetime
    ) -> list[Outcome]:
        """Drop many for good; otherwise as `request_release_each`."""
        return await self._act_on_each(Act.DISCARD, message_ids, at, f"discarded by {by}")

    async def release_own(self, message_id: int, others: Ids, at: datetime) -> Outcome:
        """Let a message go to its addressee, who asks for it: all but his own rule counts (R50)."""
        note = "release asked by the subscriber"
        return await self._act(Act.RELEASE_OWN, message_id, at, note, others=others)

    async def discard_own(self, message_id: int, others: Ids, at: datetime) -> Outcome:
        """Drop a message for good because its addressee says so (R50)."""
        note = "discarded by the subscriber"
        return await self._act(Act.DISCARD_OWN, message_id, at, note, others=others)

    async def cancel(self, message_id: int, by: str, at: datetime) -> Outcome:
        """Drop a message because its sender says so (SMPP 3.4, 4.9)."""
        return await self._act_on_all(Act.CANCEL, message_id, at, f"cancelled by {by}")

    async def expire_due(self, now: datetime, limit: int = 500) -> list[HeldMessage]:
        """Expire messages whose time has come, at most `limit`; return those it expired."""
        outcomes = [
            await self._act(
                Act.EXPIRE, held.message_id, now, "expired", others=await self._others_of(held)
            )
            for held in await self._store.expired(now, limit)
        ]
        return [
            message
            for outcome in outcomes
            if isinstance(outcome, Done)
            for message in outcome.together
        ]

    async def take(self, assembly: int, at: datetime) -> Taken:
        """Take the parts of a long message that are there together, whoever asked for them."""
        parts = await self._store.parts_of(assembly)
        waiting = [one.message_id for one in parts if one.state is HoldState.DEFERRED]
        if waiting:
            transition = TRANSITIONS[Act.TAKE]
            moved = await self._store.move_together(
                waiting, allowed=transition.allowed, to=transition.to, at=at
            )
            now = {one.message_id: one for one in moved}
            parts = [now.get(one.message_id, one) for one in parts]
        ready = [one for one in parts if one.state is HoldState.RELEASE_REQUESTED]
        return Taken(ready, [one for one in parts if one not in ready])

    async def refuse(self, message_id: int, why: str, at: datetime, *, others: Ids = ()) -> Outcome:
        """End a release that was judged again and refused."""
        return await self._act(Act.REFUSE, message_id, at, why, others=others)

    async def defer(
        self, message_id: int, grounds: Grounds, why: str, at: datetime, *, others: Ids = ()
    ) -> Outcome:
        """Let a release wait until `grounds.due_at`: nothing but the hour is against it."""
        return await self._act(Act.DEFER, message_id, at, why, grounds=grounds, others=others)

    async def hold(
        self, message_id: int, grounds: Grounds, why: str, at: datetime, *, others: Ids = ()
    ) -> Outcome:
        """Put before a person what was judged again when its hour came, and flagged."""
        return await self._act(Act.HOLD, message_id, at, why, grounds=grounds, others=others)

    async def begin_release(self, message_id: int, at: datetime, *, others: Ids = ()) -> Outcome:
        """Take a message to write it to the SMSC: only who gets Done may, and only once."""
        return await self._act(Act.BEGIN_RELEASE, message_id, at, others=others)

    async def confirm(self, message_id: int, smsc_message_id: str, at: datetime) -> Outcome:
        """Record that the SMSC took the message under its own id; who asked for it stays noted."""
        return await self._act(Act.CONFIRM, message_id, at, smsc_message_id=smsc_message_id)

    async def postpone(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC did not take the message now: it is to go out later."""
        return await self._act(Act.POSTPONE, message_id, at, why)

    async def give_back(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC refused the message: people decide again."""
        return await self._act(Act.GIVE_BACK, message_id, at, why)

    async def turn_down(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC refused a message whose hour had come: its sender is told."""
        return await self._act(Act.TURN_DOWN, message_id, at, why)

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

    async def _act_on_each(
        self, act: Act, message_ids: Collection[int], at: datetime, note: str
    ) -> list[Outcome]:
        transition = TRANSITIONS[act]
        found = await self._store.get_many(message_ids)
        moved = await self._store.move_each(
            [held.message_id for held in found if not held.assembly],
            allowed=transition.allowed,
            to=transition.to,
            at=at,
            note=note,
            receipt=transition.receipt,
            is_reviewed=transition.is_reviewed,
        )
        outcomes: dict[int, Outcome] = {held.message_id: Done(held) for held in moved}
        # Parts take each other along, and of the rest is told how each stands.
        others = [one for one in message_ids if one not in outcomes]
        acts = (self._act_on_all(act, one, at, note) for one in others)
        for number, outcome in zip(others, await _all(acts), strict=True):
            if isinstance(outcome, Done):
                outcomes |= {one.message_id: Done(one) for one in outcome.together}
            else:  # unless another part has taken it along
                outcomes.setdefault(number, outcome)
        return [outcome for _, outcome in sorted(outcomes.items())]

    async def _act_on_all(self, act: Act, message_id: int, at: datetime, note: str) -> Outcome:
        held = await self._store.get(message_id)
        others = () if held is None else await self._others_of(held, spared=_spared(held))
        return await self._act(act, message_id, at, note, others=others)

    async def _others_of(
        self, held: HeldMessage, spared: frozenset[HoldState] = frozenset()
    ) -> Ids:
        """Return the other parts of the long message that one is a part of, but for `spared`."""
        if not held.assembly:
            return ()
        parts = await self._store.parts_of(held.assembly)
        return tuple(
            one.message_id
            for one in parts
            if one.message_id != held.message_id and one.state not in spared
        )

    async def _act(  # noqa: PLR0913 - what the different acts leave on the message
        self,
        act: Act,
        message_id: int,
        at: datetime,
        note: str = "",
        *,
        smsc_message_id: str = "",
        grounds: Grounds | None = None,
        others: Ids = (),
    ) -> Outcome:
        transition = TRANSITIONS[act]
        if others:
            return await self._act_together(act, (message_id, *others), at, note, grounds)
        moved = await self._store.move(
            message_id,
            allowed=transition.allowed,
            to=transition.to,
            at=at,
            note=note,
            smsc_message_id=smsc_message_id,
            receipt=transition.receipt,
            grounds=grounds,
            is_reviewed=transition.is_reviewed,
            is_wanted=transition.is_wanted,
            held_for=transition.held_for,
        )
        if moved is not None:
            return Done(moved)
        return await self._not_done(message_id)

    async def _act_together(
        self, act: Act, message_ids: Ids, at: datetime, note: str, grounds: Grounds | None
    ) -> Outcome:
        """Do to the first, and to those of the others to which it may be done."""
        transition = TRANSITIONS[act]
        moved = await self._store.move_together(
            message_ids,
            allowed=transition.allowed,
            to=transition.to,
            at=at,
            note=note,
            receipt=transition.receipt,
            grounds=grounds,
            is_reviewed=transition.is_reviewed,
            is_wanted=transition.is_wanted,
            held_for=transition.held_for,
        )
        first = next((one for one in moved if one.message_id == message_ids[0]), None)
        if first is None:
            return await self._not_done(message_ids[0])
        return Done(first, tuple(one for one in moved if one is not first))

    async def _not_done(self, message_id: int) -> NotDone:
        held = await self._store.get(message_id)
        if held is None:
            return NotDone(message_id, None, "there is no such message")
        return NotDone(message_id, held.state, STANDING[held.state])


async def _all(acts: Iterable[Awaitable[Outcome]]) -> list[Outcome]:
    """Wait for all; what went wrong with one is raised only then, and the others stand."""
    settled = await asyncio.gather(*acts, return_exceptions=True)
    for one in settled:
        if isinstance(one, BaseException):
            raise one
    return [one for one in settled if not isinstance(one, BaseException)]


def _spared(held: HeldMessage) -> frozenset[HoldState]:
    """Return where the other parts may stand that are left alone when people decide on one.

    What the SMSC may have is decided only where a person says so of such a part itself.
    """
    is_in_doubt = held.state is HoldState.IN_DOUBT
    return frozenset() if is_in_doubt else frozenset({HoldState.IN_DOUBT})
