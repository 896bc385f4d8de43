"""Connections before their bind: limit their number and their rate."""

from collections import Counter
from collections.abc import Callable

from gateway.proxy.connection import Connection
from gateway.runtime.clock import monotonic
from gateway.session.addresses import origin_of
from gateway.session.connection_rate import ConnectionRate
from gateway.session.stranger_places import StrangerPlaces

# Half of `limits.sessions` for strangers, the same for addresses of known SPs, and half of that
# for one address: an SP with hundreds of sessions reconnects all of them at once.
_SHARE = 2
_SHARE_OF_ONE = 2
_FEWEST = 4
_SESSIONS = 2_000
# A stranger's address may open a tenth of what an SP's may, for each costs as much as some
# messages. Small limits are not made smaller.
_SLOWER, _LEAST_PER_S, _LEAST_AT_ONCE = 10, 10, 20


class UnboundConnections:
    """Admits new connections and aborts old ones when their places are needed.

    Addresses that an SP has bound from lately (`is_known`) have places of their own, which
    strangers never take, and `per_s` connections a second, `at_once` in a burst; a stranger's
    address has a tenth of that. `refused` counts rejected and aborted connections, by reason.
    """

    def __init__(self, per_s: float, at_once: int, is_known: Callable[[str], bool]) -> None:
        self.refused: Counter[str] = Counter()
        slower = max(min(per_s, _LEAST_PER_S), per_s / _SLOWER)
        fewer = max(min(at_once, _LEAST_AT_ONCE), at_once // _SLOWER)
        self._rates = (ConnectionRate(slower, fewer), ConnectionRate(per_s, at_once))
        self._is_known = is_known
        self._places: tuple[StrangerPlaces[Connection], StrangerPlaces[Connection]]
        self.share(_SESSIONS)

    def share(self, sessions: int) -> None:
        """Set the number of places from `limits.sessions`; call before the first connection."""
        total = max(_FEWEST, sessions // _SHARE)
        of_one = max(_FEWEST, total // _SHARE_OF_ONE)
        self._places = (StrangerPlaces(total, of_one), StrangerPlaces(total, of_one))

    def admits(self, address: str) -> bool:
        """Tell whether one more connection from `address` is admitted now; count it."""
        if self._rates[self._is_known(address)].admits(address, monotonic()):
            return True
        self.refused["rate"] += 1
        return False

    def enter(self, connection: Connection) -> None:
        """Give `connection` a place; abort the connection that loses its place, if any."""
        address = connection.peer_address
        goes = self._places[self._is_known(address)].enter(connection, origin_of(address))
        if goes is not None:
            self.refused["crowd"] += 1
            goes.abort()

    def leave(self, connection: Connection) -> None:
        """Free the place of a connection that has bound, or is gone. May be repeated."""
        for places in self._places:
            places.leave(connection)

    def __len__(self) -> int:
        """Return how many connections have not bound."""
        return sum(map(len, self._places))
