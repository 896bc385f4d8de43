"""What the log and the records tell of peers that have not bound: a bounded part of it."""

import structlog

from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.records import Records
from gateway.session.event_quota import EventQuota, EventRepeats

log = structlog.get_logger()

# Lines a minute of single events, and as many of counts. A line has some 250 octets.
STRANGERS_ROWS = 32
# Who proved a password and was refused all the same: its operator asks why, so it has rows that
# strangers can not take.
SENDERS_ROWS = 64


class StrangerLog:
    """Logs the first event of each kind and address in a minute, and once a minute the counts.

    Refused binds stand in the records likewise, one for each that is logged and one for each count.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._strangers = EventQuota(STRANGERS_ROWS)
        self._senders = EventQuota(SENDERS_ROWS)

    def closed(self, reason: str, address: str, system_id: str = "") -> None:
        """Tell that a connection was closed before its bind; `reason` is of a closed list."""
        if self._strangers.admits("esme.closed", reason, address, monotonic()):
            log.warning("esme.closed", system_id=system_id, address=address, reason=reason)

    def refused(self, reason: str, address: str, system_id: str, *, has_proved: bool) -> None:
        """Tell that a bind was refused; `has_proved` says whether its password was right."""
        quota = self._senders if has_proved else self._strangers
        if not quota.admits("esme.refused", reason, address, monotonic(), system_id):
            return
        about = {"system_id": system_id, "address": address, "reason": reason}
        log.warning("esme.refused", **about)
        if reason != "locked":
            self._records.rows.append(("e", epoch(), "refused", about))

    def summarise(self, now: float) -> None:
        """Tell what was only counted, once a minute; to be called each second or so."""
        for quota in (self._strangers, self._senders):
            for one in quota.repeated(now):
                self._tell(one)

    def _tell(self, one: EventRepeats) -> None:
        about = {
            "system_id": one.system_id,
            "address": one.origin or "others",
            "reason": one.reason,
            "count": one.times,
        }
        log.warning("esme.repeated", of=one.event, **about)
        if one.event == "esme.refused" and one.reason != "locked":
            self._records.rows.append(("e", epoch(), "refused", about))
