"""One SMPP connection as the data plane sees it, on either side."""

from dataclasses import InitVar, dataclass, field
from itertools import chain, islice

from gateway.policy.submission import Account
from gateway.session.operations import SessionState, Side
from gateway.session.timers import Clocks
from gateway.smpp.status import CommandStatus

_LAST_SEQUENCE = 0x7FFFFFFF
_MAX_LATE = 1000
_STEPS = 20  # seconds until a link that was slowed down has its whole window again, at most
_PATIENCE = 8  # windows answered without an error until one request more is allowed
_FEW = 3  # answers without an error between two refusals of a single request: it still is too much
_QUEUE_FULL = int(CommandStatus.ESME_RMSGQFUL)
_RESERVE = 4  # a quarter of the window of a shared link

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
    smsc: str = ""  # the name of the SMSC at its other end
    account: Account | None = None
    peer: "Link | None" = None
    is_shared: bool = False  # a bind of the gateway's own: what comes on it is for any SP
    clocks: Clocks = field(init=False)
    tail: bytes = b""  # octets not yet processed
    looked: int = 0  # how many of them were looked at while the link was blocked
    is_blocked: bool = False  # requests wait: no room, no bind answer yet, no SMSC
    waits_long: bool = False  # and is blocked, for a long PDU is only judged now and then
    knows_tlvs: bool = False  # its interface_version is 0x34 or later
    is_leaving: bool = (
        False  # we are about to unbind: of an SP new messages are refused, at an SMSC they wait
    )
    wait_until: float = 0.0  # until when requests wait for a lost SMSC
    held: int = 0  # messages and operations that wait for the store
    awaits_commit: bool = False  # requests wait until none is left of these
    submits: int = 0  # messages that were framed, since it was opened
    under_way: int = 0  # requests of this link without an answer, wherever they were written
    own_under_way: int = 0  # requests of the gateway's own on this link without an answer
    # Other shared links that some of its messages go on, with how many of `under_way` are there.
    detours: dict["Link", int] = field(default_factory=dict)
    # Where a blocked session waits for room, if not on its peer; itself where no such link stands.
    awaits: "Link | None" = None
    sharers: dict[str, set["Link"]] = field(default_factory=dict)  # sessions on it, by system_id
    # Those that wait for room on this link, by system_id, who waits longest first; of them those
    # that go on in the next turn, a place of the room is kept for each.
    waiting: dict[str, dict["Link", None]] = field(default_factory=dict)
    called: set["Link"] = field(default_factory=set)
    controls: int = 0  # control PDUs before the bind
    control_due_at: float = 0.0  # when what it had since has been paid for
    allowed: int = field(init=False)  # of the window, while the peer is overloaded
    slowed_at: float = 0.0
    taken: int = 0  # requests answered without an error since `allowed` changed
    sequence: int = 0
    outstanding: dict[int, Outstanding] = field(default_factory=dict)
    late: dict[int, Outstanding] = field(default_factory=dict)

    def __post_init__(self, now: float) -> None:
        self.clocks = Clocks.started(now)
        self.allowed = self.window

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
        if asker is not None:
            asker.under_way += 1
            if self in asker.detours:
                asker.detours[self] += 1
        else:
            self.own_under_way += 1
        return own

    def settle(self, sequence: int) -> Outstanding:
        """Forget a request that has its answer."""
        entry = self.outstanding.pop(sequence)
        if entry[0] is not None:
            entry[0].answered_on(self)
        else:
            self.own_under_way -= 1
        return entry

    def answered_on(self, link: "Link") -> None:
        """Count no more a request of this session that was under way on `link`."""
        self.under_way -= 1
        if link in self.detours:
            self.detours[link] -= 1

    def under_way_on(self, link: "Link") -> int:
        """Return how many requests of this session are under way on a shared link."""
        if link in self.detours:
            return self.detours[link]
        return self.under_way - sum(self.detours.values())

    def give_up(self, sequence: int) -> Outstanding:
        """Forget a request that was not answered in time, but know its late answer."""
        entry = self.settle(sequence)
        if len(self.late) >= _MAX_LATE:
            del self.late[next(iter(self.late))]
        self.late[sequence] = entry
        return entry

    def room(self, claimed: int = 0) -> int:
        """Return how many more of this session's requests may be under way.

        `claimed` requests of this turn are about to be written on the same shared link.
        """
        peer = self.awaits or self.peer
        if self.awaits_commit:
            return 0
        if peer is None:
            return self.window - self.held
        if not peer.is_shared:
            return min(self.window - self.held, peer.allowed) - len(peer.outstanding)
        room = peer.room_for(self.system_id, claimed) + (self in peer.called)
        return min(self.own_room(), room)

    def own_room(self) -> int:
        """Return the room that this session's own window leaves."""
        return 0 if self.awaits_commit else self.window - self.held - self.under_way

    def room_for(self, system_id: str, claimed: int = 0) -> int:
        """Return the room on this shared link for a sender, besides the places kept for sessions.

        Each sender has an equal part. Beyond that it may have what is free, except a reserve
        from which a newcomer is served without waiting for the others' answers.
        """
        free = self.allowed - len(self.outstanding) - claimed - len(self.called)
        part = max(1, self.allowed // max(1, len(self.sharers)))
        sessions = self.sharers.get(system_id, ())
        has = sum(one.under_way_on(self) + (one in self.called) for one in sessions)
        return min(free, max(part - has, free - max(1, self.allowed // _RESERVE)))

    def room_of_own(self) -> int:
        """Return the room for requests of the gateway's own: a quarter, where SPs share the link.

        They do not wait for a place that SPs leave, or a busy SP could keep them out.
        """
        if not self.is_shared:
            return _LAST_SEQUENCE
        quarter = max(1, self.allowed // _RESERVE)
        return min(self.allowed, quarter) - self.own_under_way

    def line_up(self, session: "Link", served: int) -> None:
        """Note whether a session waits for room here, behind the others if it was served now.

        A session with its own window full goes on with its next answer.
        """
        lines, of = self.waiting, session.system_id
        line = lines.pop(of, {}) if served else lines.get(of, {})
        is_here = session.is_blocked and (session.awaits or session.peer) is self
        stands = self.state.can_submit and not self.is_leaving
        awaits_room = is_here and stands and not session.waits_long and session.own_room() > 0
        if served or not awaits_room:
            line.pop(session, None)
        if awaits_room:
            line[session] = None
        if line:
            lines[of] = line
        else:
            lines.pop(of, None)

    def call_up(self) -> set["Link"]:
        """Return who goes on now of those that wait, in their turn."""
        before = set(self.called)
        for system_id, line in self.waiting.items():
            room = self.room_for(system_id)
            ready = (one for one in line if one not in before and one.own_room() > 0)
            self.called.update(islice(ready, max(0, room)))
        return self.called - before

    def share_with(self, session: "Link") -> None:
        """Let a session use this shared link."""
        self.sharers.setdefault(session.system_id, set()).add(session)

    def part(self, session: "Link") -> None:
        """Take a session that has ended from this shared link, once nothing of it is under way.

        Until then it counts for its sender, which could have the whole window by binding anew.
        """
        self.called.discard(session)
        session.is_blocked = False
        self.line_up(session, served=0)
        sessions = self.sharers.get(session.system_id, set())
        if not session.under_way_on(self):
            sessions.discard(session)
        if not sessions:
            self.sharers.pop(session.system_id, None)

    def forget_gone(self) -> None:
        """Take from this shared link the sessions that have ended."""
        of_all = chain.from_iterable(self.sharers.values())
        for session in [one for one in of_all if one.state is SessionState.CLOSED]:
            self.part(session)

    def slow_down(self, status: int, sent_at: float, now: float) -> None:
        """Halve what may be under way: the peer said that a request `sent_at` was too much.

        Those that were sent before the last halving say nothing new. If one alone is again and
        again too much, none is left until `recover`. On a shared link a full queue is a matter of
        one SP's addressee, and few under way may be of one SP alone.
        """
        if sent_at < self.slowed_at or (self.is_shared and status == _QUEUE_FULL):
            return
        self.slowed_at = now
        most = self.allowed if self.is_shared else min(self.allowed, len(self.outstanding))
        is_too_much = self.allowed <= 1 and self.taken < _FEW
        self._allow(0 if is_too_much else max(1, most // 2))

    def hasten(self, taken: int) -> None:
        """Allow one more where slowed down and `taken` more requests had no error.

        An SMSC that refuses some at any speed is not slowed down to a crawl by it.
        """
        self.taken += taken
        if self.allowed and self.taken >= _PATIENCE * self.allowed:
            self._allow(self.allowed + 1)

    def recover(self) -> None:
        """Allow a little more again, after none one; to be called about once a second."""
        self._allow(self.allowed + (max(1, self.window // _STEPS) if self.allowed else 1))

    def _allow(self, count: int) -> None:
        self.allowed, self.taken = min(self.window, count), 0
