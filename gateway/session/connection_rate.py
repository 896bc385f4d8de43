"""How many new connections a second each address may open."""

from collections import OrderedDict

from gateway.session.addresses import origin_of

_DRIFT_S = 1e-9  # the sums of floats drift by some ulps


class ConnectionRate:
    """Admits `per_s` new connections a second of each address on average, `burst` at once.

    An IPv6 address counts as its /64. A rejected connection costs its address nothing. Memory is
    bounded: beyond `maximum_entries` addresses, the one admitted longest ago is forgotten and
    starts with a full burst again. `now` is in monotonic seconds.
    """

    def __init__(self, per_s: float, burst: int, maximum_entries: int = 10_000) -> None:
        if per_s <= 0 or burst < 1 or maximum_entries < 1:
            raise ValueError("per_s must be above 0, the other limits at least 1")
        self._interval_s = 1.0 / per_s
        self._tolerance_s = (burst - 1) * self._interval_s
        self._maximum_entries = maximum_entries
        self._due_at: OrderedDict[str, float] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Tell whether one more connection of `address` is admitted, and count it if so."""
        origin = origin_of(address)
        due_at = max(self._due_at.get(origin, now), now)
        if due_at - now > self._tolerance_s + _DRIFT_S:
            return False
        self._due_at[origin] = due_at + self._interval_s
        self._due_at.move_to_end(origin)
        if len(self._due_at) > self._maximum_entries:
            self._due_at.popitem(last=False)
        return True

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._due_at)
