"""What people and programs do with cases (派单): every rule that an act must keep."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from math import ceil
from random import SystemRandom
from typing import TypeAlias

from gateway.domain.msisdn import masked_mobiles
from gateway.policy.hours import HolidayCalendar
from gateway.systems.cases.acts import (
    accept_first,
    apply_act,
    apply_steps,
    closed_at,
    draw_case,
    entry_of,
    escalate_case,
    feed_back,
    measure_case,
    open_case,
    receive_case,
    recheck_case,
    refer_case,
    refuse_act,
    reopen_case,
)
from gateway.systems.cases.model import (
    CLUSTER_WITHIN,
    MAX_NOTE_CHARS,
    MAX_SENDER_CHARS,
    MAX_WORD_CHARS,
    MOST_AT_ONCE,
    MOST_HOPS,
    REPORT,
    Actor,
    Case,
    CaseAct,
    CaseChange,
    CaseComplaint,
    CaseEntry,
    CaseEscalation,
    CaseFeedback,
    CaseHandover,
    CaseJoin,
    CaseMeasure,
    CaseRefusal,
    PlainAct,
    Recheck,
    report_entry,
)
from gateway.systems.cases.sql import CaseStore

_MOST_CLOSED = 100_000
# Draws some of some numbers. By a chance that cannot be told before: those who work on cases
# must not know which will be looked at again.
Choose: TypeAlias = Callable[[Sequence[int], int], Sequence[int]]
_BY_CHANCE: Choose = SystemRandom().sample


class CaseDesk:
    """Opens cases and moves them. `calendar` gives the working days that are known now.

    Every act is journaled with who and when, in the commit of the act. An act that the state or a
    rule does not allow returns CaseRefusal, and nothing changes. Each raises StoreUnavailable, and
    ValueError for words that are empty or too long.
    """

    def __init__(self, store: CaseStore, calendar: Callable[[], HolidayCalendar]) -> None:
        self._store = store
        self._calendar = calendar

    async def take(self, given: Sequence[CaseComplaint], by: str) -> list[CaseJoin]:
        """Put valid complaints into cases, at most 500 in one commit. Safe to repeat.

        A complaint of a campaign joins its case for 72 hours after the one before, also from
        another sender; within 30 days after the end it opens the case again, one severity higher.
        """
        if len(given) > MOST_AT_ONCE:
            raise ValueError(f"at most {MOST_AT_ONCE} complaints at once")
        for one in given:
            _checked("campaign", one.campaign)
            _checked("front_owner", one.front_owner)
            _checked("sender", one.sender, MAX_SENDER_CHARS)
        calendar = self._calendar()

        def cluster(case: Case | None, one: CaseComplaint) -> CaseChange:
            who = Actor(by, one.taken_at)
            if case is None:
                return open_case(one, who, calendar)
            if case.closed_at is not None and one.taken_at > case.closed_at:
                reopened = reopen_case(case, who, calendar)
                return (
                    reopened if isinstance(reopened, CaseChange) else open_case(one, who, calendar)
                )
            if one.taken_at - case.grown_at > CLUSTER_WITHIN:
                return open_case(one, who, calendar)
            grown = max(case.grown_at, one.taken_at)
            return CaseChange(
                replace(case, grown_at=grown, category=case.category or one.category), ()
            )

        return await self._store.take(given, cluster)

    async def dispatch(self, number: int, owner: str, who: Actor) -> Case | CaseRefusal:
        """Send a case to the organisation that must act (R84)."""
        _checked("owner", owner)
        return await self._act(
            number, CaseAct.DISPATCH, who, lambda case: replace(case, owner=owner, hops=0), owner
        )

    async def receive(
        self, given: CaseHandover, who: Actor, acceptor: Actor | None = None
    ) -> Case | CaseRefusal:
        """Open a case that another node sends, or its case again if that is closed (R84).

        An `acceptor` accepts it at once. One that is worked on here is accepted once more.
        """
        for name in ("subject", "front_owner", "owner"):
            _checked(name, getattr(given, name))
        calendar = self._calendar()

        def decide(case: Case | None) -> CaseChange | CaseRefusal:
            return receive_case(case, given, who, calendar, acceptor)

        change = await self._store.receive(given.subject, decide)
        return change.case if isinstance(change, CaseChange) else change

    async def accept(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Note that the owner takes the case."""
        return await self._act(number, CaseAct.ACCEPT, who)

    async def refuse(self, number: int, suggested: str, who: Actor) -> Case | CaseRefusal:
        """Note that the owner says "not mine", and send the case to whom it suggests (R84).

        The third time, or if no other owner is suggested, it is for arbitration. A case of another
        node is closed here: that node sends it on.
        """
        if suggested:
            _checked("suggested owner", suggested)

        def decide(case: Case) -> CaseChange | CaseRefusal:
            if case.origin:
                return closed_at(
                    apply_act(CaseAct.HAND_BACK, who, self._calendar(), suggested, case), who.at
                )
            is_sent_on = suggested not in ("", case.owner) and case.hops < MOST_HOPS
            act = CaseAct.REDISPATCH if is_sent_on else CaseAct.ARBITRATE
            moved = apply_act(act, who, self._calendar(), suggested, case)
            if isinstance(moved, CaseRefusal) or not is_sent_on:
                return moved
            after = replace(moved.case, owner=suggested, hops=case.hops + 1)
            return moved._replace(case=after)

        return await self._decided(number, decide)

    async def turn_down(self, reason: PlainAct, number: int, who: Actor) -> Case | CaseRefusal:
        """Note that the owner does not take the case: it is incomplete, or a duplicate.

        A person decides then: here, or at the node that sent it, for which it is closed here.
        """

        def decide(case: Case) -> CaseChange | CaseRefusal:
            act = CaseAct.HAND_BACK if case.origin else CaseAct.ARBITRATE
            moved = apply_act(act, who, self._calendar(), reason, case)
            return closed_at(moved, who.at) if case.origin else moved

        return await self._decided(number, decide)

    async def assign(self, number: int, owner: str, who: Actor) -> Case | CaseRefusal:
        """Decide who owns a case in arbitration."""
        _checked("owner", owner)
        return await self._act(
            number, CaseAct.ASSIGN, who, lambda case: replace(case, owner=owner), owner
        )

    async def verify(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Note that the owner looks into a case."""
        return await self._act(number, CaseAct.VERIFY, who)

    async def act(self, act: PlainAct, number: int, owner: str, who: Actor) -> Case | CaseRefusal:
        """Do what needs no more than an `owner`, "" for none. Raises ValueError for a wrong one."""
        sending = {
            PlainAct.DISPATCH: self.dispatch,
            PlainAct.REFUSE: self.refuse,
            PlainAct.ASSIGN: self.assign,
        }
        if act in sending:
            return await sending[act](number, owner, who)
        if owner:
            raise ValueError("an owner goes with dispatch, refuse and assign")
        alone: dict[PlainAct, Callable[[int, Actor], Awaitable[Case | CaseRefusal]]] = {
            PlainAct.ACCEPT: self.accept,
            PlainAct.INCOMPLETE: partial(self.turn_down, PlainAct.INCOMPLETE),
            PlainAct.DUPLICATE: partial(self.turn_down, PlainAct.DUPLICATE),
            PlainAct.VERIFY: self.verify,
            PlainAct.TELL: self.tell_user,
            PlainAct.CLOSE: self.close,
            PlainAct.REOPEN: self.reopen,
            PlainAct.RETURN: self.take_back,
            PlainAct.NOTE: self.note,
            PlainAct.QUERY: self.query,
        }
        return await alone[act](number, who)

    async def measure(self, number: int, measure: CaseMeasure, who: Actor) -> Case | CaseRefusal:
        """Note a measure that was taken."""
        return await self.measure_all(number, (measure,), who)

    async def measure_all(
        self, number: int, measures: Sequence[CaseMeasure], who: Actor, *, accepts: bool = False
    ) -> Case | CaseRefusal:
        """Note measures that were taken, all of them or none.

        With `accepts` they accept a case that is dispatched.
        """

        def take(case: Case) -> CaseChange | CaseRefusal:
            steps = [partial(measure_case, one, who, self._calendar()) for one in measures]
            return apply_steps(case, steps)

        return await self._found(number, take, who, accepts=accepts)

    async def feedback(
        self, number: int, feedback: CaseFeedback, who: Actor, *, accepts: bool = False
    ) -> Case | CaseRefusal:
        """Note what the owner found and did (R85).

        A confirmed finding needs a measure with its time, and where the evidence is; mobile numbers
        in that are masked. The clock of the feedback then stops at the time of the last measure.
        With `accepts` it accepts a case that is dispatched.
        """
        for name, words in (("evidence", feedback.evidence), ("answer", feedback.answer)):
            if len(words) > MAX_NOTE_CHARS:
                raise ValueError(f"{name}: at most {MAX_NOTE_CHARS} characters")
        feedback = replace(feedback, evidence=masked_mobiles(feedback.evidence))

        def take(case: Case) -> CaseChange | CaseRefusal:
            return feed_back(case, feedback, who, self._calendar())

        return await self._found(number, take, who, accepts=accepts)

    async def tell_user(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Note that the front owner has told the subscribers (R87)."""
        return await self._act(number, CaseAct.TELL_USER, who)

    async def close(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Close a case that has a finding and, if that is confirmed, a measure (R85)."""
        return await self._act(
            number, CaseAct.CLOSE, who, lambda case: replace(case, closed_at=who.at)
        )

    async def reopen(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Open a case again within 30 days after its end; its severity rises by one."""
        return await self._decided(number, lambda case: reopen_case(case, who, self._calendar()))

    async def refer(self, number: int, authority: str, who: Actor) -> Case | CaseRefusal:
        """Approve that a case of illegal content goes to an authority (R90).

        The second approval, of another person and for the same authority, refers it. `who.by` must
        be an account that was proven, not a name that anybody gives.
        """
        _checked("authority", authority)

        def decide(case: Case) -> CaseChange | CaseRefusal:
            return refer_case(case, authority, who, self._calendar())

        return await self._decided(number, decide)

    async def take_back(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Note the outcome that the authority gives: the case is with its owner again."""
        return await self._act(number, CaseAct.RETURN, who)

    async def attach(self, number: int, digest: str, who: Actor) -> Case | CaseRefusal:
        """Note the SHA-256 of a file that belongs to a case, in hexadecimal, in any state."""
        _checked("digest", digest)
        return await self._decided(
            number, lambda case: CaseChange(case, (entry_of("attach", who, digest),))
        )

    async def report(
        self, number: int, report_id: str, recipient: str, who: Actor
    ) -> Case | CaseRefusal:
        """Note that an abuse report about a case went to who is no member, in any state (R90)."""
        about = report_entry(report_id, recipient)
        return await self._decided(
            number, lambda case: CaseChange(case, (entry_of(REPORT, who, about),))
        )

    async def draw(
        self, since: datetime, share: float, who: Actor, choose: Choose = _BY_CHANCE
    ) -> list[Case]:
        """Draw cases that were closed since then for a second look; return those drawn now (R85).

        With those drawn before they are `share` percent of all, rounded up. Of more than 100 000
        cases the oldest are looked at.
        """
        closed = await self._store.closed_since(since, _MOST_CLOSED)
        missing = ceil(len(closed) * share / 100) - sum(one is not None for _, one in closed)
        new = [number for number, recheck in closed if recheck is None]
        drawn = []
        for number in sorted(choose(new, min(max(missing, 0), len(new)))):
            found = await self._decided(number, partial(draw_case, who))
            if isinstance(found, Case):  # else it was opened again meanwhile
                drawn.append(found)
        return drawn

    async def recheck(
        self, number: int, result: Recheck, who: Actor, is_same: Callable[[str], bool]
    ) -> Case | CaseRefusal:
        """Note what the second look at a case found; if it is reversed the case is open again.

        It is for another person than those who worked on the case: `is_same` tells whether a name
        of the journal is that of `who`.
        """
        case = await self._store.get(number)
        if case is not None and any(map(is_same, await self._store.workers_of(number))):
            return CaseRefusal(number, case.state, f"{who.by} has worked on it: ask another person")
        return await self._decided(
            number, lambda case: recheck_case(result, who, self._calendar(), case)
        )

    async def note(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Add a note to the journal of a case, in any state."""
        _checked("note", who.note, MAX_NOTE_CHARS)
        return await self._decided(number, lambda case: CaseChange(case, (entry_of("note", who),)))

    async def query(self, number: int, who: Actor) -> Case | CaseRefusal:
        """Ask the other organisation of a case the question in the note, in any state."""
        _checked("note", who.note, MAX_NOTE_CHARS)

        def decide(case: Case) -> CaseChange | CaseRefusal:
            if not (case.origin or case.owner):
                return refuse_act(case, "it has no owner who could be asked")
            return CaseChange(case, (entry_of("query", who, case.origin or case.owner),))

        return await self._decided(number, decide)

    async def escalate_due(self, at: datetime, limit: int = 200) -> AsyncIterator[CaseEscalation]:
        """Escalate clocks that have reached 80 or 100 % of their time by `at`; each share once.

        Yields what people must be told of, each when it is on record. A clock without a due time
        gets one as soon as the calendar has the year. Raises StoreUnavailable.
        """
        for number in await self._store.to_be_looked_at(at, limit):
            found: list[CaseEscalation] = []

            def decide(case: Case, found: list[CaseEscalation] = found) -> CaseChange:
                found[:], after = escalate_case(case, at, self._calendar())
                entries = [
                    CaseEntry("escalate", "clock", at, f"{one.share} %", one.clock) for one in found
                ]
                return CaseChange(after, entries)

            await self._store.change(number, decide)
            for one in found:
                yield one

    async def escalate_once(
        self, number: int, about: str, since: datetime, who: Actor
    ) -> Case | CaseRefusal | None:
        """Escalate a case for something that began at `since`; None if it was before (R88)."""
        if await self._store.was_escalated(number, about, since):
            return None
        entry = entry_of("escalate", who, about)
        return await self._decided(number, lambda case: CaseChange(case, [entry]))

    async def _found(
        self,
        number: int,
        take: Callable[[Case], CaseChange | CaseRefusal],
        who: Actor,
        *,
        accepts: bool,
    ) -> Case | CaseRefusal:
        def decide(case: Case) -> CaseChange | CaseRefusal:
            return accept_first(case, who, self._calendar(), take) if accepts else take(case)

        return await self._decided(number, decide)

    async def _act(
        self,
        number: int,
        act: CaseAct,
        who: Actor,
        also: Callable[[Case], Case] = lambda case: case,
        about: str = "",
    ) -> Case | CaseRefusal:
        def decide(case: Case) -> CaseChange | CaseRefusal:
            moved = apply_act(act, who, self._calendar(), about, case)
            if isinstance(moved, CaseRefusal):
                return moved
            return moved._replace(case=also(moved.case))

        return await self._decided(number, decide)

    async def _decided(
        self, number: int, decide: Callable[[Case], CaseChange | CaseRefusal]
    ) -> Case | CaseRefusal:
        change = await self._store.change(number, decide)
        return change.case if isinstance(change, CaseChange) else change


def _checked(name: str, words: str, most: int = MAX_WORD_CHARS) -> None:
    if not 0 < len(words.strip()) <= most or not words.isprintable():
        raise ValueError(f"{name}: 1 to {most} printable characters")
