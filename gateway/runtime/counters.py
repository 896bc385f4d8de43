"""Counters the gateway pays nanoseconds for: plain numbers, read when somebody asks."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MAX_SYSTEM_IDS = 2000
OTHER = "other"

_ACTIONS = 5  # the four of Action, and OTHER
_BUCKETS = 32


class BoundedCounter(Generic[K]):
    """Counts by key, at most `maximum` of them: peers choose some keys, and could choose for ever.

    What comes after that is counted under `other`.
    """

    __slots__ = ("_counts", "_maximum", "_other")

    def __init__(self, other: K, maximum: int = 512) -> None:
        self._counts: dict[K, int] = {}
        self._maximum = maximum
        self._other = other

    def add(self, key: K, count: int = 1) -> None:
        """Count `count` more of `key`."""
        counts = self._counts
        if key in counts:
            counts[key] += count
        elif len(counts) < self._maximum:
            counts[key] = count
        else:
            counts[self._other] = counts.get(self._other, 0) + count

    def counts(self) -> dict[K, int]:
        """Return a copy; safe from any thread."""
        return self._counts.copy()


class Histogram:
    """Counts whole numbers by their bit length: bucket b holds values up to 2**b - 1."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * _BUCKETS
        self.total = 0

    def observe(self, value: int) -> None:
        """Count one `value`, which is zero or more."""
        self.total += value
        self.buckets[min(value.bit_length(), _BUCKETS - 1)] += 1


class Counters:
    """Everything that only grows, since the process started. For the loop's thread."""

    __slots__ = (
        "answer_us",
        "answers",
        "binds",
        "classifier_failures",
        "filter_failures",
        "framing_errors",
        "link_losses",
        "malformed_pdus",
        "replies_put_back",
        "replies_unheard",
        "sender_submits",
        "stray_answers",
        "submits",
        "tick_failures",
        "tick_us",
        "timeouts",
    )

    def __init__(self) -> None:
        # By action and reason.
        self.submits: BoundedCounter[tuple[str, str]] = BoundedCounter((OTHER, OTHER))
        # By system_id and action.
        self.sender_submits: BoundedCounter[tuple[str, str]] = BoundedCounter(
            (OTHER, OTHER), MAX_SYSTEM_IDS * _ACTIONS
        )
        # By command_status of the SMSC's submit_sm_resp.
        self.answers: BoundedCounter[int] = BoundedCounter(-1)
        # By the reason of a BindVerdict; "ok" stands.
        self.binds: BoundedCounter[str] = BoundedCounter(OTHER)
        self.link_losses = 0
        self.stray_answers = 0
        self.framing_errors = 0
        self.timeouts = 0
        self.malformed_pdus = 0
        self.filter_failures = 0
        self.classifier_failures = 0
        self.replies_put_back = 0
        self.replies_unheard = 0
        self.tick_failures = 0
        self.tick_us = Histogram()
        self.answer_us = Histogram()
