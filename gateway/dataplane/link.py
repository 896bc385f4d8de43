"""One SMPP connection as the data plane sees it, on either side."""

from dataclasses import InitVar, dataclass, field

from gateway.policy.submission import Account
from gateway.session.operations import SessionState, Side
from gateway.session.timers import Clocks

_LAST_SEQUENCE = 0x7FFFFFFF
_MAX_LATE = 1000

# Who asked, with which sequence_number and command_id, when it was passed on, and what
# must be known when the answer comes (a submit_multi's refused destinations, or the
# gateway's own context). A plain tuple: it is made once per message.
Outstanding = tuple["Link | None", int, int, float, object]


@dataclass(slots=True, eq=False, repr=False)
class Link:
    """A connection's state, its unread octets, and the requests written to it.

    `outstanding` is keyed by the sequence_number that we gave the request on this link and
    is in order of writing. A number is not given again while it is outstanding, so an
    answer that is late, doubled or invented finds nothing (PEERS pains 8 and 9).
    """

    number: int
    side: Side
    window: int
    now: InitVar[float]
    state: SessionState = SessionState.OPEN
    system_id: str = ""
    account: Account | None = None
    peer: "Link | None" = None
    clocks: Clocks = field(init=False)
    tail: bytes = b""  # octets not yet processed
    looked: int = 0  # how many of them were looked at while the link was blocked
    is_blocked: bool = False  # requests wait: no room, no bind answer yet, no SMSC
    waits_long: bool = False  # and is blocked, for a long PDU is only judged now and then
    is_leaving: bool = False  # we are about to unbind: new messages are refused
    wait_until: float = 0.0  # until when requests wait for a lost SMSC
    held: int = 0  # messages waiting for the quarantine's commit
    controls: int = 0  # control PDUs before the bind
    control_due_at: float = 0.0  # when what it had since has been paid for
    sequence: int = 0
    outstanding: dict[int, Outstanding] = field(default_factory=dict)
    late: dict[int, Outstanding] = field(default_factory=dict)

    def __post_init__(self, now: float) -> None:
        self.clocks = Clocks.started(now)

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
