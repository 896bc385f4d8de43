"""How much one tick may work on, so that it lasts a few milliseconds."""

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
