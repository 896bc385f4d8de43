"""The state of the gateway at one moment, for its metrics, and the counters that it reads."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
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

    def add_all(self, counts: Mapping[K, int]) -> None:
        """Count what others have counted."""
        for key, count in counts.items():
            self.add(key, count)

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


@dataclass(slots=True, eq=False)
class Counters:
    """Everything that only grows, since the process started. For the loop's thread.

    `submits` is keyed by action and reason, `findings` by rule and mode, of the policy in force,
    `sender_submits` by system_id and action, `answers` by the command_status of the SMSC's
    submit_sm_resp, `binds` by the reason of a BindVerdict ("ok" stands).
    """

    submits: BoundedCounter[tuple[str, str]] = field(
        default_factory=lambda: BoundedCounter((OTHER, OTHER))
    )
    sender_submits: BoundedCounter[tuple[str, str]] = field(
        default_factory=lambda: BoundedCounter((OTHER, OTHER), MAX_SYSTEM_IDS * _ACTIONS)
    )
    findings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    answers: BoundedCounter[int] = field(default_factory=lambda: BoundedCounter(-1))
    binds: BoundedCounter[str] = field(default_factory=lambda: BoundedCounter(OTHER))
    link_losses: int = 0
    stray_answers: int = 0
    framing_errors: int = 0
    timeouts: int = 0
    malformed_pdus: int = 0
    filter_failures: int = 0
    classifier_failures: int = 0
    receipts_unowned: int = 0
    replies_put_back: int = 0
    replies_unheard: int = 0
    tick_failures: int = 0
    tick_us: Histogram = field(default_factory=Histogram)
    answer_us: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, slots=True)
class PolicyIdentity:
    """The policy in force; `refused_faults` are those of the refused policy on disk, 0 for none."""

    name: str
    digest: str
    posture: str
    refused_faults: int = 0


@dataclass(frozen=True, slots=True)
class RecordsHealth:
    """How the records stand, for metrics and readiness."""

    pending: int
    failing: bool
    written: int
    lost: int
    malformed: int
    failures: int
    texts_left_out: int = 0


@dataclass(frozen=True, slots=True)
class NoticesHealth:
    """Health of the SPs' webhooks; `waiting_s` is the longest present wait of a notice."""

    waiting_s: float = 0.0
    delivered: int = 0
    failed: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class ReportsHealth:
    """How many reports to the authority wait for the store, were kept, and were lost."""

    waiting: int = 0
    kept: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class DiskHealth:
    """State of the disks of store and records; number of SPs `stopped` because of disk space."""

    free_octets: Mapping[str, int] = field(default_factory=dict)  # by volume
    stages: Mapping[str, int] = field(default_factory=dict)
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class WarningsHealth:
    """Warnings raised and escalated, by code.

    `unsorted` messages were only counted, due to too many kinds.
    """

    raised: Mapping[str, int] = field(default_factory=dict)
    unsorted: int = 0
    escalated: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelsHealth:
    """The digests of the models in force and in shadow, "" for none, and what they dispute.

    `texts` is how many were new since both stand so, by class and by who would stop them, and
    `messages` how many messages had them; `failed` on how many texts the one in shadow failed.
    """

    active: str = ""
    shadow: str = ""
    texts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    messages: Mapping[tuple[str, str], int] = field(default_factory=dict)
    failed: int = 0


@dataclass(frozen=True, slots=True)
class SmscHealth:
    """Which SMSCs are up, how many binds the gateway has at each, where an own one stands."""

    up: Mapping[str, int] = field(default_factory=dict)
    binds: Mapping[str, int] = field(default_factory=dict)
    own_binds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The data of one scrape. `counters` is read live, the rest is a snapshot."""

    counters: Counters
    sessions: Mapping[tuple[str, str], int]  # (side, state)
    in_flight: Mapping[str, int]  # by system_id
    held: Mapping[str, int]  # by state of the quarantine
    records: RecordsHealth
    policy: PolicyIdentity
    unlisted_events: int = 0
    config_faults: int = 0
    warnings: WarningsHealth = field(default_factory=WarningsHealth)
    notices: NoticesHealth = NoticesHealth()
    reports: ReportsHealth = ReportsHealth()
    scheduled: Mapping[str, int] = field(default_factory=dict)  # refused since, by outcome
    sanctions: Mapping[str, int] = field(default_factory=dict)  # proposed, by step
    follower_failures: Mapping[str, int] = field(default_factory=dict)  # by step
    models: ModelsHealth = field(default_factory=ModelsHealth)
    disk: DiskHealth = field(default_factory=DiskHealth)
    held_octets: Mapping[str, int] = field(default_factory=dict)  # that wait, by system_id
    smscs: SmscHealth = field(default_factory=SmscHealth)
    checks: Mapping[str, int] = field(default_factory=dict)  # of /readyz, 1 for those that hold
    cases_escalated: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (clock, share)
    complaints_waiting_s: float = 0.0
    ports_unjudged_s: float = 0.0
