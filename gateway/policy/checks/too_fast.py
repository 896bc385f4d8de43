"""How fast a port may send (R44)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from annotated_types import Ge, Gt, Le

from gateway.domain.verdict import Action, Reason
from gateway.policy.check import Against, CountingCheck, Evidence
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Home, Submission, TokenBucket

_TOO_FAST = Evidence("over the rate and burst of the port", zh="超过端口的速率和突发上限")

_STEP_BACK_S = 60
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class TooFast(CountingCheck):
    """A port sends more than `per_s` on average and `burst`, one second's worth, at once (R44)."""

    reason = Reason.RATE
    order = 210
    allowed_actions = (Action.THROTTLE, Action.REJECT, Action.QUARANTINE)
    is_replayable = False  # records do not tell when a message came to a fraction of a second
    help = {
        "per_s": "How many messages a second on average.",
        "burst": "How many at once; one second's worth without.",
    }

    per_s: Annotated[float, Gt(0), Le(_MOST)]
    burst: Annotated[int, Ge(1), Le(_MOST)] | None = None

    @property
    def at_once(self) -> int:
        """Return how many messages a full bucket lets pass."""
        return self.burst or math.ceil(self.per_s)

    @property
    def memory_s(self) -> float:
        """Return how long an empty bucket takes to be full, in seconds."""
        return self.at_once / self.per_s

    def counter(self, knowledge: Knowledge, locale: RuleLocale) -> "PortRate":
        """Return full buckets."""
        return PortRate(self)


class PortRate:
    """One token bucket for each port that sends.

    Buckets use epoch time here. If the clock is set back a little, time stands still for them. If
    it is set back far, they would stay empty for as long, so they start anew.
    """

    __slots__ = ("_at_hand", "_buckets", "_check", "_latest")

    gives_back: ClassVar[bool] = False
    is_by_second: ClassVar[bool] = False

    def __init__(self, check: TooFast) -> None:
        self._check = check
        self._at_hand: dict[Home, TokenBucket] = {}
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._latest = 0.0

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Take a token of the port's bucket for each message; return those that got none."""
        if at != self._latest:
            self._turn(at)
        charged = [one for one in submissions if one.units and one.port is not None]
        homes = [one.origin.home for one in charged]
        if homes and homes.count(homes[0]) == len(homes):  # as of a port that sends many at once
            units = sum([one.units for one in charged])
            if self._bucket_of(charged[0]).take_all(self._latest, units):
                return ()
        return [
            (one, _TOO_FAST)
            for one in charged
            if not self._bucket_of(one).take(self._latest, one.units)
        ]

    def _bucket_of(self, submission: Submission) -> TokenBucket:
        home, port = submission.origin.home, submission.port
        bucket = self._at_hand.get(home)
        if bucket is None:
            named = submission.account.system_id, "" if port is None else port.number
            fresh = TokenBucket(self._check.per_s, self._check.at_once)
            bucket = self._at_hand[home] = self._buckets.setdefault(named, fresh)
        return bucket

    def _turn(self, at: float) -> None:
        if at < self._latest - _STEP_BACK_S:
            self._buckets.clear()
            self._at_hand.clear()
            self._latest = at
        self._latest = max(self._latest, at)

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the token: a rejected message costs the gateway as much as one that passes."""

    def adopt(self, before: Self) -> None:
        """Keep the levels, if the rate is the same."""
        if before._check == self._check:
            self._buckets, self._latest = before._buckets, before._latest
            self._at_hand.clear()
