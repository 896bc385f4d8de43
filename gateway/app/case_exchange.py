"""Joins cases and the linkage: a case goes to the member that must act; what it does comes back.

The journal of the cases is followed: what is noted there becomes an event for the other member, in
the commit in which the journal counts as read. An event that came is applied in the commit in which
it counts as applied. A crash at any point does nothing twice, and loses nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.app.case_events import (
    EventSubject,
    answer_draft,
    dispatch_draft,
    is_port,
    query_draft,
)
from gateway.app.event_applier import BY, CaseOwnership, EventApplier
from gateway.domain.linkage import Member, MemberRegistry, MemberRole
from gateway.domain.msisdn import is_mobile, msisdn_of, without_country
from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases.model import (
    MAX_NOTE_CHARS,
    Actor,
    Case,
    CaseAct,
    CaseEntry,
    CaseState,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.linkage.encrypted_text import encrypt_text
from gateway.systems.linkage.envelope import EventSigner
from gateway.systems.linkage.model import EventDraft, EventType, LinkageCounts, number_hash
from gateway.systems.linkage.pair_keys import PairKeys, newest_key_of
from gateway.systems.linkage.sql import add_event_of_entry

log = structlog.get_logger()

_PAGE = 200
_PAGES_AT_ONCE = 20
_COMPLAINTS = 50
_TO_DISPATCH = (CaseState.OPEN, CaseState.REOPENED)
_OVER = (CaseState.FEEDBACK_RECEIVED, CaseState.USER_TOLD, CaseState.CLOSED)
# Of one member here.
MOST_OPEN_CASES = 10_000
# What one row may raise for its data: it must not hold up the others.
_FAULTS = (ValueError, OverflowError)
_SENDS = (CaseAct.DISPATCH, CaseAct.REDISPATCH, CaseAct.ASSIGN)


class CaseExchange:
    """Sends cases of this node to other members, and applies what comes from them.

    `counts` has what became of that. Every call raises StoreUnavailable; the next one goes on where
    it stopped.
    """

    def __init__(
        self,
        stores: Stores,
        registry: MemberRegistry,
        signer: EventSigner,
        ownership: CaseOwnership,
        calendar: Callable[[], HolidayCalendar],
        pair_keys: PairKeys,
    ) -> None:
        self._cases = stores.cases
        self._complaints = stores.complaints
        self._inbox = stores.linkage_inbox
        self._outbox = stores.linkage_outbox
        self._registry = registry
        self._signer = signer
        self._ownership = ownership
        self._calendar = calendar
        self._pair_keys = pair_keys
        self._desk = CaseDesk(stores.cases, calendar)
        self._subjects = EventSubject(registry.own)
        self.counts = LinkageCounts()
        self._applier = EventApplier(stores, registry, ownership, calendar, self.counts)
        self._looked_to = 0
        self._is_caught_up = False

    async def work(self, now: datetime) -> int:
        """Do one round; return how many events were put out or applied."""
        await self._look_at_open_cases(now)
        done = await self.follow(now)
        done += await self.apply(now)
        return done + await self.follow(now)

    async def has_most_cases(self, member: str) -> bool:
        """Tell whether as many cases of a member are open here as may be."""
        return await self._cases.has_open_of(member, MOST_OPEN_CASES)

    async def follow(self, now: datetime) -> int:
        """Read what was done to cases since the last time; return how many events that made."""
        made = 0
        own = self._registry.own_member
        for _ in range(_PAGES_AT_ONCE):
            after = await self._inbox.pulled_to(own.name)
            page = await self._cases.journal_after(after, _PAGE)
            for number, case_number, entry in page:
                try:
                    case = await self._cases.get(case_number)
                    if case is not None:
                        made += await self._follow_entry(number, case, entry, now)
                except _FAULTS as error:  # its text may name values
                    log.error("case.unsent", number=case_number, said=type(error).__name__)
            if page:
                await self._outbox.add_of_entry(page[-1][0], None, self._signer, own, now)
            if len(page) < _PAGE:
                break
        return made

    async def apply(self, now: datetime) -> int:
        """Apply events of members, each case in its order; return how many."""
        done = 0
        for _ in range(_PAGES_AT_ONCE):
            found = await self._inbox.ready(self._registry.own, _PAGE)
            for one in found:
                try:
                    await self._applier.apply(one, now)
                except _FAULTS as error:
                    await self._applier.skip(one, type(error).__name__)
            done += len(found)
            if len(found) < _PAGE:
                break
        return done

    async def _look_at_open_cases(self, now: datetime) -> None:
        """Dispatch cases that were opened before a member or a route was known; once a process.

        What stays was told when the case was opened.
        """
        while not self._is_caught_up:
            found = await self._cases.oldest_open(self._looked_to, _PAGE)
            for case in found:
                try:
                    await self._dispatch(case, now, is_new=False)
                except _FAULTS as error:
                    said = type(error).__name__
                    log.warning("case.undispatched", number=case.number, reason=said)
                self._looked_to = case.number
            self._is_caught_up = len(found) < _PAGE

    async def _follow_entry(self, number: int, case: Case, entry: CaseEntry, now: datetime) -> bool:
        """Do what an entry asks for; tell whether it made an event."""
        if entry.act == "query":
            return await self._ask(number, case, entry, now)
        if case.origin:
            draft = answer_draft(number, case, entry)
            return draft is not None and await self._answer(number, case, draft, now)
        if case.front_owner == self._ownership.own:
            if entry.act in ("open", CaseAct.REOPEN):
                await self._dispatch(case, now)
            elif entry.act in _SENDS and entry.about == case.owner and case.state not in _OVER:
                return await self._send(number, case, now)
        return False

    async def _dispatch(self, case: Case, now: datetime, *, is_new: bool = True) -> None:
        """Dispatch a case that is plainly another member's; the rest is for a person."""
        is_own = case.front_owner == self._ownership.own and not case.origin
        if case.state not in _TO_DISPATCH or not is_own:
            return
        senders = await self._senders_of(case)
        if not senders or any(self._ownership.is_here(one) for one in senders):
            return
        found = self._whose(case, senders, now)
        if isinstance(found, Member):
            who = Actor(BY, now, "by the number plan")
            await self._desk.dispatch(case.number, found.organisation, who)
        elif is_new:
            log.warning("case.undispatched", number=case.number, reason=found)

    def _whose(self, case: Case, senders: Sequence[str], now: datetime) -> Member | str:
        """Return the member that must act, or why a person must decide."""
        if case.owner:
            found = {self._member_of(case.owner)}
        else:
            found = {self._ownership.finder.of_sender(one) for one in senders}
        if len(found) > 1:
            return "several_members"
        (member,) = found
        if member is None:
            return "unknown_number"
        if member.name == self._registry.own:
            return "own_number"
        named = self._named(member, senders, now)
        return named if isinstance(named, str) else member

    def _named(
        self, member: Member, senders: Sequence[str], now: datetime
    ) -> dict[str, object] | str:
        """Return how a case names its sender to a member, or why it cannot.

        It is one that belongs to the member, if there is one; a port goes before a number.
        """
        theirs = [one for one in senders if self._ownership.finder.of_sender(one) == member]
        ports = [without_country(one) for one in (*theirs, *senders) if is_port(one)]
        if ports:
            return {"port": ports[0]}
        mobiles = [one.encode() for one in (*theirs, *senders)]
        number = next((msisdn_of(one) for one in mobiles if is_mobile(one)), None)
        if number is None:
            return "personal_number"
        key = self._pair_keys.in_use(member, now)
        if key is None:
            return "no_agreement_key"
        return {"sender_hash": number_hash(key.secret, number), "hash_keys": list(key.kids)}

    async def _senders_of(self, case: Case) -> list[str]:
        found = await self._cases.complaints_of(case.number, _COMPLAINTS)
        return [sender for _, sender in found]

    async def _send(self, entry: int, case: Case, now: datetime) -> bool:
        """Put out the event that sends a case to its owner, if that is a member."""
        member = self._member_of(case.owner)
        if member is None:
            log.warning("case.undispatched", number=case.number, reason="unknown_member")
            return False
        if member.name == self._registry.own:
            return False
        named = self._named(member, await self._senders_of(case), now)
        if isinstance(named, str):
            log.warning("case.undispatched", number=case.number, reason=named)
            return False
        named |= await self._text_in(case, member, now)
        draft = dispatch_draft(entry, case, self._subjects.of(case.number), member, named)
        is_made = await self._put_out(entry, case, draft, now)
        if is_made:
            log.info("case.dispatched", number=case.number, member=member.name)
        return is_made

    async def _ask(self, number: int, case: Case, entry: CaseEntry, now: datetime) -> bool:
        """Put out the event that asks the other member of a case, if there is one."""
        whose = case.subject, case.origin
        if not case.origin:
            member = self._member_of(entry.about)
            if member is None or member.name == self._registry.own:
                return False
            whose = self._subjects.of(case.number), member.name
        return await self._put_out(number, case, query_draft(number, whose, entry), now)

    async def _text_in(self, case: Case, member: Member, now: datetime) -> dict[str, object]:
        """Return the text of a complaint for a member to read, where its category needs that."""
        key = newest_key_of(member, now)
        if key is None or case.category not in self._ownership.text_categories:
            return {}
        found = await self._cases.complaints_of(case.number, _COMPLAINTS)
        finder = self._ownership.finder
        theirs = [number for number, one in found if finder.of_sender(one) == member]
        texts = await self._complaints.texts_of(theirs or [number for number, _ in found])
        text = next(filter(None, texts.values()), "")
        sealed = encrypt_text(text, self._subjects.of(case.number), key)
        return {} if sealed is None else {"encrypted_text": sealed}

    async def _answer(self, entry: int, case: Case, draft: EventDraft, now: datetime) -> bool:
        """Tell the origin of a case; the case is finished here when the feedback is put out."""
        if draft.type is not EventType.FEEDBACK:
            return await self._put_out(entry, case, draft, now)
        if case.state is CaseState.FEEDBACK_RECEIVED:
            who = Actor(BY, now, f"{case.origin} tells the subscribers")
            await self._desk.tell_user(case.number, who)
        own = self._registry.own_member

        async def put_out(connection: AsyncConnection) -> None:
            await add_event_of_entry(connection, entry, draft, self._signer, own, now)

        try:
            closing = CaseDesk(self._cases.along(put_out), self._calendar)
            closed = await closing.close(case.number, Actor(BY, now))
        except ValueError:
            return await self._put_out(entry, case, draft, now)
        return isinstance(closed, Case) or await self._put_out(entry, case, draft, now)

    async def _put_out(self, entry: int, case: Case, draft: EventDraft, now: datetime) -> bool:
        own = self._registry.own_member
        try:
            return await self._outbox.add_of_entry(entry, draft, self._signer, own, now)
        except ValueError as error:
            log.error("case.unsent", number=case.number, member=draft.recipient, said=str(error))
            note = f"{draft.type} was not sent to {draft.recipient}: {error}"[:MAX_NOTE_CHARS]
            await self._desk.note(case.number, Actor(BY, now, note))
            return False

    def _member_of(self, organisation: str) -> Member | None:
        """Return the only node of an organisation; this node for its own."""
        if organisation == self._ownership.own:
            return self._registry.own_member
        found = [
            one
            for one in self._registry.members
            if one.organisation == organisation and one.role is MemberRole.NODE
        ]
        return found[0] if len(found) == 1 else None
