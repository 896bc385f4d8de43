"""One tick: all octets read in a turn of the loop, in fair shares, a few milliseconds at a time."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush

import structlog

from gateway.dataplane.attention import Attention, ProhibitedMessage
from gateway.dataplane.link import Link
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.plane import Batch
from gateway.proxy.connection import MOST_OCTETS, Connection, Pause, ReadShare
from gateway.records.writer import Records
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.snapshot import Histogram
from gateway.session.operations import SessionState, Side

# A tick works so long before the loop serves everything else: sockets, the change feed, commits,
# probes. Half as much costs 5 % more for each message, twice as much delays a light sender.
TICK_S = 0.003
# However dear the texts: some dozen messages at once.
_LEAST_OCTETS = 2 * 1024
_MOST_OCTETS = 128 * 1024
# Of a smaller tick most is spent on beginning and ending it, which says nothing of octets.
_TELLING_OCTETS = 1024
_NEWEST = 0.2


class Pace:
    """Learns from the last ticks how many octets take TICK_S.

    `octets` is what the next tick may work on: 2 to 128 KiB. A text seen before costs a tenth
    of a new one, so the figure follows the traffic.
    """

    __slots__ = ("_s_per_octet", "octets")

    def __init__(self) -> None:
        self.octets = 40 * 1024
        self._s_per_octet = TICK_S / self.octets

    def learn(self, octets: int, took_s: float) -> None:
        """Take over that a tick of `octets` took `took_s` seconds."""
        if octets < _TELLING_OCTETS:
            return
        self._s_per_octet += _NEWEST * (took_s / octets - self._s_per_octet)
        fitting = TICK_S / max(self._s_per_octet, TICK_S / _MOST_OCTETS)
        self.octets = max(_LEAST_OCTETS, min(_MOST_OCTETS, int(fitting)))


# What a session costs beside its octets: it is framed, judged and answered.
_TURN_OCTETS = 64
# What a message takes about, where the octets that wait say nothing of how many may go on.
_MESSAGE_OCTETS = 160


class FairQueue:
    """Octets of many sessions, given out a bounded amount at a time.

    While everything fits into one turn, all of it is given out. When it does not, the sender
    that was served least is served first, session by session (start-time fair queueing: Goyal,
    Vin and Cheng, 1996). A sender that was idle starts level with the others, so that a light
    sender waits for the rest of one turn, however many sessions the heavy ones have open.
    Sessions that have not bound are one sender together.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Link, bytes]] = {}
        self._sender_of: dict[Link, str] = {}
        self._served: dict[str, float] = {}  # sender: octets served, from a common start
        self._level = 0.0

    def __len__(self) -> int:
        return len(self._sender_of)

    def __contains__(self, link: Link) -> bool:
        return link in self._sender_of

    def add(self, link: Link, octets: bytes) -> None:
        """Put octets behind what waits of `link`; none at all ask for its turn alone."""
        sender = self._sender_of.get(link)
        if sender is not None:
            waiting = self._waiting[sender]
            before = waiting[link]
            waiting[link] = before + octets if before else octets
            return
        sender = self._sender_of[link] = link.system_id
        waiting = self._waiting.setdefault(sender, {})
        waiting[link] = octets

    def remove(self, link: Link) -> bytes | None:
        """Take out what waits of one session; None if it is not here."""
        sender = self._sender_of.pop(link, None)
        if sender is None:
            return None
        waiting = self._waiting[sender]
        octets = waiting.pop(link)
        if not waiting:
            del self._waiting[sender]
        return octets

    def take(self, most_octets: int) -> tuple[dict[Link, bytes], int]:
        """Return what the next turn works on, and how many octets that is about.

        It is one session at least and goes past `most_octets` by less than one session.
        """
        total = 0
        for waiting in self._waiting.values():
            for link, octets in waiting.items():
                total += _cost_of(link, octets)
            if total > most_octets:
                return self._take_fairly(most_octets)
        taken: dict[Link, bytes] = {}
        for waiting in self._waiting.values():
            taken.update(waiting)
        self._waiting, self._sender_of, self._served, self._level = {}, {}, {}, 0.0
        return taken, total

    def _take_fairly(self, most_octets: int) -> tuple[dict[Link, bytes], int]:
        served, level = self._served, self._level
        order = [(max(served.get(sender, level), level), sender) for sender in self._waiting]
        heapify(order)
        taken: dict[Link, bytes] = {}
        total = 0
        while order and total < most_octets:
            level, sender = heappop(order)
            waiting = self._waiting[sender]
            link = next(iter(waiting))
            taken[link] = octets = waiting.pop(link)
            del self._sender_of[link]
            cost = _cost_of(link, octets)
            total += cost
            served[sender] = level + cost
            if waiting:
                heappush(order, (level + cost, sender))
            else:
                del self._waiting[sender]
        self._level = level
        # Who is not ahead of the level starts level: nothing needs to be known of it.
        self._served = {sender: at for sender, at in served.items() if at > level}
        return taken, total


def _cost_of(link: Link, octets: bytes) -> int:
    """Return about how many octets are worked on when `link` has its turn."""
    rest = len(link.tail)
    if link.is_blocked:  # of what waits for room, as much goes on as there is room for
        rest = min(rest, _MESSAGE_OCTETS * max(0, link.room()))
    return _TURN_OCTETS + min(MOST_OCTETS, rest + len(octets))


log = structlog.get_logger()

# After a request that took 0.1 s no other long one is judged for 0.3 s.
_REST = 3
# How much is read ahead from a session with a full window, so that its enquire_link and answers
# are still handled; the rest waits in its socket.
_LOOK_AHEAD_OCTETS = 64 * 1024
_ESME = Side.ESME  # in Python 3.11 a look-up on the enum class is slow
# How often to check again whether requests may be judged that wait for current consent data.
_WAIT_S = 0.005

Work = Callable[[Iterable[tuple[Link, bytes]], float, float], Batch]


class LongRequests:
    """Queues sessions with a long next request; takes one at a time, the senders in turn.

    Long requests use at most a quarter of the time, so that short ones are hardly delayed. A
    waiting session is read no further than one with a full window; no request is rejected. A
    request that takes no longer than one tick causes no wait.
    """

    def __init__(self) -> None:
        self._waiting = FairQueue()
        self._due_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, link: Link) -> None:
        """Queue a session, behind other sessions of the same sender."""
        self._waiting.add(link, b"")

    def remove(self, link: Link) -> None:
        """Forget a session that is gone, if it is here."""
        self._waiting.remove(link)

    def due_in(self, now: float) -> float:
        """Return the seconds until the next may be judged, 0 for now."""
        return max(0.0, self._due_at - now)

    def judged(self, now: float, took_s: float) -> None:
        """Note that a long request was judged, ending at `now`, in `took_s` seconds."""
        self._due_at = now + (_REST * took_s if took_s > TICK_S else 0.0)

    def take(self) -> Link:
        """Remove and return the next session."""
        ((link, _),) = self._waiting.take(1)[0].items()
        return link


class Tick:
    """Gathers the octets of all connections and runs the pipeline on them, once in a loop turn.

    A tick works for a few milliseconds, then the loop serves everything else. The rest is for
    the next turn, shared fairly between senders. A session that waits for its turn is not read,
    so that overload fills the windows of SPs and rejects nothing.
    """

    def __init__(self, pipeline: Pipeline, records: Records) -> None:
        self.pipeline = pipeline
        self.records = records
        self.connections: dict[Link, Connection] = {}
        self.attend: Callable[[Attention], None] = _unattended
        self.report: Callable[[ProhibitedMessage], None] = _unattended
        self.forget: Callable[[Connection], None] = lambda _connection: None
        self.turned: Callable[[], None] = lambda: None
        self.is_disk_full: Callable[[], bool] = bool  # where the records are
        self.share = ReadShare()
        self.pace = Pace()
        self.failures = 0
        self.turn_us = Histogram()
        self._from_esme = FairQueue()
        self._from_smsc: dict[Link, bytes] = {}
        self._long = LongRequests()
        self._long_timer: asyncio.TimerHandle | None = None
        self._budgeted: dict[Link, Connection] = {}
        self._is_due = False
        self._loop = asyncio.get_running_loop()

    def add(self, connection: Connection) -> None:
        """Register a connection."""
        self.connections[connection.link] = connection

    def received(self, connection: Connection, octets: bytes) -> None:
        """Queue octets of a connection; they are processed at the end of this loop turn."""
        self._budgeted[connection.link] = connection
        self._take(connection.link, octets)

    def resume(self, links: Iterable[Link]) -> None:
        """Process again what waits in `links`, in the next turn at the latest."""
        for link in links:
            self._take(link, b"")

    def turn_round(self, link: Link) -> None:
        """Take what comes on a link that a peer has opened for an SMSC's from now on."""
        octets, link.side = self._from_esme.remove(link), Side.SMSC
        self._take(link, octets or b"")

    def settled(self, session: Link) -> None:
        """Resume an SP answered between two turns, if requests or its unbind wait."""
        if session.is_blocked or session.state is SessionState.UNBINDING:
            self.resume((session,))

    def lost(self, connection: Connection) -> None:
        """Answer the requests of a lost connection, after processing what it sent before."""
        link = connection.link
        self._work_off(link)
        self._long.remove(link)
        self._budgeted.pop(link, None)
        if self.connections.pop(link, None) is None:
            return
        other = self.connections.get(link.peer) if link.peer is not None else None
        if other is not None:  # it is paused until the lost peer reads, which never happens
            other.resume(Pause.PEER)
        self.out(self.pipeline.lose(link, monotonic(), epoch()))
        self.forget(connection)

    def slowed(self, connection: Connection, *, is_slow: bool) -> None:
        """Stop reading a peer that does not read, and its other side; or resume both."""
        connection.unread_since = monotonic() if is_slow else None
        peer = connection.link.peer
        # A shared one is read on: it is other SPs' too, and what it brings is bounded by windows.
        other = self.connections.get(peer) if peer is not None and not peer.is_shared else None
        if is_slow:
            connection.pause(Pause.UNREAD)
        else:
            connection.resume(Pause.UNREAD)
        if other is not None and is_slow:
            other.pause(Pause.PEER)
        elif other is not None:
            other.resume(Pause.PEER)

    def out(self, batch: Batch) -> None:
        """Write the octets of a batch, record its rows, then handle its events."""
        connections = self.connections
        for link, octets in batch.writes.items():
            connection = connections.get(link)
            if connection is not None:
                connection.write(octets[0] if len(octets) == 1 else b"".join(octets))
        if batch.rows:
            self.records.rows.extend(batch.rows)
        for item in batch.attention:
            self.attend(item)
        for prohibited in batch.prohibited:
            self.report(prohibited)
        if batch.freed:
            self.resume(batch.freed)

    def _take(self, link: Link, octets: bytes) -> None:
        if link.side is _ESME:
            self._from_esme.add(link, octets)
        else:
            before = self._from_smsc.get(link)
            self._from_smsc[link] = before + octets if before else octets
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._run)

    def _work_off(self, link: Link) -> None:
        """Process what a lost link sent before."""
        answers, requests = self._from_smsc.pop(link, None), self._from_esme.remove(link)
        now = monotonic()
        if answers is not None:
            self._guarded(self.pipeline.resp, {link: answers}, now)
        elif requests is not None and not self._must_wait(now):
            self._guarded(self.pipeline.submit, {link: requests}, now)

    def _must_wait(self, now: float) -> bool:
        """Tell whether requests must wait because the gateway itself is late.

        Consent data older than a second may have changed (R31), and a message that cannot be
        recorded must not pass. While the delay is our own, requests wait and are not rejected.
        """
        consent = self.pipeline.plane.rules.knowledge.consent
        return (consent.is_current and consent.is_behind(now)) or self.records.is_behind(now)

    def _guarded(self, work: Work, chunks: Mapping[Link, bytes], now: float) -> None:
        try:
            self.out(work(chunks.items(), now, epoch()))
        except Exception:  # the tick's edge
            # A fault of the gateway: it is unknown which messages were sent, so no answer is
            # written. The sessions are aborted, and their SPs bind again.
            self.failures += 1
            log.exception("tick.failed")
            for link in chunks:
                if link in self.connections:
                    self.connections[link].abort()

    def _run(self) -> None:
        self._is_due = False
        began = monotonic()
        self.pipeline.plane.is_overloaded = self.records.is_full or self.is_disk_full()
        # Answers first: they free the window that requests wait for.
        from_smsc, self._from_smsc = self._from_smsc, {}
        if from_smsc:
            self._guarded(self.pipeline.resp, from_smsc, began)
        from_esme: Mapping[Link, bytes] = {}
        now = monotonic()  # answers took time: data that was current then may not be now
        is_waiting = len(self._from_esme) > 0 and self._must_wait(now)
        if len(self._from_esme) and not is_waiting:
            from_esme = self._submit(now)
        self._settle(from_smsc)
        self._settle(from_esme)
        self._read_on(is_waiting=is_waiting)
        self._go_on_with_long()
        self.records.settle()
        self.turned()
        self.turn_us.observe(int((monotonic() - began) * 1e6))
        if is_waiting and not self._is_due:
            self._is_due = True
            self._loop.call_later(_WAIT_S, self._run)

    def _submit(self, now: float) -> Mapping[Link, bytes]:
        """Judge as many requests as a tick has time for; return their octets."""
        busy, pace, plane = len(self._from_esme), self.pace, self.pipeline.plane
        chunks, octets = self._from_esme.take(pace.octets)
        plane.takes_long = may_be_long = not self._long.due_in(now)
        self._guarded(self.pipeline.submit, chunks, now)
        ended = monotonic()
        if may_be_long and not plane.takes_long:
            self._long.judged(ended, ended - now)
        else:
            pace.learn(octets, ended - now)
        self.share.among(busy, pace.octets)
        plane.session_octets = min(MOST_OCTETS, pace.octets)
        return chunks

    def _go_on_with_long(self) -> None:
        """Resume the next session with a long request when it is due."""
        if not len(self._long) or self._long_timer is not None:
            return
        delay = self._long.due_in(monotonic())
        if delay:
            self._long_timer = self._loop.call_later(delay, self._resume_long)
        else:
            self._resume_long()

    def _resume_long(self) -> None:
        self._long_timer = None
        if len(self._long):
            self._take(self._long.take(), b"")

    def _read_on(self, *, is_waiting: bool) -> None:
        """Resume reading connections that had their turn; the others stay paused."""
        waiting = self._from_esme
        for link, connection in list(self._budgeted.items()):
            if link in waiting or link in self._from_smsc:
                continue
            del self._budgeted[link]
            connection.taken = 0
            connection.resume(Pause.BUDGET)
        if ((len(waiting) and not is_waiting) or self._from_smsc) and not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._run)

    def _settle(self, links: Iterable[Link]) -> None:
        """Stop reading a blocked session with enough read ahead; resume the others."""
        for link in links:
            connection = self.connections.get(link)
            if connection is None:
                continue
            if link.waits_long:
                self._long.add(link)
            if link.is_blocked and len(link.tail) >= _LOOK_AHEAD_OCTETS:
                connection.pause(Pause.WINDOW)
            else:
                connection.resume(Pause.WINDOW)


def _unattended(item: Attention | ProhibitedMessage) -> None:
    raise NotImplementedError(type(item).__name__)
