"""What SPs have sent and no tick has judged yet: fair between SPs, some milliseconds a tick."""

from heapq import heapify, heappop, heappush

from gateway.dataplane.link import Link
from gateway.proxy.connection import MOST_OCTETS

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
