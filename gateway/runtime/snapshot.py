"""The state of the gateway at one moment, for its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.runtime.counters import Counters
from gateway.runtime.model_metrics import ModelsHealth
from gateway.runtime.records import RecordsHealth


@dataclass(frozen=True, slots=True)
class PolicyIdentity:
    """The policy in force; `refused_faults` are those of the refused policy on disk, 0 for none."""

    name: str
    digest: str
    refused_faults: int = 0


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
    """Warnings raised, by code; `unsorted` messages were only counted, due to too many kinds."""

    raised: Mapping[str, int] = field(default_factory=dict)
    unsorted: int = 0


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
    warnings: WarningsHealth = field(default_factory=WarningsHealth)
    notices: NoticesHealth = NoticesHealth()
    reports: ReportsHealth = ReportsHealth()
    scheduled: Mapping[str, int] = field(default_factory=dict)  # refused since, by outcome
    follower_failures: Mapping[str, int] = field(default_factory=dict)  # by step
    models: ModelsHealth = field(default_factory=ModelsHealth)
    disk: DiskHealth = field(default_factory=DiskHealth)
    held_octets: Mapping[str, int] = field(default_factory=dict)  # that wait, by system_id
