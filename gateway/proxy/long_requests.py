"""Long requests, each judged for the time of many ticks: which wait, and when the next is due."""

from gateway.dataplane.link import Link
from gateway.proxy.fair_queue import FairQueue
from gateway.proxy.pace import TICK_S

# After a request that took 0.1 s no other long one is judged for 0.3 s.
_REST = 3


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
