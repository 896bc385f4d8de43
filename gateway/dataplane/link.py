"""One SMPP connection as the data plane sees it, on either side."""

from gateway.policy.submission import Account
from gateway.session.operations import SessionState, Side
from gateway.session.timers import Clocks

_LAST_SEQUENCE = 0x7FFFFFFF
_MAX_LATE = 1000

# Who asked, with which sequence_number and command_id, when it was passed on, and what
# must be known when the answer comes (a submit_multi's refused destinations, or the
# gateway's own context). A plain tuple: it is made once per message.
Outstanding = tuple["Link | None", int, int, float, object]


class Link:
    """A connection's state, its unread octets, and the requests written to it.

    `outstanding` is keyed by the sequence_number that we gave the request on this link and
    is in order of writing. A number is not given again while it is outstanding, so an
    answer that is late, doubled or invented finds nothing (PEERS pains 8 and 9).
    """

    __slots__ = (
        "account",
        "clocks",
        "control_due_at",
        "controls",
        "held",
        "is_blocked",
        "is_leaving",
        "late",
        "looked",
        "number",
        "outstanding",
        "peer",
        "sequence",
        "side",
        "state",
        "system_id",
        "tail",
        "wait_until",
        "waits_long",
        "window",
    )

    def __init__(self, number: int, side: Side, window: int, now: float) -> None:
        self.number = number
        self.side = side
        self.window = window
        self.state = SessionState.OPEN
        self.system_id = ""
        self.account: Account | None = None
        self.peer: Link | None = None
        self.clocks = Clocks.started(now)
        self.tail = b""  # octets not yet processed
        self.looked = 0  # how many of them were looked at while the link was blocked
        self.is_blocked = False  # requests wait: no room, no bind answer yet, no SMSC
        self.waits_long = False  # and is blocked, for a long PDU is only judged now and then
        self.is_leaving = False  # we are about to unbind: new messages are refused
        self.wait_until = 0.0  # until when requests wait for a lost SMSC
        self.held = 0  # messages waiting for the quarantine's commit
        self.controls = 0  # control PDUs before the bind
        self.control_due_at = 0.0  # when what it had since has been paid for
        self.sequence = 0
        self.outstanding: dict[int, Outstanding] = {}
        self.late: dict[int, Outstanding] = {}

    def next_sequence(self) -> int:
        """Return the next free sequence_number, 1 to 0x7FFFFFFF (SMPP 3.4, 3.2)."""
        sequence = self.sequence % _LAST_SEQUENCE + 1
        while sequence in self.outstanding:
            sequence = sequence % _LAST_SEQUENCE + 1
        self.sequence = sequence
        return sequence

    def register(
        self, asker: "Link | None", sequence: int, command_id: int, now: float, context: object
    ) -> int:
        """Note a request before it is written, and return the number it gets here."""
        own = self.next_sequence()
        self.outstanding[own] = (asker, sequence, command_id, now, context)
        return own

    def give_up(self, sequence: int) -> Outstanding:
        """Forget a request that was not answered in time, but know its late answer."""
        entry = self.outstanding.pop(sequence)
        if len(self.late) >= _MAX_LATE:
            del self.late[next(iter(self.late))]
        self.late[sequence] = entry
        return entry

    def room(self) -> int:
        """Return how many more of this session's requests may be under way."""
        peer = self.peer
        return self.window - self.held - (len(peer.outstanding) if peer is not None else 0)
