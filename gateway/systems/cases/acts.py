"""The rules of each act on a case (派单): the case after it, or why it is refused."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from gateway.domain.categories import lineage_of
from gateway.domain.msisdn import masked_mobiles
from gateway.domain.warning import Severity
from gateway.policy.hours import HolidayCalendar
from gateway.systems.cases.clocks import clock_with_due, clocks_after, clocks_at_opening
from gateway.systems.cases.model import (
    FIRST_MEASURE_YEAR,
    MAX_MEASURES,
    MAX_NOTE_CHARS,
    REOPEN_WITHIN,
    Actor,
    Case,
    CaseAct,
    CaseChange,
    CaseComplaint,
    CaseEntry,
    CaseEscalation,
    CaseFeedback,
    CaseFinding,
    CaseHandover,
    CaseMeasure,
    CaseRefusal,
    CaseState,
    ClockName,
    ClockProfile,
    Recheck,
    state_after,
)

_SEVERITIES = tuple(Severity)
_MAX_READ_CHARS = 4 * MAX_NOTE_CHARS  # masked numbers are shorter than those in groups
_SENT_AGAIN = "it was sent again, and is worked on here"


def apply_act(
    act: CaseAct,
    who: Actor,
    calendar: HolidayCalendar,
    about: str,
    case: Case,
    *,
    effective: datetime | None = None,
) -> CaseChange | CaseRefusal:
    """Return a case after an act that took effect at `effective`, or now."""
    after = state_after(case.state, act)
    if after is None:
        return refuse_act(case, f"{act} is not possible while it is {case.state}")
    clocks = clocks_after(case, act, who.at, calendar, effective or who.at)
    return CaseChange(replace(case, state=after, clocks=clocks), (entry_of(act, who, about),))


def apply_steps(
    case: Case, steps: Sequence[Callable[[Case], CaseChange | CaseRefusal]]
) -> CaseChange | CaseRefusal:
    """Return a case after some steps, the refusal of the first that is refused."""
    entries: list[CaseEntry] = []
    for step in steps:
        change = step(case)
        if isinstance(change, CaseRefusal):
            return change
        case = change.case
        entries += change.entries
    return CaseChange(case, entries)


def accept_first(
    case: Case,
    who: Actor,
    calendar: HolidayCalendar,
    step: Callable[[Case], CaseChange | CaseRefusal],
) -> CaseChange | CaseRefusal:
    """Return a case after a step of its owner, which also accepts it if it is dispatched."""
    if case.state is not CaseState.DISPATCHED:
        return step(case)
    return apply_steps(case, (partial(apply_act, CaseAct.ACCEPT, who, calendar, ""), step))


def closed_at(change: CaseChange | CaseRefusal, at: datetime) -> CaseChange | CaseRefusal:
    """Return a case that an act has ended."""
    if isinstance(change, CaseRefusal):
        return change
    return change._replace(case=replace(change.case, closed_at=at))


def receive_case(
    known: Case | None,
    given: CaseHandover,
    who: Actor,
    calendar: HolidayCalendar,
    acceptor: Actor | None,
) -> CaseChange | CaseRefusal:
    """Return a case that another node sends: a new one, or the `known` one open again."""
    if known is not None and known.state not in (CaseState.CLOSED, CaseState.DISPATCHED):
        # Its origin has ended it and opened it again: it must hear once more that it is taken.
        grown = replace(known, complaints=max(known.complaints, given.complaints))
        return CaseChange(grown, (entry_of(CaseAct.ACCEPT, who._replace(note=_SENT_AGAIN)),))
    opened = None if known is None else reopen_case(known, who, calendar)
    if known is not None and known.state is not CaseState.CLOSED:
        return refuse_act(known, f"{CaseAct.DISPATCH} is not possible while it is {known.state}")
    if not isinstance(opened, CaseChange):  # closed so long ago that it is another case
        profile = ClockProfile.CN_O31
        begun = clocks_at_opening(profile, who.at, calendar)
        severity, state = Severity.GENERAL, CaseState.OPEN
        case = Case(
            *(0, given.subject, given.category, severity, state, profile),
            *(given.front_owner, given.owner, who.at, who.at),
            clocks=begun,
            origin=given.origin,
            subject=given.subject,
        )
        opened = CaseChange(case, (entry_of("open", who, given.front_owner),))
    clocks = tuple(
        replace(one, due=given.due or one.due)
        if one.name is ClockName.FEEDBACK and one.stop is None
        else one
        for one in opened.case.clocks
    )
    case = replace(
        opened.case,
        owner=given.owner,
        sender=given.sender,
        complaints=max(opened.case.complaints, given.complaints),
        clocks=clocks,
    )
    steps = [partial(apply_act, CaseAct.DISPATCH, who, calendar, given.owner)]
    if acceptor is not None:
        steps.append(partial(apply_act, CaseAct.ACCEPT, acceptor, calendar, ""))
    after = apply_steps(case, steps)
    if isinstance(after, CaseRefusal):
        return after
    return after._replace(entries=(*opened.entries, *after.entries))


def open_case(one: CaseComplaint, who: Actor, calendar: HolidayCalendar) -> CaseChange:
    """Return a new case of a complaint."""
    case = Case(
        0,
        one.campaign,
        one.category,
        one.severity,
        CaseState.OPEN,
        one.profile,
        one.front_owner,
        "",
        one.taken_at,
        one.taken_at,
        clocks=clocks_at_opening(one.profile, one.taken_at, calendar),
    )
    return CaseChange(case, (entry_of("open", who, one.front_owner),))


def reopen_case(case: Case, who: Actor, calendar: HolidayCalendar) -> CaseChange | CaseRefusal:
    """Return a closed case that is open again, within 30 days; one that had a finding is graver."""
    moved = apply_act(CaseAct.REOPEN, who, calendar, "", case)
    if isinstance(moved, CaseRefusal):
        return moved
    if case.closed_at is None or who.at - case.closed_at > REOPEN_WITHIN:
        return refuse_act(case, f"it was closed more than {REOPEN_WITHIN.days} days ago")
    higher = min(_SEVERITIES.index(case.severity) + 1, len(_SEVERITIES) - 1)
    is_handed_back = case.finding is None  # nothing was done that did not end it
    # What was found and done before did not end it: the journal keeps that.
    after = replace(
        moved.case,
        severity=case.severity if is_handed_back else _SEVERITIES[higher],
        grown_at=max(case.grown_at, who.at),
        closed_at=None,
        finding=None,
        measures=(),
        evidence="",
        answer="",
        authority="",
        referred_by="",
        hops=0,
        # Who works on it must not get rid of the second look.
        recheck=case.recheck if case.recheck is Recheck.DRAWN else None,
    )
    return moved._replace(case=after)


def draw_case(who: Actor, case: Case) -> CaseChange | CaseRefusal:
    """Return a closed case that is to be looked at again (R85)."""
    if case.state is not CaseState.CLOSED or case.recheck is not None:
        return refuse_act(case, "only a closed case is drawn, and once")
    return CaseChange(replace(case, recheck=Recheck.DRAWN), (entry_of("draw", who),))


def recheck_case(
    result: Recheck, who: Actor, calendar: HolidayCalendar, case: Case
) -> CaseChange | CaseRefusal:
    """Return a drawn case after its second look; one that is reversed in time is open again."""
    if case.state is not CaseState.CLOSED or case.recheck is not Recheck.DRAWN:
        return refuse_act(case, "it is not drawn for a second look")
    entries = [entry_of("recheck", who, result)]
    again = reopen_case(case, who._replace(note=""), calendar)
    if result is Recheck.REVERSED and isinstance(again, CaseChange):
        return CaseChange(replace(again.case, recheck=None), (*entries, *again.entries))
    return CaseChange(replace(case, recheck=result), entries)


def measure_case(
    measure: CaseMeasure, who: Actor, calendar: HolidayCalendar, case: Case
) -> CaseChange | CaseRefusal:
    """Return a case with one more measure; one that it has counts once."""
    if measure in case.measures:
        return CaseChange(case, ())
    if measure.at.year < FIRST_MEASURE_YEAR:
        return refuse_act(case, f"the time of a measure may not be before {FIRST_MEASURE_YEAR}")
    # With the time that is claimed: it stops clocks, and a case that is opened again drops it.
    about = f"{measure.kind} at {measure.at.astimezone(UTC).isoformat(timespec='minutes')}"
    moved = apply_act(CaseAct.MEASURE, who, calendar, about, case)
    if isinstance(moved, CaseRefusal):
        return moved
    if measure.at > who.at:
        return refuse_act(case, "the time of a measure may not be in the future")
    if len(case.measures) >= MAX_MEASURES:
        return refuse_act(case, f"it has {MAX_MEASURES} measures already")
    return moved._replace(case=replace(moved.case, measures=(*case.measures, measure)))


def feed_back(
    case: Case, feedback: CaseFeedback, who: Actor, calendar: HolidayCalendar
) -> CaseChange | CaseRefusal:
    """Take the measures of a feedback, or dismiss the case, then note the feedback."""
    effective = who.at
    steps: list[Callable[[Case], CaseChange | CaseRefusal]] = []
    if feedback.finding is CaseFinding.CONFIRMED:
        if not (feedback.measures or case.measures):
            return _incomplete(case, "a confirmed finding needs a measure and its time")
        if not feedback.evidence:
            return _incomplete(case, "a confirmed finding needs a reference to its evidence")
        effective = max(one.at for one in (*case.measures, *feedback.measures))
        steps += (partial(measure_case, one, who, calendar) for one in feedback.measures)
    elif feedback.measures:
        return _incomplete(case, f"a finding of {feedback.finding} has no measures")
    elif case.state is not CaseState.UNFOUNDED:
        steps.append(partial(apply_act, CaseAct.DISMISS, who, calendar, feedback.finding))
    found = f"{feedback.finding}: {feedback.evidence}" if feedback.evidence else feedback.finding
    steps.append(partial(apply_act, CaseAct.FEEDBACK, who, calendar, found, effective=effective))
    stepped = apply_steps(case, steps)
    if isinstance(stepped, CaseRefusal):
        return refuse_act(case, stepped.why)
    after = replace(
        stepped.case,
        finding=feedback.finding,
        evidence=feedback.evidence,
        system_id=feedback.system_id,
        answer=feedback.answer,
    )
    return stepped._replace(case=after)


def refer_case(
    case: Case, authority: str, who: Actor, calendar: HolidayCalendar
) -> CaseChange | CaseRefusal:
    """Return a case that one more person approves to refer."""
    moved = apply_act(CaseAct.REFER, who, calendar, authority, case)
    if isinstance(moved, CaseRefusal):
        return moved
    if "illegal" not in lineage_of(case.category):
        return refuse_act(case, "only a case of illegal content is referred")
    if (case.authority, case.referred_by) == (authority, who.by):
        return refuse_act(case, "one approver is not enough: another person must approve it")
    if case.authority != authority or not case.referred_by:
        after = replace(case, authority=authority, referred_by=who.by)
        return CaseChange(after, (entry_of("approve", who, authority),))
    after = replace(moved.case, referred_by="", authority=authority)
    return moved._replace(case=after)


def escalate_case(
    case: Case, at: datetime, calendar: HolidayCalendar
) -> tuple[list[CaseEscalation], Case]:
    """Return the clocks that have reached a share of their time, and the case that says so."""
    found: list[CaseEscalation] = []
    clocks = []
    for one in case.clocks:
        clock = clock_with_due(one, case.profile, calendar)
        share = clock.escalation(at)
        if share > clock.escalated:
            found.append(CaseEscalation(case.number, clock.name, share, case.responsible))
            clock = replace(clock, escalated=share)
        clocks.append(clock)
    return found, replace(case, clocks=tuple(clocks))


def entry_of(act: str, who: Actor, about: str = "") -> CaseEntry:
    """Return an entry of the journal; mobile numbers in the note are masked."""
    note = masked_mobiles(who.note[:_MAX_READ_CHARS])[:MAX_NOTE_CHARS]
    return CaseEntry(act, who.by, who.at, note, about)


def refuse_act(case: Case, why: str) -> CaseRefusal:
    """Return why an act is refused."""
    return CaseRefusal(case.number, case.state, why)


def _incomplete(case: Case, why: str) -> CaseRefusal:
    return refuse_act(case, why)._replace(is_incomplete=True)
