"""A token bucket as one number: the generic cell rate algorithm."""

# Sums of floats drift by some ulps; a nanosecond gives no sender an advantage.
_DRIFT_S = 1e-9


class TokenBucket:
    """Admits `per_s` messages a second on average and `burst` at once.

    `due_at` is when the bucket will be full again; times are monotonic seconds, and an
    earlier `now` than before changes nothing.
    """

    __slots__ = ("_interval_s", "_tolerance_s", "due_at")

    def __init__(self, per_s: float, burst: int) -> None:
        self._interval_s = 1.0 / per_s
        self._tolerance_s = (burst - 1) * self._interval_s
        self.due_at = float("-inf")

    def has_one(self, now: float) -> bool:
        """Tell whether a token is there; nothing is taken."""
        return self.due_at - now <= self._tolerance_s + _DRIFT_S

    def take_all(self, now: float, count: int) -> bool:
        """Take `count` tokens if all are available, else none; return whether they were taken."""
        due_at = max(self.due_at, now)
        if due_at + self._interval_s * (count - 1) - now > self._tolerance_s + _DRIFT_S:
            return False
        self.due_at = due_at + self._interval_s * count
        return True

    def take(self, now: float, count: int = 1) -> bool:
        """Take `count` tokens if there is at least one, else none; return whether they were taken.

        The first part of a long message is charged for the whole message and may leave the bucket
        in debt: the other parts must not be rejected (PEERS: a burst is shorter than a message).
        """
        due_at = self.due_at
        if due_at <= now:
            self.due_at = now + self._interval_s * count
            return True
        if due_at - now > self._tolerance_s + _DRIFT_S:
            return False
        self.due_at = due_at + self._interval_s * count
        return True

    def charge(self, count: int) -> None:
        """Take `count` more tokens for an admitted message that proved to cost more."""
        self.due_at += self._interval_s * count
