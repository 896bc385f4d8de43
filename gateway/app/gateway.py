"""The whole gateway: parts made and wired, started, drained, stopped."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from secrets import randbits
from typing import NoReturn
from zoneinfo import ZoneInfo

import structlog

from gateway.app.background import BackgroundTasks, last_message_id
from gateway.app.event_dispatch import (
    asking_for_consent,
    attend_with,
    replies_to_subscribers,
    sending_outbound,
)
from gateway.app.followers import EventParts, Followers, Rounds
from gateway.app.health import (
    DiskWatch,
    GatewayHealth,
    StoreFile,
    free_octets,
)
from gateway.app.housekeeping import Housekeeping
from gateway.app.installed_models import InstalledModels, installed_models
from gateway.app.policies import Policies, PolicyRequests, tell_posture
from gateway.console.http_server import MetricsReaders, ProbeServer, Readiness, probe_app
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.plane import Plane
from gateway.domain.sender import Sender
from gateway.domain.subscription import Service
from gateway.filter.classifier.score import Scorer
from gateway.policy.bundle import Bundle
from gateway.policy.disk_stages import DiskStage
from gateway.policy.filings import Filings
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.proxy.connection import Dialler, Target
from gateway.proxy.esme_session import Routes
from gateway.proxy.gate import Credentials, Gate, KnownPeers
from gateway.proxy.hold_writer import Assembler, HeldCounts, HoldWriter
from gateway.proxy.listener import Listeners, smsc_context
from gateway.proxy.operations import Operations
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.release_follower import ReleaseFollower
from gateway.proxy.sessions import Keepalive, Sessions
from gateway.proxy.tick import Tick
from gateway.records.writer import Records, prepare_directory
from gateway.runtime.file_lock import FileLock
from gateway.runtime.tasks import cancel_all, set_aside, spawn
from gateway.session.stranger_limits import Lockouts
from gateway.settings import credentials
from gateway.settings.gateway import GatewaySettings, Smsc, keys_of
from gateway.storage.open import file_of
from gateway.stores import Stores, open_store
from gateway.systems.policy_history import PolicyRequest
from gateway.systems.quarantine.model import HeldTotals, MessageIds
from gateway.systems.quarantine.service import QuarantineDesk

log = structlog.get_logger()

_STOP_S = 3.0
_VEIL_BITS = 64


class Gateway:
    """One gateway process, to be made inside its running loop.

    `config` and `policies` are the directories that a reload reads again.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        senders: Mapping[str, Sender],
        bundle: Bundle,
        *,
        services: tuple[Service, ...] = (),
        config: Path | None = None,
        policies: Path | None = None,
    ) -> None:
        self.settings = settings
        self.unlisted: Callable[[], int] = int
        self._bundle = bundle
        self._config = config
        self._ids = MessageIds(worker=0)
        self._knowledge = Knowledge(
            filings=Filings(ZoneInfo(bundle.surroundings.zone)), veil=randbits(_VEIL_BITS)
        )
        self.plane = Plane(
            rules=RuleSet(bundle, senders.values(), self._knowledge),
            pdu_octets=settings.limits.pdu_octets,
            deliver_window=settings.limits.window,
            response_s=settings.timers.response_s,
            next_id=lambda at: self._ids.next_id(int(at * 1000)),
            keeps_texts=settings.records.texts,
        )
        pipeline = Pipeline(self.plane)
        self.records = Records(
            settings.records.directory,
            max_octets_per_day=settings.records.max_octets_per_day,
        )
        self.tick = Tick(pipeline, self.records)
        self.policies = Policies(pipeline, self._knowledge, (config, policies))
        self.policies.senders = senders
        self.policies.offer(services)
        numbers = count(1)  # of connections
        self._lockouts = Lockouts(settings.limits.bad_binds_per_minute)
        self.gate = Gate(
            self.plane,
            Credentials(credentials.verify, credentials.DECOY),
            self._lockouts,
            self.records,
        )
        filings = self._knowledge.filings
        self.gate.licence_ends = lambda system_id: filings.of(system_id).licence_ends
        self.gate.licence_required = settings.filings.licence_required
        self.dialler = Dialler(self.tick, _target(settings.smscs[0]), numbers)
        self.sessions = Sessions(self.tick, self.dialler, self.gate, numbers, settings)
        self.keeper = Keepalive(self.tick, self.sessions, settings.timers)
        self._held_counts = HeldCounts(
            HeldTotals(settings.limits.held_per_sender, settings.limits.held_octets_per_sender)
        )
        self._listeners = Listeners(
            self.sessions, settings.timers.session_init_s, self.sessions.misdirected
        )
        self.addresses = self._listeners.addresses
        self.disk = DiskWatch(free_octets, settings.disk, self.plane)
        self._loops: list[asyncio.Task[NoReturn]] = []
        self._stores: Stores | None = None
        self._alone: FileLock | None = None
        self._requests: PolicyRequests | None = None
        self._probes: ProbeServer | None = None
        self._standing: GatewayHealth | None = None
        self._beside: BackgroundTasks | None = None
        self._known_peers: KnownPeers | None = None
        self.models: InstalledModels | None = None

    @property
    def stores(self) -> Stores:
        """Return the open stores; only after `start`."""
        assert self._stores is not None  # noqa: S101 - a caller's mistake
        return self._stores

    @property
    def beside(self) -> BackgroundTasks:
        """Return what is done beside the traffic; only after `start`."""
        assert self._beside is not None  # noqa: S101 - a caller's mistake
        return self._beside

    @property
    def probe_port(self) -> int:
        """Return the port of the probes; only after `start`."""
        assert self._probes is not None  # noqa: S101 - a caller's mistake
        return self._probes.port

    async def start(self) -> None:
        """Open stores, load what they hold, then open the listeners.

        Raises OSError (a port in use, a directory that can not be written), ssl.SSLError,
        StoreUnavailable or SettingsError (keys that have gone); call `stop` then.
        """
        settings = self.settings
        stores = await self._open_stores()
        desk = QuarantineDesk(stores.quarantine, self._ids)
        routes = Routes(self.sessions.pairs)
        receipts = ReceiptDesk(self.tick, stores.quarantine, routes)
        asking = asking_for_consent(self.tick, stores)
        releasing = ReleaseFollower(self.tick, stores.quarantine, desk, routes, receipts, asking)
        rounds = Rounds()
        beside = self._beside = BackgroundTasks(self.tick, stores, routes, settings, rounds)
        releasing.submitting.scheduled = beside.cancelling.taken
        assembling = Assembler(stores.quarantine, releasing)
        holding = HoldWriter(
            self.tick, stores.quarantine, assembling, beside.reporting, self._held_counts
        )
        replies = replies_to_subscribers(
            self.tick,
            stores,
            self._knowledge.consent,
            routes,
            settings.hub,
            lambda: self.policies.catalogue,
        )
        replies.restore = beside.suspensions.restore
        parts = EventParts(
            self.sessions,
            self.dialler,
            holding,
            Operations(self.tick, stores.quarantine, desk, self._held_counts),
            asking,
            desk,
            releasing,
            receipts,
            replies,
            sending_outbound(
                self.tick, stores, routes, settings.hub, lambda: self.policies.catalogue
            ),
            beside.cancelling,
        )
        attend_with(parts, self.tick)
        followers = Followers(stores, self._knowledge, parts, self._held_counts, rounds)
        for begin in (followers.begin, beside.suspensions.begin, assembling.begin):
            await begin()
        models = await self._begin_models(rounds)
        await self.policies.begin(stores.policies)
        requests = self._requests = PolicyRequests(stores.policies, self._reload_as_asked)
        standing = self._standing = GatewayHealth(
            tick=self.tick,
            sessions=self.sessions,
            gate=self.gate,
            holding=holding,
            held_counts=self._held_counts,
            followers=followers,
            policies=self.policies,
            models=models,
            beside=beside,
            disk=self.disk,
            unlisted=self.unlisted,
        )
        self._loops += beside.begin(self.policies.senders, self.broken)
        await self._answer_probes(standing)
        self._watch_disks(holding)
        self._keep_on(followers, requests, rounds)
        self._keep_house()
        await followers.catch_up()  # what was done since they had loaded took its time
        await self._listeners.open(settings.listeners)
        set_aside()
        standing.is_started = True
        tell_posture(self.plane.rules.bundle)
        log.info("gateway.started", digest=self._bundle.digest, senders=len(self.policies.senders))

    async def _open_stores(self) -> Stores:
        await asyncio.to_thread(prepare_directory, self.settings.records.directory)
        stores = self._stores = await open_store(
            self.settings.store.url,
            keys=keys_of(self.settings),
            max_octets=self.settings.store.max_octets,
        )
        file = file_of(self.settings.store.url)
        if file is not None:
            # Two would issue the same ids, and put each other's releases in doubt.
            self._alone = FileLock.owner(file)
        await self._begin_known_peers(stores)
        self._ids = MessageIds(worker=0, after=await last_message_id(stores))
        return stores

    async def _begin_known_peers(self, stores: Stores) -> None:
        peers = self._known_peers = KnownPeers(stores.known_peers, self._lockouts)
        await peers.load()
        self.gate.known = peers.bound
        self._loops.append(spawn(peers.keep(), name="known-peers"))

    async def _begin_models(self, rounds: Rounds) -> InstalledModels:
        def ask(scorer: Scorer | None) -> None:
            self.plane.rules.ask_scorer(scorer)  # those that judge by then

        models = self.models = installed_models(self.settings.learning, ask)
        await rounds.take("models", models.refresh)
        self._loops.append(spawn(models.keep(rounds), name="models"))
        return models

    async def _answer_probes(self, standing: GatewayHealth) -> None:
        def readiness() -> Readiness:
            return standing.readiness(consent_is_current=self._knowledge.consent.is_current)

        readers = MetricsReaders(self.settings.metrics.token)
        app = probe_app(readiness, standing.snapshot, readers)
        self._probes = ProbeServer(self.settings.metrics.address, app, readers)
        await self._probes.start()

    def _keep_on(self, followers: Followers, requests: PolicyRequests, rounds: Rounds) -> None:
        """Begin the loops without which no traffic may pass."""
        for coro, name in (
            *((coro, f"follow-{name}") for name, coro in followers.follow().items()),
            (requests.follow(rounds), "follow-policy-requests"),
            (self.keeper.keep(), "keeper"),
            (self.records.flush_regularly(), "records"),
        ):
            self._loops.append(spawn(coro, name=name, on_failure=self.broken))

    def _watch_disks(self, holding: HoldWriter) -> None:
        """Refuse what would be written, before there is no room to write it."""
        self.tick.is_disk_full = lambda: self.disk.stage_of("records") is DiskStage.FULL
        holding.is_disk_full = lambda: self.disk.stage_of("store") is DiskStage.FULL
        records = self.settings.records.directory, self.records
        watching = self.disk.watch(records, self.store_file(), self._held_counts)
        self._loops.append(spawn(watching, name="disk", on_failure=self.broken))

    def store_file(self) -> StoreFile | None:
        """Return where the store is and what it takes; None for one that outlives nothing."""
        file = file_of(self.settings.store.url)
        if file is None:
            return None
        return StoreFile(file.parent, self.settings.store.max_octets, self.stores.used_octets)

    def _keep_house(self) -> None:
        """Have records sealed and purged; what has no configuration on disk keeps them."""
        if self._config is None:
            return
        settings = self.settings
        housekeeping = Housekeeping(
            self._config, settings.records.directory, is_sealing=settings.privacy is not None
        )
        self._loops.append(spawn(housekeeping.keep(), name="housekeeping"))

    def broken(self, _error: BaseException) -> None:
        """Stop being ready when a loop that must not end has ended."""
        if self._standing is not None:
            self._standing.is_started = False

    async def reload(
        self, *, force: bool = False, by: str = "reload", note: str = ""
    ) -> tuple[str, ...]:
        """Read policies and senders again; return the faults. See Policies.reload."""
        faults = await self.policies.reload(force=force, by=by, note=note)
        if not faults:
            self.sessions.follow_accounts()
            if self._beside is not None:
                self._beside.follow(self.policies.senders)
        return faults

    async def reload_changed(self, by: str) -> None:
        """Reload for a signal or a saved file, which `by` names.

        What people ask for is met first: a rollback writes files too, and stands in the
        history under the name of who made it.
        """
        if self._requests is not None:
            await self._requests.meet()
        await self.reload(by=by)

    async def _reload_as_asked(self, request: PolicyRequest) -> tuple[str, tuple[str, ...]]:
        faults = await self.reload(force=request.force, by=request.by, note=request.note)
        return self.plane.rules.digest, faults

    def session_counts(self) -> dict[str, int]:
        """Return how many bound sessions each sender has."""
        counts: dict[str, int] = {}
        for pair in self.sessions.pairs.values():
            counts[pair.sender.system_id] = counts.get(pair.sender.system_id, 0) + 1
        return counts

    async def drain(self) -> None:
        """Take nothing new, answer what is under way, unbind both sides."""
        log.info("gateway.draining", sessions=len(self.sessions.pairs))
        self._listeners.close()
        await self.sessions.leaving.drain()

    async def stop(self) -> None:
        """Close everything at once; after `drain` nothing is left to lose. Safe to repeat."""
        self._listeners.close()
        self.sessions.leaving.is_draining = True
        self.sessions.leaving.abort()
        await asyncio.sleep(0)
        if self._probes is not None:
            await self._probes.stop()
        if self._beside is not None:
            self._beside.stop()
        for loop in self._loops:
            loop.cancel()  # or those that follow the store would report it as failed
        if self._beside is not None:
            await self._beside.hand_over()
        if self._known_peers is not None:
            await self._known_peers.write()
        if self._stores is not None:
            await self._stores.close()  # while its writer still runs
        await cancel_all(_STOP_S)
        if self._alone is not None:
            self._alone.release()
        left = await asyncio.to_thread(self.records.close, _STOP_S)
        log.info("gateway.stopped", records_left=left)


def _target(smsc: Smsc) -> Target:
    host, port = smsc.address
    if smsc.tls is None:
        return Target(smsc.name, host, port)
    return Target(smsc.name, host, port, smsc_context(smsc.tls), smsc.tls.server_name or host)
