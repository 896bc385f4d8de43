"""Applies events of members to cases, and knows which senders and organisations are ours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from pydantic import ValidationError

from gateway.app.case_events import (
    EventSubject,
    feedback_of,
    handover_of,
    measures_of,
    note_of,
    suggestion_of,
)
from gateway.domain.linkage import AcceptRule, EventRefusal, Member, MemberRegistry, MemberRole
from gateway.domain.msisdn import without_country
from gateway.domain.sender import PortOwners
from gateway.policy.hours import HolidayCalendar
from gateway.stores import Stores
from gateway.systems.cases.model import (
    MAX_NOTE_CHARS,
    Actor,
    Case,
    CaseRefusal,
    CaseState,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.linkage.envelope import event_in
from gateway.systems.linkage.model import (
    DispatchRefusal,
    EventType,
    InboxEntry,
    LinkageCounts,
    LinkageEvent,
    RefusalData,
    without_numbers,
)
from gateway.systems.linkage.number_plan import MemberFinder
from gateway.systems.linkage.sql import mark_event_applied

log = structlog.get_logger()

# Who acts where no person does.
BY = "linkage"
# What one member may write into the journal of one case.
MOST_ENTRIES = 200
_FULL = "the journal of the case has as many entries of it as may be"
_ANSWERS = (EventType.ACCEPTED, EventType.REFUSED, EventType.MEASURES, EventType.FEEDBACK)


@dataclass(frozen=True, slots=True)
class CaseOwnership:
    """What tells who must act: `own` is the organisation of this node, `ports` its ports.

    Cases of the categories `text_categories` go with the text of a complaint.
    """

    own: str
    finder: MemberFinder
    ports: Callable[[], PortOwners]
    accept: AcceptRule = AcceptRule.PORTS
    text_categories: frozenset[str] = frozenset()

    def is_here(self, sender: str) -> bool:
        """Tell whether a sender is a port of an SP here."""
        owners = self.ports()
        return bool(owners.of(sender) or owners.of(without_country(sender)))

    def accepts(self, sender: str) -> bool:
        """Tell whether a case about a sender is accepted by itself."""
        return self.accept is AcceptRule.PORTS and self.is_here(sender)


class EventApplier:
    """Does to cases what events of other members say, each event once.

    A member may change only the cases that are dispatched to it, and send only its own.
    """

    def __init__(
        self,
        stores: Stores,
        registry: MemberRegistry,
        ownership: CaseOwnership,
        calendar: Callable[[], HolidayCalendar],
        counts: LinkageCounts,
    ) -> None:
        self._cases = stores.cases
        self._inbox = stores.linkage_inbox
        self._registry = registry
        self._ownership = ownership
        self._calendar = calendar
        self._counts = counts
        self._subjects = EventSubject(registry.own)

    async def apply(self, one: InboxEntry, now: datetime) -> None:
        """Apply an event, or note why not; in both cases it counts as applied then."""
        event = event_in(one.envelope.encode())
        member = self._registry.find_source(one.source)
        if isinstance(event, EventRefusal) or member is None:
            await self.skip(one, "the member is gone, or another version wrote it")
            return
        number = await self._number_of(event.subject)
        guard = partial(self._objection, event, member)
        also = partial(mark_event_applied, number=one.number)
        desk = CaseDesk(self._cases.along(also, guard), self._calendar)
        who = Actor(f"member {member.name}", now)
        try:
            done = await self._act(desk, number, event, member, who)
        except ValidationError:  # its text would name values
            done = CaseRefusal(number, None, "its data")
        except ValueError as error:
            done = CaseRefusal(number, None, str(error))
        if isinstance(done, Case):
            self._counts.events[event.type, "applied"] += 1
            _tell(done, event, member)
            return
        note = f"{event.type} is not applied: {done.why}"[:MAX_NOTE_CHARS]
        noted = await self._note(desk, number or done.number, who._replace(note=note))
        await self.skip(one, done.why, is_noted=isinstance(noted, Case))

    async def _act(
        self, desk: CaseDesk, number: int, event: LinkageEvent, member: Member, who: Actor
    ) -> Case | CaseRefusal:
        match event.type:
            case EventType.DISPATCHED:
                if not EventSubject(member.name).is_of(event.subject):
                    return CaseRefusal(0, None, "the case is not its own")
                return await self._receive(desk, number, event, member, who)
            case EventType.ACCEPTED:
                return await desk.accept(number, who)
            case EventType.REFUSED:
                suggested, note = self._suggestion(event)
                return await desk.refuse(number, suggested, who._replace(note=note))
            case EventType.QUERY | EventType.SUPERVISED:
                return await self._note(desk, number, who._replace(note=note_of(event)))
            case _:
                return await self._take_findings(desk, number, event, who)

    async def _receive(
        self, desk: CaseDesk, number: int, event: LinkageEvent, member: Member, who: Actor
    ) -> Case | CaseRefusal:
        """Open a case of a member, or take it again; one that is open not without end."""
        known = await self._cases.get(number)
        is_open = known is not None and known.state is not CaseState.CLOSED
        if is_open and await self._is_full(number, who):
            return CaseRefusal(number, None, _FULL)
        given = handover_of(event, member, self._ownership.own, who.at)
        acceptor = Actor(BY, who.at, "the port is one of an SP here")
        is_accepted = self._ownership.accepts(given.sender)
        return await desk.receive(given, who, acceptor if is_accepted else None)

    async def _take_findings(
        self, desk: CaseDesk, number: int, event: LinkageEvent, who: Actor
    ) -> Case | CaseRefusal:
        """Take the measures of a member, or what it found; words not known are noted."""
        case = await self._cases.get(number)
        if case is None:
            return CaseRefusal(number, None, "there is no such case")
        measures, unknown = measures_of(event, case, who.at)
        who = who._replace(note=unknown)
        if event.type is EventType.FEEDBACK:
            words = "; ".join(filter(None, (unknown, suggestion_of(event))))
            who = who._replace(note=words[:MAX_NOTE_CHARS])
            return await desk.feedback(number, feedback_of(event, measures), who, accepts=True)
        if measures:
            return await desk.measure_all(number, measures, who, accepts=True)
        note = unknown or "measures that are on record"
        return await self._note(desk, number, who._replace(note=note))

    async def _note(self, desk: CaseDesk, number: int, who: Actor) -> Case | CaseRefusal:
        """Note something in a case, unless its member has filled the journal of it."""
        if await self._is_full(number, who):
            return CaseRefusal(number, None, _FULL)
        return await desk.note(number, who)

    async def _is_full(self, number: int, who: Actor) -> bool:
        return await self._cases.has_entries_by(number, who.by, MOST_ENTRIES)

    def _suggestion(self, event: LinkageEvent) -> tuple[str, str]:
        """Return the organisation that must act instead, "" for a decision, and what is noted."""
        data = RefusalData.model_validate(event.data)
        carrier, province = data.suggested_carrier or "", data.suggested_province or ""
        words = f"{data.reason}, suggests {carrier}/{province}" if carrier else data.reason.value
        member = None
        if carrier and data.reason is DispatchRefusal.NOT_MINE:
            member = self._ownership.finder.of_organisation(carrier, province)
        if member is None:
            return "", without_numbers(words, MAX_NOTE_CHARS)
        is_own = member.name == self._registry.own
        return self._ownership.own if is_own else member.organisation, data.reason.value

    async def _number_of(self, subject: str) -> int:
        """Return the number of the case here, 0 without one."""
        number = self._subjects.number_in(subject)
        if number is not None:
            return number
        case = await self._cases.of_subject(subject)
        return 0 if case is None else case.number

    def _objection(self, event: LinkageEvent, member: Member, case: Case) -> str | None:
        """Return why a member may not say this of a case; the case may be gone to another since."""
        if case.subject != ("" if self._subjects.is_of(event.subject) else event.subject):
            return "it is another case"
        if event.type is EventType.SUPERVISED and member.role is MemberRole.HUB:
            return None
        if case.origin:
            may = case.origin == member.name and event.type not in _ANSWERS
        else:
            may = case.owner == member.organisation and event.type is not EventType.DISPATCHED
        return None if may else f"the case is not with {member.name}"

    async def skip(self, one: InboxEntry, why: str, *, is_noted: bool = False) -> None:
        """Tell that an event is not applied; it counts as applied then."""
        self._counts.events[one.type, "unapplied"] += 1
        source = one.source.rpartition(":")[2]
        log.warning("linkage.unapplied", member=source, kind=one.type, case=one.subject, said=why)
        if not is_noted:
            await self._inbox.mark_applied((one.number,))


def _tell(case: Case, event: LinkageEvent, member: Member) -> None:
    if event.type is EventType.DISPATCHED:
        log.info("case.received", number=case.number, member=member.name)
    elif event.type is EventType.ACCEPTED:
        log.info("case.accepted", number=case.number, member=member.name)
    elif event.type is EventType.FEEDBACK:
        log.info("case.feedback_received", number=case.number, member=member.name)
