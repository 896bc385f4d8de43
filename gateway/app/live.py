"""What the running gateway tells who asks it over the control socket."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NoReturn

from gateway import __version__
from gateway.app.health import GatewayHealth
from gateway.console.control_socket import Answer, OrderRefusedError
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Tally
from gateway.domain.live import (
    LiveCap,
    LiveHours,
    LiveLimits,
    LiveModels,
    LivePolicy,
    LiveRates,
    LiveSender,
    LiveSession,
    LiveSmsc,
    LiveStatus,
)
from gateway.domain.policy import Clock, Enforcement
from gateway.domain.quarantine import FINAL_STATES, HoldState
from gateway.domain.verdict import Action
from gateway.policy.bundle import Rule
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_often import TooOften
from gateway.policy.disk_stages import DiskStage
from gateway.proxy.hold_writer import HeldCounts
from gateway.proxy.upstream import SmscState
from gateway.runtime.clock import monotonic, utcnow

_SAMPLE_S = 5.0
_SAMPLES = 13  # one minute
_HISTORY_STEP = 3  # samples
_HISTORY = 60 * _HISTORY_STEP + 1  # fifteen minutes
_US_PER_MS = 1000.0
_NAMES = {
    Action.FORWARD.value: "forwarded",
    Action.DEFER.value: "held",
    Action.QUARANTINE.value: "held",
    Action.THROTTLE.value: "rejected",
    Action.REJECT.value: "rejected",
}
_COPIES = ("consent", "filings", "preferences", "suspensions")


@dataclass(frozen=True, slots=True)
class _RateSample:
    at: float
    actions: Mapping[tuple[str, str], int]  # by system_id and action
    submits: Mapping[Link, int]
    verdicts: Mapping[tuple[str, str], int]  # by action and reason


@dataclass(frozen=True, slots=True)
class _HistorySample:
    at: float
    moment: datetime
    counts: Mapping[str, int]
    latency_us: tuple[int, ...]  # answers by the bit length of their microseconds


class RateMeter:
    """Messages a second over the last minutes, from counters that grow anyway."""

    def __init__(self, tally: Tally, sessions: Iterable[Link]) -> None:
        self._tally = tally
        self._sessions = sessions
        self._samples: deque[_RateSample] = deque(maxlen=_SAMPLES)
        self._history: deque[_HistorySample] = deque(maxlen=_HISTORY)
        self.sample(monotonic())

    async def keep(self) -> NoReturn:
        """Take a sample every few seconds until cancelled."""
        while True:
            await asyncio.sleep(_SAMPLE_S)
            self.sample(monotonic())

    def sample(self, now: float) -> None:
        """Note how far the counters are at `now`."""
        submits = {session: session.submits for session in self._sessions}
        tally = self._tally
        sample = _RateSample(now, tally.senders.copy(), submits, tally.verdicts.copy())
        self._samples.append(sample)
        latency_us = tuple(tally.latency_us)
        self._history.append(_HistorySample(now, utcnow(), self.messages(), latency_us))

    def per_s(self, now: float, system_id: str | None = None) -> dict[str, float]:
        """Return how many, of one SP or of all, were forwarded, held and rejected in a second."""
        oldest = self._samples[0]
        took_s = max(now - oldest.at, 1.0)
        before, counts = _by_name(oldest.actions, system_id), self.messages(system_id)
        return {name: round((counts[name] - before[name]) / took_s, 1) for name in counts}

    def messages(self, system_id: str | None = None) -> dict[str, int]:
        """Return what became of all messages, or of those of one SP."""
        return _by_name(self._tally.senders, system_id)

    def history(self) -> list[LiveRates]:
        """Return the rates of the last fifteen minutes, one for each quarter of a minute."""
        samples = list(self._history)[::-_HISTORY_STEP][::-1]
        return [_between(*pair) for pair in pairwise(samples)]

    def reasons(self) -> dict[str, int]:
        """Return how many messages of the last minute came to an action for a reason, by both."""
        before = self._samples[0].verdicts
        counts = {key: n - before.get(key, 0) for key, n in self._tally.verdicts.items()}
        return {" ".join(key): n for key, n in counts.items() if n > 0}

    def latency_ms(self) -> dict[str, float]:
        """Return p50 and p99 of the SMSCs' answers in the last minute; {} without an answer."""
        oldest = self._history[max(0, len(self._history) - _SAMPLES)]
        counts = _more(oldest.latency_us, self._tally.latency_us)
        found = {"p50": _quantile_ms(counts, 0.5), "p99": _quantile_ms(counts, 0.99)}
        return {name: ms for name, ms in found.items() if ms is not None}

    def per_s_of(self, session: Link, now: float) -> float:
        """Return how many messages a second one session has submitted."""
        oldest = self._samples[0]
        took_s = max(min(now - oldest.at, now - session.clocks.opened_at), 1.0)
        return round((session.submits - oldest.submits.get(session, 0)) / took_s, 1)


def _more(before: Sequence[int], now: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in zip(before, now, strict=True)]


def _between(before: _HistorySample, after: _HistorySample) -> LiveRates:
    took_s = max(after.at - before.at, 1.0)
    counts = after.counts
    per_s = {name: round((counts[name] - before.counts[name]) / took_s, 1) for name in counts}
    latencies = _more(before.latency_us, after.latency_us)
    return LiveRates(after.moment, per_s, _quantile_ms(latencies, 0.99))


def _quantile_ms(counts: Sequence[int], share: float) -> float | None:
    """Return a quantile of latencies that are counted by bit length; None without any.

    Within a bucket they count as spread evenly.
    """
    wanted, below = share * sum(counts), 0
    for bits, count in enumerate(counts):
        if count and below + count >= wanted:
            low, high = (1 << bits) >> 1, 1 << bits
            return round((low + (high - low) * (wanted - below) / count) / _US_PER_MS, 2)
        below += count
    return None


def _by_name(actions: Mapping[tuple[str, str], int], system_id: str | None) -> dict[str, int]:
    counts = dict.fromkeys(_NAMES.values(), 0)
    for (sender, action), count in actions.items():
        if system_id is None or sender == system_id:
            counts[_NAMES[action]] += count
    return counts


class LiveView:
    """Answers questions from what all parts know anyway; nothing is counted for it."""

    def __init__(self, health: GatewayHealth, rates: RateMeter, held: HeldCounts) -> None:
        self._health = health
        self._rates = rates
        self._held = held
        self._since = utcnow()

    def answers(self) -> dict[str, Answer]:
        """Return the function for each question."""
        return {
            "status": self.status,
            "rates": self.rates,
            "sessions": self.sessions,
            "senders": self.senders,
            "limits": self.limits,
        }

    async def status(self, _asked: Mapping[str, object]) -> LiveStatus:
        """Return how the gateway stands."""
        health, now = self._health, monotonic()
        readiness, pairs = health.readiness(), health.sessions.pairs
        bundle = health.tick.pipeline.plane.rules.bundle
        policies, models = health.policies, health.models
        taken_at, disk = health.followers.rounds.taken_at, health.disk.health()
        return LiveStatus(
            since=self._since,
            version=__version__,
            is_ready=readiness.ready,
            is_degraded=readiness.is_degraded,
            failing=tuple(name for name, is_well in readiness.checks.items() if not is_well),
            warnings=readiness.warnings,
            policy=LivePolicy(
                bundle.name, bundle.digest, bundle.posture, policies.since, policies.refused_faults
            ),
            models=LiveModels(*models.pair.digests, models.since, models.fault),
            sessions=Counter(pair.sender.system_id for pair in pairs.values()),
            window_used=sum(map(_under_way, pairs)),
            window=sum(session.window for session in pairs),
            per_s=self._rates.per_s(now),
            backlog=self._backlog(),
            smscs=tuple(map(_smsc, health.upstream.smscs)),
            read_s={one: round(now - taken_at[one], 1) for one in _COPIES if one in taken_at},
            reasons=self._rates.reasons(),
            latency_ms=self._rates.latency_ms(),
            behind=tuple(name for name, copy in health.copies().items() if not copy.is_current),
            free_octets=disk.free_octets,
            low_disks=tuple(name for name, at in disk.stages.items() if at > DiskStage.WELL),
        )

    async def rates(self, _asked: Mapping[str, object]) -> list[LiveRates]:
        """Return the rates of the last fifteen minutes."""
        return self._rates.history()

    async def sessions(self, _asked: Mapping[str, object]) -> list[LiveSession]:
        """Return the sessions that are bound, by number."""
        now, moment = monotonic(), utcnow()
        return [
            LiveSession(
                number=session.number,
                system_id=pair.sender.system_id,
                bind_type=pair.request.bind_type.value,
                address=pair.esme.peer_address,
                since=moment - timedelta(seconds=now - session.clocks.opened_at),
                window_used=_under_way(session),
                window=session.window,
                per_s=self._rates.per_s_of(session, now),
                has_smsc=pair.smsc is not None,
                smsc="" if pair.smsc is None else pair.smsc.link.smsc,
            )
            for session, pair in self._health.sessions.pairs.items()
        ]

    async def senders(self, _asked: Mapping[str, object]) -> list[LiveSender]:
        """Return all SPs of senders.yaml as they stand."""
        policies, gate, now = self._health.policies, self._health.gate, monotonic()
        return [
            LiveSender(
                system_id=system_id,
                name=one.name,
                state=one.state.value,
                suspended=policies.closed.get(system_id) or policies.suspended.get(system_id),
                ports={port.number: port.purpose.value for port in one.ports},
                sessions=gate.live_binds(system_id),
                most_sessions=one.binds.maximum,
                window=one.window,
                per_s_allowed=one.rate.per_s,
                per_s=self._rates.per_s(now, system_id),
                messages=self._rates.messages(system_id),
            )
            for system_id, one in sorted(policies.senders.items())
        ]

    async def limits(self, asked: Mapping[str, object]) -> LiveLimits:
        """Return what one SP may send. Raises OrderRefusedError if there is no such SP."""
        system_id, now = str(asked.get("system_id")), monotonic()
        rules = self._health.tick.pipeline.plane.rules
        account = rules.accounts.get(system_id)
        if account is None:
            raise OrderRefusedError(f"there is no sender {system_id}")
        one, most = account.sender, self._held.maximum
        pairs = self._health.sessions.pairs
        own = [session for session, pair in pairs.items() if pair.sender.system_id == system_id]
        return LiveLimits(
            per_s=one.rate.per_s,
            burst=one.rate.burst,
            free=account.bucket.free(now),
            per_s_used=self._rates.per_s(now, system_id),
            sessions=len(own),
            most_sessions=one.binds.maximum,
            window=one.window,
            window_used=sum(map(_under_way, own)),
            held=self._held.of(system_id),
            most_held=most.messages,
            held_octets=self._held.octets().get(system_id, 0),
            most_held_octets=most.octets,
            caps=tuple(_caps_of(rules.bundle.rules, system_id)),
            hours=tuple(_hours_of(rules.bundle.rules, system_id)),
        )

    def _backlog(self) -> dict[str, int]:
        health = self._health
        waiting = [state.value for state in HoldState if state not in FINAL_STATES]
        return {
            **{state: health.followers.held.get(state, 0) for state in waiting},
            "outbound": health.followers.outbound,
            "records_unwritten": health.tick.records.health().pending,
            "reports_unwritten": health.beside.reporting.health().waiting,
        }


def _is_enforced(rule: Rule, system_id: str) -> bool:
    own = (override.mode for override in rule.overrides if override.sender == system_id)
    return next(own, rule.mode) is Enforcement.ENFORCE


def _caps_of(rules: Iterable[Rule], system_id: str) -> Iterator[LiveCap]:
    for rule in rules:
        if isinstance(rule.check, TooOften) and _is_enforced(rule, system_id):
            for limit in rule.check.limits:
                every = limit.every
                span = every.value if isinstance(every, Clock) else f"{every.seconds} s"
                yield LiveCap(rule.id, limit.maximum, span, tuple(one.value for one in limit.per))


def _hours_of(rules: Iterable[Rule], system_id: str) -> Iterator[LiveHours]:
    for rule in rules:
        if isinstance(rule.check, OutsideWindow) and _is_enforced(rule, system_id):
            for one in rule.check.open.windows:
                days = tuple(day + 1 for day in sorted(one.weekdays))
                yield LiveHours(rule.id, f"{one.opens:%H:%M}", f"{one.closes:%H:%M}", days)


def _smsc(one: SmscState) -> LiveSmsc:
    target, is_up = one.target, one.up_since is not None
    epoch = one.up_since or one.down_since
    return LiveSmsc(
        name=one.name,
        address=f"{target.host}:{target.port}",
        group=one.settings.group,
        is_up=None if epoch is None else is_up,
        since=None if epoch is None else datetime.fromtimestamp(epoch, UTC),
        binds=one.binds,
        is_drained=one.is_drained,
    )


def _under_way(session: Link) -> int:
    """Return how many requests of a session are without an answer."""
    return session.under_way + session.held
