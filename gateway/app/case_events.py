"""What the journal of a case becomes as an event of the linkage, and an event as an act."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from gateway.domain.linkage import Member
from gateway.domain.msisdn import without_country
from gateway.systems.cases.model import (
    MAX_NOTE_CHARS,
    Case,
    CaseAct,
    CaseEntry,
    CaseFeedback,
    CaseFinding,
    CaseHandover,
    CaseMeasure,
    ClockName,
    MeasureKind,
)
from gateway.systems.linkage.model import (
    MAX_HOPS,
    DispatchData,
    DispatchRefusal,
    EventDraft,
    EventType,
    FeedbackData,
    LinkageEvent,
    MeasuresData,
    without_numbers,
)

_MAX_WORD_CHARS = 100
_MAX_MEASURES = 20
_UNREADABLE = "***"
# How far ahead another member may set the time of a feedback.
_MAX_TERM = timedelta(days=365)
# The clocks that run until the feedback.
_TERMS = (ClockName.FEEDBACK, ClockName.ACTION)
# Ports and service numbers. Longer ones with 12, 95 and 96 may be people's in other countries.
_PORT = re.compile("10[0-9]{1,19}|(?:12|95|96)[0-9]{1,6}|[48]00[0-9]{7}")

Word = TypeVar("Word", MeasureKind, CaseFinding)


@dataclass(frozen=True, slots=True)
class EventSubject:
    """How events name the cases of a member: ``unicom-gd.7``."""

    member: str

    def of(self, number: int) -> str:
        """Return the subject of a case of this member."""
        return f"{self.member}.{number}"

    def number_in(self, subject: str) -> int | None:
        """Return the number of a case of this member, None for any other subject."""
        member, _, number = subject.rpartition(".")
        is_number = number.isascii() and number.isdigit() and len(number) < 19
        if member != self.member or not is_number or subject != self.of(int(number)):
            return None
        return int(number)

    def is_of(self, subject: str) -> bool:
        """Tell whether a case is one of this member."""
        return self.number_in(subject) is not None


def is_port(sender: str) -> bool:
    """Tell whether a sender may be named to others: a port by its form, no person's number."""
    return _PORT.fullmatch(without_country(sender)) is not None


def dispatch_draft(
    entry: int, case: Case, subject: str, recipient: Member, sender: Mapping[str, object]
) -> EventDraft:
    """Return the event that sends a case to the member that must act (R84).

    `sender` is the port, or the hash of the number and the keys that it is of.
    """
    clocks = [one for one in case.clocks if one.name in _TERMS and one.stop is None]
    ends = [one.due for one in clocks if one.due is not None]
    return _draft(
        entry,
        EventType.DISPATCHED,
        (subject, recipient.name),
        {
            **sender,
            "category": case.category,
            "complaints": max(1, case.complaints),
            "first_at": case.opened_at,
            "last_at": case.grown_at,
            "feedback_due": min(ends, default=None),
            "hops": min(case.hops, MAX_HOPS),
        },
    )


def answer_draft(entry: int, case: Case, did: CaseEntry) -> EventDraft | None:
    """Return the event that tells the origin of a case what was done to it, None if nothing."""
    whose = case.subject, case.origin
    data: dict[str, object]
    match did.act:
        case CaseAct.ACCEPT:
            return _draft(entry, EventType.ACCEPTED, whose, {})
        case CaseAct.HAND_BACK:
            data = {"reason": did.about}
            if did.about not in set(DispatchRefusal):  # who should act, if that is known
                data = {"reason": DispatchRefusal.NOT_MINE}
                carrier, _, province = without_numbers(did.about, _MAX_WORD_CHARS).partition("/")
                if carrier:
                    data |= {"suggested_carrier": carrier, "suggested_province": province}
            return _draft(entry, EventType.REFUSED, whose, data)
        case CaseAct.MEASURE:
            kind, _, at = did.about.partition(" at ")
            data = {"measures": [kind], "measure_time": datetime.fromisoformat(at)}
            return _draft(entry, EventType.MEASURES, whose, data)
        case CaseAct.FEEDBACK if case.finding is not None:
            return _draft(entry, EventType.FEEDBACK, whose, _feedback_data(case))
        case _:
            return None


def query_draft(entry: int, whose: tuple[str, str], did: CaseEntry) -> EventDraft:
    """Return the event that asks the other member of a case a question, of (subject, member)."""
    question = without_numbers(did.note, MAX_NOTE_CHARS) or _UNREADABLE
    return _draft(entry, EventType.QUERY, whose, {"question": question})


def handover_of(event: LinkageEvent, member: Member, owner: str, now: datetime) -> CaseHandover:
    """Return the case that a member sends."""
    data = DispatchData.model_validate(event.data)
    due = data.feedback_due
    if due is not None and not now < due < now + _MAX_TERM:
        due = None
    return CaseHandover(
        member.name,
        event.subject,
        data.port or data.sender_hash or "",
        member.organisation,
        owner,
        without_numbers(data.category, 32),
        data.complaints,
        None if due is None else due.astimezone(UTC),
    )


def measures_of(event: LinkageEvent, case: Case, now: datetime) -> tuple[list[CaseMeasure], str]:
    """Return the measures that a member took and are not on record, and the words not known.

    A time that is ahead of this node's clock is now, one before the case was opened is its opening.
    A finding that is confirmed by words alone that are not known has a measure of another kind.
    """
    data = (
        MeasuresData.model_validate(event.data)
        if event.type is EventType.MEASURES
        else FeedbackData.model_validate(event.data)
    )
    at = max(min(_utc(data.measure_time, now), now), case.opened_at)
    kinds, unknown = _known(MeasureKind, data.measures)
    on_record = {one.kind for one in case.measures}
    if event.type is EventType.MEASURES:
        on_record = {one.kind for one in case.measures if one.at == at}
    is_confirmed = event.data.get("finding") in (None, CaseFinding.CONFIRMED)
    found = [CaseMeasure(one, at) for one in kinds if one not in on_record and is_confirmed]
    if event.data.get("finding") == CaseFinding.CONFIRMED and not (found or case.measures):
        found = [CaseMeasure(MeasureKind.OTHER, at)]
    return found, "" if not unknown else f"measures that are not known: {unknown}"


def feedback_of(event: LinkageEvent, measures: Sequence[CaseMeasure]) -> CaseFeedback:
    """Return what a member found and did; not what it wants to be told in our name."""
    data = FeedbackData.model_validate(event.data)
    return CaseFeedback(
        CaseFinding(data.finding),
        tuple(measures),
        without_numbers(data.evidence_ref or "", _MAX_WORD_CHARS) or _UNREADABLE,
    )


def suggestion_of(event: LinkageEvent) -> str:
    """Return what the journal says of the answer that a member suggests for the subscribers."""
    words = without_numbers(FeedbackData.model_validate(event.data).reply_text, MAX_NOTE_CHARS)
    return f"suggested answer: {words}" if words else ""


def note_of(event: LinkageEvent) -> str:
    """Return what a member asks, or a hub wants."""
    question = event.data.get("question")
    said = f"asks: {question}" if question else event.data.get("note") or event.type.value
    due = event.data.get("due")
    return without_numbers(f"{said} (until {due})" if due else str(said), MAX_NOTE_CHARS)


def _feedback_data(case: Case) -> dict[str, object]:
    found: dict[str, object] = {
        "finding": case.finding,
        "reply_text": without_numbers(case.answer, MAX_NOTE_CHARS),
    }
    if case.evidence:
        found["evidence_ref"] = without_numbers(case.evidence, _MAX_WORD_CHARS) or _UNREADABLE
    if case.measures:
        found["measures"] = list(dict.fromkeys(one.kind for one in case.measures))[:_MAX_MEASURES]
        found["measure_time"] = max(one.at for one in case.measures)
    return found


def _draft(
    entry: int, kind: EventType, whose: tuple[str, str], data: dict[str, object]
) -> EventDraft:
    subject, recipient = whose
    # By the number of its entry: one entry has one event, whoever puts it out.
    return EventDraft(f"j{entry}", kind, subject, recipient, data)


def _known(kinds: type[Word], words: Iterable[str]) -> tuple[list[Word], str]:
    """Return the words that are known, each once, and the others as a text."""
    given = list(dict.fromkeys(words))
    known = [kinds(one) for one in given if one in set(kinds)]
    return known, without_numbers(", ".join(one for one in given if one not in set(kinds)), 500)


def _utc(at: datetime | None, now: datetime) -> datetime:
    try:
        return now if at is None else at.astimezone(UTC)
    except OverflowError:  # in the first or the last hours of the calendar
        return now
