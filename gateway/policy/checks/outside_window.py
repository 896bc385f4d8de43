"""When a message may arrive, in its recipient's time (R40, R41)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway.domain.verdict import Action
from gateway.policy.bundle import RuleLocale
from gateway.policy.evidence import Evidence
from gateway.policy.places import Zones
from gateway.policy.rules import Untimely
from gateway.policy.submission import DeliveryTimes, Submission
from gateway.policy.windows import Jitter, Locality, next_opening

_CLOSED = Evidence("outside the hours in which it may arrive")
_TOO_LATE = Evidence("no hours in which it may arrive while it is valid", action=Action.REJECT)
# schedule_delivery_time is forwarded unchanged: only the sender can choose another.
_MISSCHEDULED = Evidence("scheduled outside the hours in which it may arrive", action=Action.REJECT)
# The SMSC may understand a schedule that we do not, and deliver then.
_UNCLEAR = Evidence("scheduled for no moment that can be read", action=Action.REJECT)
_NO_TIMING = DeliveryTimes()

_MAINLAND = 86
_SUBSCRIBER_DIGITS = 10**11
# Scatters neighbouring numbers, and always gives one number the same place, so that the parts of a
# long message leave together.
_SCATTER, _SCATTERED = 2_654_435_761, 2**32
_NEARLY_ALL = 1 - 2**-32


class Hours:
    """Asks whether the windows are open where the recipient lives.

    The state of the windows is computed once a second for each zone, and the next opening once
    until it comes: a tick is full of messages, and each search takes 25 us.
    """

    __slots__ = (
        "_calendar",
        "_check",
        "_mainland",
        "_open",
        "_open_at",
        "_openings",
        "_second",
        "_zones",
    )

    def __init__(self, check: Untimely, surroundings: RuleLocale) -> None:
        self._check = check
        self._calendar = surroundings.calendar
        self._zones = Zones(surroundings.zone)
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
        opens = next_opening(self._check.windows, moment, where)
        if opens is None:
            return None
        strewn = Jitter(_NEARLY_ALL, self._check.jitter)
        last = next_opening(self._check.windows, moment, where, strewn) or opens
        found = _NextOpening(at, opens.timestamp(), (last - opens).total_seconds())
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
        return self._check.windows.judge(datetime.fromtimestamp(at, zone), self._calendar)


@dataclass(frozen=True, slots=True)
class _NextOpening:
    """The next opening, computed at `asked_at`, and over how long messages are spread then."""

    asked_at: float
    at: float
    lasts_s: float
