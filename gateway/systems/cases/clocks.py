"""Time limits of cases: what starts and stops each clock, when it is due, by which source (R83)."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from gateway.policy.hours import HolidayCalendar
from gateway.systems.cases.model import Case, CaseAct, CaseClock, ClockName, ClockProfile

# Working days are days of mainland China, whichever zone the gateway runs in.
ZONE = ZoneInfo("Asia/Shanghai")

_DAY = timedelta(days=1)
# Of a case that is sent on and reopened for ever, the newest clocks are kept.
_MAX_CLOCKS = 50


class TermUnit(StrEnum):
    """What a time limit is counted in: hours and days from the moment, working days as such."""

    HOURS = "h"
    DAYS = "d"
    WORKING_DAYS = "wd"


@dataclass(frozen=True, slots=True)
class ClockTerm:
    """A time limit: `amount` of `unit`, as `source` sets it."""

    amount: int
    unit: TermUnit
    source: str


_ACK = ClockTerm(24, TermUnit.HOURS, "R84, a default of this program")
_TELL_USER = ClockTerm(3, TermUnit.WORKING_DAYS, "N136, first contact owns the answer (首问负责)")

CLOCK_TERMS: dict[ClockProfile, dict[ClockName, ClockTerm]] = {
    ClockProfile.CN_O31: {
        ClockName.FORWARD: ClockTerm(5, TermUnit.WORKING_DAYS, "O31, 12321 forwards"),
        ClockName.FEEDBACK: ClockTerm(15, TermUnit.WORKING_DAYS, "O31, providers feed back"),
        ClockName.ACK: _ACK,
        ClockName.TELL_USER: _TELL_USER,
    },
    ClockProfile.CN_2020: {
        ClockName.FORWARD: ClockTerm(
            3, TermUnit.WORKING_DAYS, "draft of 2020 of new rules for O31"
        ),
        ClockName.FEEDBACK: ClockTerm(
            15, TermUnit.WORKING_DAYS, "draft of 2020 of new rules for O31"
        ),
        ClockName.ACK: _ACK,
        ClockName.TELL_USER: ClockTerm(3, TermUnit.WORKING_DAYS, "draft of 2020, to the reporter"),
    },
    ClockProfile.INTERNAL: {
        ClockName.FIRST_RESPONSE: ClockTerm(24, TermUnit.HOURS, "practice of a carrier (Fujian)"),
        ClockName.ACK: _ACK,
        ClockName.TELL_USER: _TELL_USER,
    },
    ClockProfile.TRAI: {
        ClockName.ACTION: ClockTerm(5, TermUnit.DAYS, "TRAI, TCCCPR"),
        ClockName.ACK: _ACK,
    },
}

# Acts that start a clock, and acts that stop it. Clocks that no act starts run from the moment a
# case is opened, and anew when it is reopened.
CLOCK_STARTS: dict[ClockName, frozenset[CaseAct]] = {
    ClockName.ACK: frozenset({CaseAct.DISPATCH, CaseAct.REDISPATCH, CaseAct.ASSIGN}),
    ClockName.TELL_USER: frozenset({CaseAct.FEEDBACK}),
}
# A redispatch stops the clock of the one before, and starts its own.
CLOCK_STOPS: dict[ClockName, frozenset[CaseAct]] = {
    ClockName.FORWARD: frozenset({CaseAct.DISPATCH, CaseAct.VERIFY}),
    ClockName.FIRST_RESPONSE: frozenset({CaseAct.DISPATCH, CaseAct.VERIFY}),
    ClockName.ACK: frozenset(
        {CaseAct.ACCEPT, CaseAct.REDISPATCH, CaseAct.ARBITRATE, CaseAct.HAND_BACK}
    ),
    ClockName.FEEDBACK: frozenset({CaseAct.FEEDBACK, CaseAct.HAND_BACK}),
    ClockName.ACTION: frozenset({CaseAct.FEEDBACK, CaseAct.HAND_BACK}),
    ClockName.TELL_USER: frozenset({CaseAct.TELL_USER}),
}


def due_after(start: datetime, term: ClockTerm, calendar: HolidayCalendar) -> datetime | None:
    """Return the first moment at which a term that began at `start` is overdue, in UTC.

    Working days count from the next one in Asia/Shanghai, and the last ends at 24:00 there.
    None if that needs the holidays of a year that `calendar` does not know: they are not guessed.
    """
    match term.unit:
        case TermUnit.HOURS:
            return start + timedelta(hours=term.amount)
        case TermUnit.DAYS:
            return start + timedelta(days=term.amount)
        case TermUnit.WORKING_DAYS:
            first = start.astimezone(ZONE).date()
            last = calendar.add_workdays(first, term.amount)
            if not (calendar.covers(first + _DAY) and calendar.covers(last)):
                return None
            return datetime.combine(last + _DAY, time(), ZONE).astimezone(UTC)


def clocks_at_opening(
    profile: ClockProfile, at: datetime, calendar: HolidayCalendar
) -> tuple[CaseClock, ...]:
    """Return the clocks that run from the moment at which a case is opened or reopened."""
    return tuple(
        CaseClock(name, at, due_after(at, term, calendar))
        for name, term in CLOCK_TERMS[profile].items()
        if name not in CLOCK_STARTS
    )


def clocks_after(
    case: Case, act: CaseAct, at: datetime, calendar: HolidayCalendar, stop_at: datetime
) -> tuple[CaseClock, ...]:
    """Return the clocks of a case after an act `at`: some stop at `stop_at`, then others start."""
    stopped = tuple(
        replace(one, stop=max(one.start, stop_at))
        if one.stop is None and act in CLOCK_STOPS[one.name]
        else one
        for one in case.clocks
    )
    if act is CaseAct.REOPEN:
        begun = clocks_at_opening(case.profile, at, calendar)
    else:
        begun = tuple(
            CaseClock(name, at, due_after(at, term, calendar))
            for name, term in CLOCK_TERMS[case.profile].items()
            if act in CLOCK_STARTS.get(name, ())
        )
    return (stopped + begun)[-_MAX_CLOCKS:]


def clock_with_due(clock: CaseClock, profile: ClockProfile, calendar: HolidayCalendar) -> CaseClock:
    """Return a running clock with its due time, if `calendar` knows it now."""
    if clock.due is not None or clock.stop is not None:
        return clock
    return replace(clock, due=due_after(clock.start, CLOCK_TERMS[profile][clock.name], calendar))
