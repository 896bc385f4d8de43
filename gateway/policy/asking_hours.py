"""When subscribers may be asked something that no message of theirs caused (R40)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache

from gateway.policy.bundle import RuleLocale
from gateway.policy.calendar import HolidayCalendar
from gateway.policy.places import Zones
from gateway.policy.rules import Rule, Untimely
from gateway.policy.windows import Locality, Window, WindowSet, next_opening


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
    """Return the windows of the first `Untimely` rule that can stop, else the usual hours."""
    for rule in rules:
        if isinstance(rule.check, Untimely) and rule.can_stop:
            zones = Zones(surroundings.zone)
            return AskingHours(rule.check.windows, surroundings.calendar, zones)
    return usual_hours()
