"""One turn of the tick: the plane, the moment, and what it brings forth."""

from gateway.dataplane.batch import Batch
from gateway.dataplane.plane import Plane


class Turn:
    """What every step of a tick needs. `now` is monotonic, `at` epoch seconds."""

    __slots__ = ("at", "batch", "now", "plane")

    def __init__(self, plane: Plane, now: float, at: float) -> None:
        self.plane = plane
        self.now = now
        self.at = at
        self.batch = Batch()
