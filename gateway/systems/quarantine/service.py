"""Decisions on held messages, by people, SPs, timeouts and the gateway."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa

from gateway.domain.categories import covered_by
from gateway.domain.held_findings import CAMPAIGN_LINE, rule_line
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.storage.tables import held_messages
from gateway.systems.quarantine.model import (
    TRANSITIONS,
    Grounds,
    HeldMessageAct,
    HoldMove,
    MessageIds,
    PersonDecision,
    ReleaseScope,
)
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.quarantine.tables import also_wanted


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


@dataclass(frozen=True, slots=True)
class HeldFilter:
    """Which messages are listed; with a category also what lies below it.

    Without a state these are all messages but deferred ones, which no person has to decide on.
    With `is_undecided` those are left out on which a decision waits; with `is_escalated` only
    those are meant that wait for a senior reviewer. `destinations` are the spellings of one
    number; ids are `from_id` and above, and below `below_id`. The messages `seen_in` are listed by
    the state beside each, None for nowhere, and not by their own: a second reviewer sees them so.
    """

    state: HoldState | None = None
    system_id: str | None = None
    campaign: str | None = None
    category: str | None = None
    is_undecided: bool = False
    is_escalated: bool = False
    source: str | None = None
    rule: str | None = None
    destinations: tuple[str, ...] | None = field(default=None, repr=False)
    from_id: int | None = None
    below_id: int | None = None
    seen_in: Mapping[int, HoldState | None] = field(default_factory=dict)


_OF_INTEREST = tuple(state for state in HoldState if state is not HoldState.DEFERRED)


async def find_held(
    store: QuarantineStore, wanted: HeldFilter, before_id: int | None, limit: int
) -> list[HeldMessage]:
    """Return the newest messages that fit, newest first; for the next page give the last id."""
    newest: list[HeldMessage] = []
    bounds = [one for one in (before_id, wanted.below_id) if one is not None]
    seen = held_messages.c.message_id.in_(sorted(wanted.seen_in))
    states = _OF_INTEREST if wanted.state is None else (wanted.state,)
    looks: list[tuple[HoldState | None, sa.ColumnElement[bool] | None]] = [
        (one, ~seen if wanted.seen_in else None) for one in states
    ]
    if listed := sorted(one for one, state in wanted.seen_in.items() if state in states):
        looks.append((None, held_messages.c.message_id.in_(listed)))
    for state, among in looks:
        page = await store.find(
            state=state,
            system_id=wanted.system_id,
            campaign=wanted.campaign,
            categories=None if wanted.category is None else covered_by(wanted.category),
            destinations=wanted.destinations,
            before_id=min(bounds, default=None),
            limit=limit,
            is_undecided=wanted.is_undecided,
            is_escalated=wanted.is_escalated and state is not None,
            also=[
                *also_wanted(wanted.source, wanted.rule, from_id=wanted.from_id),
                *(() if among is None else (among,)),
            ],
        )
        both = sorted((*newest, *page), key=lambda held: held.message_id, reverse=True)
        newest = both[:limit]  # no more are kept, in however many states they are
    return newest


Ids: TypeAlias = tuple[int, ...]

OF_MESSAGE = ReleaseScope()
# Who decides on a whole campaign was told how large it is.
OF_CAMPAIGN = ReleaseScope(lines=CAMPAIGN_LINE)


def of_exception(rule: str) -> ReleaseScope:
    """Return what an exception of a rule overrules, for a campaign of any size."""
    return ReleaseScope(of_message=False, lines=rule_line(rule) + CAMPAIGN_LINE)


class QuarantineDesk:
    """Moves held messages, each to exactly one final state, also with concurrent callers.

    Every act is one compare-and-set of the store, which may be shared with other processes.
    Each raises StoreUnavailable; an act may be repeated then, and a repetition that was not
    needed returns NotDone. `by` is an operator or a system_id, and goes into the note; of an
    operator's act it is kept as the decision too, with the reason `why`. An act
    on one part of a long message is done in the same commit to all parts in an allowed state;
    a caller that knows the other parts gives them as `others`.
    """

    def __init__(self, store: QuarantineStore, ids: MessageIds) -> None:
        self._store = store
        self._ids = ids

    def next_id(self, at: datetime) -> int:
        """Return the id for a message about to be held."""
        return self._ids.next_id(int(at.timestamp() * 1000))

    async def request_release(
        self,
        message_id: int,
        by: str,
        at: datetime,
        why: str = "",
        overruling: ReleaseScope = OF_MESSAGE,
    ) -> Outcome:
        """Request the release of a message: the gateway judges it again, then sends it.

        What is overruled is not asked again; all else is.
        """
        move = decided_move(HeldMessageAct.REQUEST_RELEASE, at, by, why, overruling)
        return await self._move_all(message_id, move)

    async def discard(self, message_id: int, by: str, at: datetime, why: str = "") -> Outcome:
        """Drop a message for good; its sender gets the receipt it asked for."""
        move = decided_move(HeldMessageAct.DISCARD, at, by, why)
        return await self._move_all(message_id, move)

    async def request_release_each(
        self,
        message_ids: Collection[int],
        by: str,
        at: datetime,
        why: str = "",
        overruling: ReleaseScope = OF_MESSAGE,
    ) -> list[Outcome]:
        """Request the release of at most 1000 messages, in as few commits as possible.

        Returns the outcome of each, and of each part moved with one of them, by id.
        """
        move = decided_move(HeldMessageAct.REQUEST_RELEASE, at, by, why, overruling)
        return await self._move_each(message_ids, move)

    async def discard_each(
        self, message_ids: Collection[int], by: str, at: datetime, why: str = ""
    ) -> list[Outcome]:
        """Drop many for good; otherwise as `request_release_each`."""
        move = decided_move(HeldMessageAct.DISCARD, at, by, why)
        return await self._move_each(message_ids, move)

    async def release_own(self, message_id: int, others: Ids, at: datetime) -> Outcome:
        """Request a release for the addressee; only his own preferences are ignored (R50)."""
        note = "release asked by the subscriber"
        return await self._act(HeldMessageAct.RELEASE_OWN, message_id, at, note, others=others)

    async def discard_own(self, message_id: int, others: Ids, at: datetime) -> Outcome:
        """Drop a message for good at its addressee's request (R50)."""
        note = "discarded by the subscriber"
        return await self._act(HeldMessageAct.DISCARD_OWN, message_id, at, note, others=others)

    async def cancel(self, message_id: int, by: str, at: datetime) -> Outcome:
        """Drop a message because its sender cancels it (SMPP 3.4, 4.9)."""
        move = _move_of(HeldMessageAct.CANCEL, at, f"cancelled by {by}")
        return await self._move_all(message_id, move)

    async def cancel_each(
        self, message_ids: Collection[int], by: str, at: datetime
    ) -> list[Outcome]:
        """Drop several messages as `cancel` does one, at most 1000."""
        move = _move_of(HeldMessageAct.CANCEL, at, f"cancelled by {by}")
        return await self._move_each(message_ids, move)

    async def expire_due(self, now: datetime, limit: int = 500) -> list[HeldMessage]:
        """Expire messages past their time, at most `limit`; return the expired ones."""
        outcomes = [
            await self._act(
                HeldMessageAct.EXPIRE,
                held.message_id,
                now,
                "expired",
                others=await self._others_of(held),
            )
            for held in await self._store.expired(now, limit)
        ]
        return [
            message
            for outcome in outcomes
            if isinstance(outcome, ActResult)
            for message in outcome.together
        ]

    async def take(self, assembly: int, at: datetime) -> LeavingParts:
        """Request the release of DEFERRED parts of a long message; return all its parts."""
        parts = await self._store.parts_of(assembly)
        waiting = [one.message_id for one in parts if one.state is HoldState.DEFERRED]
        if waiting:
            transition = TRANSITIONS[HeldMessageAct.TAKE]
            moved = await self._store.move_together(
                waiting, allowed=transition.allowed, to=transition.to, at=at
            )
            now = {one.message_id: one for one in moved}
            parts = [now.get(one.message_id, one) for one in parts]
        ready = [one for one in parts if one.state is HoldState.RELEASE_REQUESTED]
        return LeavingParts(ready, [one for one in parts if one not in ready])

    async def refuse(self, message_id: int, why: str, at: datetime, *, others: Ids = ()) -> Outcome:
        """End the release of a message that was judged again and refused."""
        return await self._act(HeldMessageAct.REFUSE, message_id, at, why, others=others)

    async def defer(
        self, message_id: int, grounds: Grounds, why: str, at: datetime, *, others: Ids = ()
    ) -> Outcome:
        """Let a release wait until `grounds.due_at`: only the hour stops it."""
        return await self._act(
            HeldMessageAct.DEFER, message_id, at, why, grounds=grounds, others=others
        )

    async def hold(
        self, message_id: int, grounds: Grounds, why: str, at: datetime, *, others: Ids = ()
    ) -> Outcome:
        """Hold for review a message that was stopped when judged again."""
        return await self._act(
            HeldMessageAct.HOLD, message_id, at, why, grounds=grounds, others=others
        )

    async def begin_release(self, message_id: int, at: datetime, *, others: Ids = ()) -> Outcome:
        """Take a message to send it to the SMSC; only the caller that gets Done may, once."""
        return await self._act(HeldMessageAct.BEGIN_RELEASE, message_id, at, others=others)

    async def confirm(self, message_id: int, smsc_message_id: str, at: datetime) -> Outcome:
        """Record that the SMSC accepted the message, with the SMSC's id; the note stays."""
        return await self._act(
            HeldMessageAct.CONFIRM, message_id, at, smsc_message_id=smsc_message_id
        )

    async def postpone(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC did not accept the message now: it is sent again later."""
        return await self._act(HeldMessageAct.POSTPONE, message_id, at, why)

    async def give_back(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC rejected a reviewed message: a person decides again."""
        return await self._act(HeldMessageAct.GIVE_BACK, message_id, at, why)

    async def turn_down(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that the SMSC rejected a deferred message: its sender gets a receipt."""
        return await self._act(HeldMessageAct.TURN_DOWN, message_id, at, why)

    async def lose(self, message_id: int, why: str, at: datetime) -> Outcome:
        """Record that no answer will come: the SMSC may have the message, or not."""
        return await self._act(HeldMessageAct.LOSE, message_id, at, why)

    async def lose_in_flight(self, at: datetime) -> list[HeldMessage]:
        """Set messages to IN_DOUBT that an earlier run was releasing; return them.

        Call this at start-up only, before anything is released.
        """
        lost: list[HeldMessage] = []
        while found := await self._store.in_flight():
            for held in found:
                outcome = await self.lose(held.message_id, "the gateway stopped", at)
                if isinstance(outcome, ActResult):
                    lost.append(outcome.message)
        return lost

    async def _move_each(self, message_ids: Collection[int], move: HoldMove) -> list[Outcome]:
        found = await self._store.get_many(message_ids)
        single = [held.message_id for held in found if not held.assembly]
        moved = await self._store.move_each(single, **move)
        outcomes: dict[int, Outcome] = {held.message_id: ActResult(held) for held in moved}
        # A part moves the other parts too; for the rest the outcome says the present state.
        others = [one for one in message_ids if one not in outcomes]
        acts = (self._move_all(one, move) for one in others)
        for number, outcome in zip(others, await _all(acts), strict=True):
            if isinstance(outcome, ActResult):
                outcomes |= {one.message_id: ActResult(one) for one in outcome.together}
            else:  # kept only if no other part has moved it
                outcomes.setdefault(number, outcome)
        return [outcome for _, outcome in sorted(outcomes.items())]

    async def _move_all(self, message_id: int, move: HoldMove) -> Outcome:
        held = await self._store.get(message_id)
        others = () if held is None else await self._others_of(held, spared=spared_with(held))
        return await self._move(message_id, others, move)

    async def _others_of(
        self, held: HeldMessage, spared: frozenset[HoldState] = frozenset()
    ) -> Ids:
        """Return the other parts of a long message, without those in `spared` states."""
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
        act: HeldMessageAct,
        message_id: int,
        at: datetime,
        note: str = "",
        *,
        smsc_message_id: str = "",
        grounds: Grounds | None = None,
        others: Ids = (),
    ) -> Outcome:
        move = _move_of(act, at, note)
        move["grounds"] = grounds
        if not others:
            move["smsc_message_id"] = smsc_message_id
        return await self._move(message_id, others, move)

    async def _move(self, message_id: int, others: Ids, move: HoldMove) -> Outcome:
        """Move a message, and with it the `others` that are in an allowed state."""
        if others:
            moved = await self._store.move_together((message_id, *others), **move)
        else:
            alone = await self._store.move(message_id, **move)
            moved = [] if alone is None else [alone]
        first = next((one for one in moved if one.message_id == message_id), None)
        if first is None:
            return await self._not_done(message_id)
        return ActResult(first, tuple(one for one in moved if one is not first))

    async def _not_done(self, message_id: int) -> NotDone:
        held = await self._store.get(message_id)
        if held is None:
            return NotDone(message_id, None, "there is no such message")
        return NotDone(message_id, held.state, STANDING[held.state])


def _move_of(act: HeldMessageAct, at: datetime, note: str) -> HoldMove:
    """Return what an act does to a message."""
    transition = TRANSITIONS[act]
    return {
        "allowed": transition.allowed,
        "to": transition.to,
        "at": at,
        "note": note,
        "receipt": transition.receipt,
        "is_reviewed": transition.is_reviewed,
        "is_wanted": transition.is_wanted,
        "held_for": transition.held_for,
    }


_DECISIONS = {
    HeldMessageAct.REQUEST_RELEASE: ("release asked", "quarantine release"),
    HeldMessageAct.DISCARD: ("discarded", "quarantine discard"),
}


def decided_move(
    act: HeldMessageAct, at: datetime, by: str, why: str, overruling: ReleaseScope = OF_MESSAGE
) -> HoldMove:
    """Return what an operator's act does: the decision stays when the note changes."""
    said, action = _DECISIONS[act]
    note = f"{said} by {by}"
    move = _move_of(act, at, note)
    move["decision"] = f"{note}: {why}" if why else note
    move["audited"] = NewAccess(by, action, why, "", at)
    if act is HeldMessageAct.REQUEST_RELEASE:
        move["overrules"] = overruling
    return move


ACTS_OF = {
    PersonDecision.RELEASED: HeldMessageAct.REQUEST_RELEASE,
    PersonDecision.REJECTED: HeldMessageAct.DISCARD,
}


def move_for(
    decision: PersonDecision,
    by: str,
    why: str,
    at: datetime,
    overruling: ReleaseScope = OF_MESSAGE,
) -> HoldMove:
    """Return what a decision does to a message, and leaves on it."""
    return decided_move(ACTS_OF[decision], at, by, why, overruling)


async def _all(acts: Iterable[Awaitable[Outcome]]) -> list[Outcome]:
    """Wait for all; an error is raised only after all have ended, and the others stay done."""
    settled = await asyncio.gather(*acts, return_exceptions=True)
    for one in settled:
        if isinstance(one, BaseException):
            raise one
    return [one for one in settled if not isinstance(one, BaseException)]


def spared_with(held: HeldMessage) -> frozenset[HoldState]:
    """Return the states in which other parts are left alone when a person decides on one.

    A part that the SMSC may have (IN_DOUBT) changes only if the person chose such a part itself.
    """
    is_in_doubt = held.state is HoldState.IN_DOUBT
    return frozenset() if is_in_doubt else frozenset({HoldState.IN_DOUBT})
