"""What a running gateway says of itself to who operates it: values, as commands print them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

# Begins a warning that names the settings of gateway.yaml that are not in force yet.
WAITS_FOR_RESTART = "these settings of gateway.yaml wait for a restart:"


@dataclass(frozen=True, slots=True)
class LiveSmsc:
    """One SMSC: since when it answers or does not, None while it was not asked; binds there.

    `is_drained`: a person ordered that it gets none.
    """

    name: str
    address: str
    group: str
    is_up: bool | None
    since: datetime | None
    binds: int
    is_drained: bool


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """The policy in force, and since when; `refused_faults` are those of the last reload."""

    name: str
    digest: str
    posture: str
    since: datetime
    refused_faults: int


@dataclass(frozen=True, slots=True)
class LiveModels:
    """The classifiers in force and in shadow by digest, "" for none; `fault` of a refused one."""

    active: str
    shadow: str
    since: datetime
    fault: str


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How the gateway stands.

    `failing` are the checks of /readyz that fail. `per_s` are messages a second over the last
    minute, `backlog` what waits, each by name; `read_s` says how many seconds ago each copy of the
    store was read. `window_used` of `window` messages of all sessions are under way.

    `reasons` counts the messages of the last minute that were not simply forwarded, by "action
    reason". `latency_ms` has p50 and p99 of the SMSCs' answers in that minute, {} without any.
    `behind` are the copies of the store that are not current; `free_octets` are by disk, and
    `low_disks` the disks that fill up.
    """

    since: datetime
    version: str
    is_ready: bool
    is_degraded: bool
    failing: tuple[str, ...]
    warnings: tuple[str, ...]
    policy: LivePolicy
    models: LiveModels
    sessions: Mapping[str, int]  # by system_id
    window_used: int
    window: int
    per_s: Mapping[str, float]
    backlog: Mapping[str, int]
    smscs: tuple[LiveSmsc, ...]
    read_s: Mapping[str, float]
    reasons: Mapping[str, int] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    behind: tuple[str, ...] = ()
    free_octets: Mapping[str, int] = field(default_factory=dict)
    low_disks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveRates:
    """Messages a second, by name, in the seconds until `at`; `p99_ms` of answers, None without."""

    at: datetime
    per_s: Mapping[str, float]
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class ConfigReload:
    """What became of gateway.yaml: settings in force now, those that wait for a restart, faults.

    With faults nothing was changed.
    """

    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveReload:
    """What became of a reload: the policy in force, the faults of a refused one, gateway.yaml."""

    digest: str
    faults: tuple[str, ...]
    config: ConfigReload


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A bound session of an SP; `per_s` messages a second.

    `has_smsc` is its bind at an SMSC, `smsc` the name of that, "" without one.
    """

    number: int
    system_id: str
    bind_type: str
    address: str
    since: datetime
    window_used: int
    window: int
    per_s: float
    has_smsc: bool
    smsc: str = ""


@dataclass(frozen=True, slots=True)
class SuspendedSender:
    """An SP that may send nothing since a person or a sanction said so, and why."""

    system_id: str
    since: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class LiveSender:
    """An SP as it stands: `state` is that of senders.yaml, `suspended` what was ordered.

    `ports` are those with their purposes, `messages` what became of what it sent, by action.
    """

    system_id: str
    name: str
    state: str
    suspended: SuspendedSender | None
    ports: Mapping[str, str]
    sessions: int
    most_sessions: int
    window: int
    per_s_allowed: float
    per_s: Mapping[str, float]
    messages: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LiveCap:
    """A limit of a rule in force: at most `maximum` messages that agree in `per`, in a time."""

    rule: str
    maximum: int
    every: str
    per: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LiveHours:
    """When commercial messages may arrive, in a subscriber's time; weekdays are 1 to 7."""

    rule: str
    opens: str
    closes: str
    weekdays: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """What one SP may send, and how much of that is used now.

    `free` messages may come at once, `window` may be outstanding in each session. Of what waits
    to be reviewed, or for its hour, an SP has `most_held` messages and `most_held_octets`.
    """

    per_s: float
    burst: int
    free: int
    per_s_used: Mapping[str, float]
    sessions: int
    most_sessions: int
    window: int
    window_used: int
    held: int
    most_held: int
    held_octets: int
    most_held_octets: int
    caps: tuple[LiveCap, ...]
    hours: tuple[LiveHours, ...]
