"""When subscribers may be asked what they did not cause by a message of their own (R40)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache

from gateway.policy.bundle import Surroundings
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
        """Return from when on one may be asked, `moment` or later; None for not at all soon."""
        zone = self.zones.zone_of(msisdn)
        return next_opening(self.windows, moment, Locality(zone, self.calendar))

    def local(self, msisdn: int, moment: datetime) -> datetime:
        """Return what the clock of a subscriber shows."""
        return moment.astimezone(self.zones.zone_of(msisdn))


@cache
def usual_hours() -> AskingHours:
    """Return the hours that are usual where no policy says more: 08:00 to 21:00."""
    day = Window(time(8), time(21))
    return AskingHours(WindowSet((day,)), HolidayCalendar("none"), Zones("Asia/Shanghai"))


def asking_hours(rules: Iterable[Rule], surroundings: Surroundings) -> AskingHours:
    """Return the hours of commercial messages where a rule keeps them, else the usual ones."""
    for rule in rules:
        if isinstance(rule.check, Untimely) and rule.can_stop:
            zones = Zones(surroundings.zone)
            return AskingHours(rule.check.windows, surroundings.calendar, zones)
    return usual_hours()
