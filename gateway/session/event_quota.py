"""Which events caused by strangers are reported one by one, and which only as a count."""

from collections import Counter
from typing import NamedTuple

from gateway.session.addresses import origin_of

MINUTE_S = 60.0


class EventRepeats(NamedTuple):
    """How often an event came in a minute besides the reported one, or from other addresses.

    `origin` and `system_id` are empty for events without a row of their own.
    """

    event: str
    reason: str
    origin: str
    system_id: str
    times: int


class EventQuota:
    """Lets one event of each kind, address and system_id be reported a minute, at most `rows`.

    The others are counted; `repeated` returns the counts once the minute is over. So a minute has
    at most `rows` lines of single events, as many of counts, and one line more for each kind.
    Strangers cannot exceed this. Kinds (event and reason) are a closed list of the caller; an IPv6
    address counts as its /64. `now` is in monotonic seconds.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._others: Counter[tuple[str, str]] = Counter()
        self._began = 0.0

    def admits(
        self, event: str, reason: str, address: str, now: float, system_id: str = ""
    ) -> bool:
        """Count an event; tell whether it is the first of its kind, address and system_id."""
        if not self._counts and not self._others:
            self._began = now
        key = (event, reason, origin_of(address), system_id)
        if key in self._counts:
            self._counts[key] += 1
        elif len(self._counts) < self._rows:
            self._counts[key] = 1
            return True
        else:
            self._others[event, reason] += 1
        return False

    def repeated(self, now: float) -> list[EventRepeats]:
        """Return the counts once a minute is over, and begin another minute."""
        if now - self._began < MINUTE_S:
            return []
        found = [EventRepeats(*key, count - 1) for key, count in self._counts.items() if count > 1]
        found += [EventRepeats(*kind, "", "", count) for kind, count in self._others.items()]
        self._counts.clear()
        self._others.clear()
        return found
