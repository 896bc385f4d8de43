"""A session's timers (SMPP 3.4, 7.2) as one function of its clocks and `now`; reconnect delays."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Timers:
    """How long to wait, in seconds. 0 turns `enquire_link_s` and `inactivity_s` off."""

    session_init_s: float = 5
    """From the connection to the bind, and as long again for the password and for the SMSC."""
    pdu_read_s: float = 10
    """From the first octet of a PDU to its last, at any speed."""
    enquire_link_s: float = 30
    """Silence after which an enquire_link is sent."""
    response_s: float = 30
    """From our request to its answer."""
    inactivity_s: float = 300
    """Time without traffic; enquire_link does not count as traffic."""
    reconnect_max_s: float = 15
    drain_s: float = 15


@dataclass(slots=True)
class Clocks:
    """When things last happened in one session, as monotonic seconds.

    `opened_at` may be set again when a bind has arrived, also to a time to come while the SMSC is
    waited for: the SP has then done its part. `last_traffic_at` moves with every PDU of either
    direction except enquire_link and its response.
    """

    opened_at: float
    last_octets_at: float
    last_traffic_at: float
    partial_since: float | None = None
    enquiry_sent_at: float | None = None
    unbind_sent_at: float | None = None

    @classmethod
    def started(cls, now: float) -> "Clocks":
        """Return the clocks of a session that was opened just now."""
        return cls(opened_at=now, last_octets_at=now, last_traffic_at=now)

    def heard(self, now: float, *, has_whole: bool, has_rest: bool) -> None:
        """Note one read: whether it completed a PDU, and whether it left part of one behind.

        The read timer runs from the first octet of the PDU that is still incomplete. More
        octets of it do not restart it: one octet every nine seconds would hold a session and
        its buffer for a week.
        """
        self.last_octets_at = now
        if not has_rest:
            self.partial_since = None
        elif has_whole or self.partial_since is None:
            self.partial_since = now


class Due(StrEnum):
    """What must happen to a session now."""

    NOTHING = "nothing"
    CLOSE_UNBOUND = "close_unbound"
    CLOSE_PARTIAL = "close_partial"
    CLOSE_SILENT = "close_silent"
    """No sign of life after our enquire_link, or no answer to our unbind."""
    UNBIND_IDLE = "unbind_idle"
    SEND_ENQUIRE_LINK = "send_enquire_link"


def due(timers: Timers, clocks: Clocks, *, is_bound: bool, now: float) -> Due:
    """Return the most urgent action. The call changes nothing and may be repeated at any time.

    The caller notes what it did: `enquiry_sent_at`, `unbind_sent_at`. Any octets after an enquiry
    count as a sign of life, not only its enquire_link_resp: some peers cannot answer one but go on
    submitting (cloudhopper issue 103), and octets prove the link as well. A peer that is both
    silent and unable to answer needs `enquire_link_s` 0.

    After our unbind, only its answer is waited for, `response_s` long.
    """
    if clocks.unbind_sent_at is not None:
        is_overdue = now - clocks.unbind_sent_at >= timers.response_s
        return Due.CLOSE_SILENT if is_overdue else Due.NOTHING
    if not is_bound and now - clocks.opened_at >= timers.session_init_s:
        return Due.CLOSE_UNBOUND
    if clocks.partial_since is not None and now - clocks.partial_since >= timers.pdu_read_s:
        return Due.CLOSE_PARTIAL
    return _due_when_bound(timers, clocks, now) if is_bound else Due.NOTHING


def _due_when_bound(timers: Timers, clocks: Clocks, now: float) -> Due:
    last = clocks.last_octets_at
    asked_at = clocks.enquiry_sent_at if timers.enquire_link_s else None
    if asked_at is not None and last >= asked_at:
        asked_at = None  # any octets are the answer
    if asked_at is not None and now - asked_at >= timers.response_s:
        return Due.CLOSE_SILENT
    if timers.inactivity_s and now - clocks.last_traffic_at >= timers.inactivity_s:
        return Due.UNBIND_IDLE
    is_quiet = 0 < timers.enquire_link_s <= now - last
    return Due.SEND_ENQUIRE_LINK if is_quiet and asked_at is None else Due.NOTHING


FIRST_DELAY_S = 0.1
_MOST_DOUBLINGS = 64


def reconnect_delay_s(attempt: int, maximum_s: float, fraction: float) -> float:
    """Return the wait before `attempt` (0 is the first), doubling from 0.1 s up to `maximum_s`.

    `fraction`, random in [0, 1), shortens the wait by up to half, also at the maximum: hundreds of
    links that were lost together must not come back together.
    """
    doublings = min(attempt, _MOST_DOUBLINGS)
    longest_s = min(maximum_s, FIRST_DELAY_S * 2.0**doublings)
    return longest_s * (1 - fraction / 2)
