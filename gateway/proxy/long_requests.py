"""Requests so long that judging one takes many ticks' time: who waits, and when the next is due."""

from gateway.dataplane.link import Link
from gateway.proxy.fair_queue import FairQueue
from gateway.proxy.pace import TICK_S

# After one that took a tenth of a second no other is judged for three tenths.
_REST = 3


class LongRequests:
    """Sessions whose next request is long; one has its turn at a time, a sender after the other.

    They have a quarter of the time at most, so that most of those who send short ones notice
    nothing. Those who wait are read no further than others whose window is full, and nobody is
    refused. One that takes no longer than a tick may costs nobody anything.
    """

    def __init__(self) -> None:
        self._waiting = FairQueue()
        self._due_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, link: Link) -> None:
        """Let a session wait, behind those of its sender that do already."""
        self._waiting.add(link, b"")

    def remove(self, link: Link) -> None:
        """Forget a session that is gone, if it is here."""
        self._waiting.remove(link)

    def due_in(self, now: float) -> float:
        """Return the seconds until one may be judged, 0 when it may be at once."""
        return max(0.0, self._due_at - now)

    def judged(self, now: float, took_s: float) -> None:
        """Take over that one was judged until `now`, in `took_s` seconds."""
        self._due_at = now + (_REST * took_s if took_s > TICK_S else 0.0)

    def take(self) -> Link:
        """Return the session whose turn it is; it waits no longer."""
        ((link, _),) = self._waiting.take(1)[0].items()
        return link
