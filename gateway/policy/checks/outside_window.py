"""When a message may arrive, in its recipient's time (R40, R41)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from gateway.domain.detector import Measure
from gateway.domain.verdict import Action, Basis, ReasonCode, Waiver
from gateway.policy.bundle import Rule
from gateway.policy.check import CheckQuestion, Evidence, RecipientCheck
from gateway.policy.hours import (
    HolidayCalendar,
    Locality,
    RuleLocale,
    Window,
    WindowSet,
    next_opening,
    open_for,
)
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import Zones
from gateway.policy.submission import DeliveryTimes, Submission

_CLOSED = Evidence("outside the hours in which it may arrive", zh="不在允许接收的时段")
_TOO_LATE = Evidence(
    "no hours in which it may arrive while it is valid",
    action=Action.REJECT,
    zh="有效期内没有允许接收的时段",
)
# schedule_delivery_time is forwarded unchanged: only the sender can choose another.
_MISSCHEDULED = Evidence(
    "scheduled outside the hours in which it may arrive",
    action=Action.REJECT,
    zh="定时在不允许接收的时段",
)
# The SMSC may understand a schedule that we do not, and deliver then.
_UNCLEAR = Evidence(
    "scheduled for no moment that can be read", action=Action.REJECT, zh="定时时间无法解读"
)
_NO_TIMING = DeliveryTimes()

_MAINLAND = 86
_SUBSCRIBER_DIGITS = 10**11
# Scatters neighbouring numbers, and always gives one number the same place, so that the parts of a
# long message leave together.
_SCATTER, _SCATTERED = 2_654_435_761, 2**32
_NEARLY_ALL = 1 - 2**-32


@dataclass(frozen=True, slots=True)
class OutsideWindow(RecipientCheck):
    """The message would arrive at other hours, in the recipient's time, than `open` (R40, R41).

    With the action defer it waits for the next opening, spread over `jitter` after it.
    """

    reason = ReasonCode(
        "OUTSIDE_WINDOW",
        Basis.RECIPIENT,
        "ESME_RINVSCHED",
        cmpp="0x426",
        waiver=Waiver.NEVER,
        measure=Measure.AT_NIGHT,
    )
    order = 70
    formerly = "untimely"
    allowed_actions = (Action.REJECT, Action.QUARANTINE, Action.DEFER)
    help = {
        "open": 'When messages may arrive, by the recipient\'s clock: "08:00-21:00", in quotes.',
        "jitter": 'Over how long deferred messages are strewn after the opening, as "30m".',
    }

    open: WindowSet
    jitter: timedelta | None = None

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        hours = _Hours(self, locale)
        return CheckQuestion(hours.ask, hours.sieve)


class _Hours:
    """Asks whether the windows are open where the recipient lives.

    The state of the windows is computed once a second for each zone, and the next opening once
    until it comes: a tick is full of messages, and each search takes 25 us.
    """

    def __init__(self, check: OutsideWindow, locale: RuleLocale) -> None:
        self._windows, self._jitter = check.open, check.jitter or timedelta()
        self._calendar = locale.calendar
        self._zones = Zones(locale.zone)
        self._mainland = self._zones.zone_of(_MAINLAND * _SUBSCRIBER_DIGITS + 13_800_000_000)
        self._second = -1
        self._open_at = -1.0  # a moment at which the mainland may be written to
        self._open: dict[ZoneInfo, bool] = {}
        self._openings: dict[ZoneInfo, _NextOpening] = {}

    def ask(self, submission: Submission, at: float) -> Evidence | None:
        """Return the evidence against arrival now; note in the submission when it could leave."""
        number, timing = submission.msisdn, submission.timing
        if timing is not None and timing.is_unclear:
            return _UNCLEAR
        if number is None:
            return self._rescheduled((timing or _NO_TIMING).scheduled_at, at)
        is_mainland = number // _SUBSCRIBER_DIGITS == _MAINLAND
        if is_mainland and timing is None and at == self._open_at:
            return None  # as for the message before: nearly all of a tick
        zone = self._mainland if is_mainland else self._zones.zone_of(number)
        return self._judge(submission, zone, timing or _NO_TIMING, at)

    def sieve(self, submissions: Sequence[Submission], at: float) -> Sequence[Submission]:
        """Pass all messages except immediate ones to the mainland while its windows are open."""
        if at != self._open_at and not self._is_open_now(at, self._mainland):
            return submissions
        return [
            one
            for one in submissions
            if one.timing is not None
            or (number := one.msisdn) is None
            or number // _SUBSCRIBER_DIGITS != _MAINLAND
        ]

    def _judge(
        self, submission: Submission, zone: ZoneInfo, timing: DeliveryTimes, at: float
    ) -> Evidence | None:
        if timing.scheduled_at is not None and timing.scheduled_at > at:
            return None if self._is_open_at(timing.scheduled_at, zone) else _MISSCHEDULED
        if self._is_open_now(at, zone):
            if zone is self._mainland:
                self._open_at = at
            return None
        opening = self._opening_after(at, zone)
        if opening is None:
            return _TOO_LATE
        lasts_s = opening.lasts_s
        if timing.valid_until is not None:
            if timing.valid_until <= opening.at:
                return _TOO_LATE
            lasts_s = min(lasts_s, timing.valid_until - opening.at)
        share = (submission.msisdn or 0) * _SCATTER % _SCATTERED / _SCATTERED
        submission.due = opening.at + int(lasts_s * share)
        return _CLOSED

    def _rescheduled(self, scheduled_at: float | None, at: float) -> Evidence | None:
        """Judge the new hour of a replace_sm; only the SMSC knows its recipient.

        Without a new hour the message keeps its own, for which it was judged.
        """
        if scheduled_at is None or self._is_open_at(max(at, scheduled_at), self._zones.default):
            return None
        return _MISSCHEDULED

    def _opening_after(self, at: float, zone: ZoneInfo) -> "_NextOpening | None":
        known = self._openings.get(zone)
        if known is not None and known.asked_at <= at < known.at:
            return known
        where, moment = Locality(zone, self._calendar), datetime.fromtimestamp(at, UTC)
        opens = next_opening(self._windows, moment, where)
        if opens is None:
            return None
        lasts = open_for(self._windows, opens, self._jitter, where)
        found = _NextOpening(at, opens.timestamp(), lasts.total_seconds() * _NEARLY_ALL)
        self._openings[zone] = found
        return found

    def _is_open_now(self, at: float, zone: ZoneInfo) -> bool:
        second = int(at)
        if second != self._second:
            self._second = second
            self._open.clear()
        is_open = self._open.get(zone)
        if is_open is None:
            is_open = self._open[zone] = self._is_open_at(at, zone)
        return is_open

    def _is_open_at(self, at: float, zone: ZoneInfo) -> bool:
        return self._windows.judge(datetime.fromtimestamp(at, zone), self._calendar)


@dataclass(frozen=True, slots=True)
class _NextOpening:
    """The next opening, computed at `asked_at`, and over how long messages are spread then."""

    asked_at: float
    at: float
    lasts_s: float


@dataclass(frozen=True, slots=True)
class AskingHours:
    """The windows, and where subscribers live."""

    windows: WindowSet
    calendar: HolidayCalendar
    zones: Zones

    def opening(self, msisdn: int, moment: datetime) -> datetime | None:
        """Return when one may be asked, `moment` or later; None if not within the search time."""
        zone = self.zones.zone_of(msisdn)
        return next_opening(self.windows, moment, Locality(zone, self.calendar))

    def local(self, msisdn: int, moment: datetime) -> datetime:
        """Return the local time of a subscriber."""
        return moment.astimezone(self.zones.zone_of(msisdn))


@cache
def usual_hours() -> AskingHours:
    """Return the hours that hold if no policy says more: 08:00 to 21:00."""
    day = Window(time(8), time(21))
    return AskingHours(WindowSet((day,)), HolidayCalendar("none"), Zones("Asia/Shanghai"))


def asking_hours(rules: Iterable[Rule], surroundings: RuleLocale) -> AskingHours:
    """Return the windows of the first `OutsideWindow` rule that can stop, else the usual hours."""
    for rule in rules:
        if isinstance(rule.check, OutsideWindow) and rule.can_stop:
            zones = Zones(surroundings.zone)
            return AskingHours(rule.check.open, surroundings.calendar, zones)
    return usual_hours()
