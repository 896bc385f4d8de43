"""The whole gateway: parts made and wired, started, drained, stopped."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
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
    complaints_of_subscribers,
    replies_to_subscribers,
    sending_outbound,
)
from gateway.app.followers import EventParts, Followers, Rounds, keep_ports, keep_sanctions
from gateway.app.health import (
    DiskWatch,
    GatewayHealth,
    StoreFile,
    free_octets,
)
from gateway.app.housekeeping import Housekeeping
from gateway.app.installed_models import InstalledModels, models_of
from gateway.app.live import LiveView, RateMeter
from gateway.app.live_config import ConfigParts, LiveConfig
from gateway.app.orders import Orders, part_sender
from gateway.app.policies import Policies, PolicyRequests, tell_posture
from gateway.console.control_socket import ControlSocket
from gateway.console.http_server import MetricsReaders, ProbeServer, probe_app
from gateway.dataplane.part_table import SmscMessageIds
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.plane import Plane
from gateway.domain.live import ConfigReload, LiveReload
from gateway.domain.sender import RouteTable, Sender
from gateway.domain.subscription import Service
from gateway.domain.suspension import ComplaintThreshold
from gateway.filter.classifier.score import Scorer
from gateway.policy.bundle import Bundle
from gateway.policy.disk_stages import DiskStage
from gateway.policy.filings import Filings
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.proxy.assembler import Assembler
from gateway.proxy.connection import Dialler
from gateway.proxy.delivery_backlog import DeliveryBacklog
from gateway.proxy.gate import Credentials, Gate, KnownPeers
from gateway.proxy.hold_writer import HeldCounts, HoldWriter
from gateway.proxy.listener import Listeners
from gateway.proxy.operations import Operations
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.release_follower import ReleaseFollower
from gateway.proxy.routes import Routes
from gateway.proxy.sessions import Keepalive, Sessions
from gateway.proxy.tick import Tick
from gateway.proxy.upstream import Upstream
from gateway.records.archive import words_of
from gateway.records.writer import Records, prepare_directory
from gateway.runtime.passed_sockets import PassedSocket, passed_sockets
from gateway.runtime.tasks import cancel_all, set_aside, spawn
from gateway.session.stranger_limits import Lockouts
from gateway.settings import credentials
from gateway.settings.gateway import GatewaySettings, groups_of, keys_of
from gateway.settings.senders import takes_peers
from gateway.storage.dialects.base import DatabaseLock
from gateway.storage.open import file_of, owned
from gateway.stores import Stores, open_store
from gateway.systems.early_warnings.service import SanctionsFollower
from gateway.systems.policy_history import PolicyRequest
from gateway.systems.quarantine.model import HeldTotals, MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.suspensions.service import SuspendedPortsFollower

log = structlog.get_logger()

TakeOver = Callable[[], Awaitable[list[PassedSocket]]]

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
            hub=settings.hub,
            complaint_codes=settings.complaints.formats,
            routes=RouteTable.of(groups_of(settings).routes),
            ids=SmscMessageIds() if settings.needs_ids else None,
        )
        pipeline = Pipeline(self.plane)
        self.records = Records(
            settings.records.directory,
            max_octets_per_day=settings.records.max_octets_per_day,
        )
        self.tick = Tick(pipeline, self.records)
        self.policies = Policies(pipeline, self._knowledge, (config, policies))
        self.policies.senders = senders
        self.policies.groups, self.policies.takes_peers = groups_of(settings), takes_peers(settings)
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
        self.dialler = Dialler(self.tick, numbers)
        self.upstream = Upstream(self.dialler, settings.smscs, settings.timers)
        self.sessions = Sessions(self.tick, self.upstream, self.gate, numbers, settings)
        self.keeper = Keepalive(self.tick, self.sessions, settings.timers)
        self._held_counts = HeldCounts(
            HeldTotals(settings.limits.held_per_sender, settings.limits.held_octets_per_sender)
        )
        self._listeners = Listeners(self.sessions, self.sessions.misdirected)
        self.addresses = self._listeners.addresses
        self.disk = DiskWatch(free_octets, settings.disk, self.plane)
        self._loops: list[asyncio.Task[NoReturn]] = []
        self._stores: Stores | None = None
        self._alone: DatabaseLock | None = None
        self._requests: PolicyRequests | None = None
        self._probes: ProbeServer | None = None
        self._control = ControlSocket(settings.store.control)
        self._standing: GatewayHealth | None = None
        self._beside: BackgroundTasks | None = None
        self._known_peers: KnownPeers | None = None
        self._readers = MetricsReaders(settings.metrics.token)
        self.live_config: LiveConfig | None = None  # none without a directory of configuration
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

    async def start(self, take_over: TakeOver | None = None) -> bool:
        """Open stores, load what they hold, then open the listeners.

        With `take_over` another gateway serves until all is loaded that can be beside it; that is
        called then, to have it stop and to get its sockets. False if that has none.

        Raises OSError (a port in use, a directory that can not be written), ssl.SSLError,
        StoreUnavailable or SettingsError (keys that have gone); call `stop` then.
        """
        settings = self.settings
        stores = await self._open_stores()
        if take_over is None:
            self._own_store()
        rounds = Rounds()
        parts, assembling, routes = self._connect(stores, rounds)
        followers = Followers(stores, self._knowledge, parts, self._held_counts, rounds)
        await followers.load()
        models = await self._begin_models(rounds)
        if take_over is None:
            passed = passed_sockets()
            await self.policies.begin(stores.policies)
        else:
            set_aside()
            passed = await take_over()
            if not passed:
                return False
            self._own_store()
        await self._take_over(stores)
        for begin in (followers.begin, self.beside.suspensions.begin, assembling.begin):
            await begin()
        requests = self._requests = PolicyRequests(stores.policies, self._reload_as_asked)
        standing = self._standing = GatewayHealth(
            tick=self.tick,
            sessions=self.sessions,
            upstream=self.upstream,
            gate=self.gate,
            holding=parts.holding,
            held_counts=self._held_counts,
            followers=followers,
            policies=self.policies,
            models=models,
            beside=self.beside,
            disk=self.disk,
            unlisted=self.unlisted,
        )
        self._follow_config(standing, routes)
        self._loops += self.beside.begin(self.policies.senders, self.broken)
        await self._answer_probes(standing)
        self._watch_disks(parts.holding)
        self._keep_on(followers, requests, rounds)
        self._keep_house()
        await followers.catch_up()  # what was done since they had loaded took its time
        await self.sessions.pool.begin()
        self._listeners.passed = passed
        await self._listeners.open(settings.listeners, settings.timers.session_init_s)
        if take_over is not None:
            await self.policies.begin(stores.policies)  # it reads files, and SPs have waited
        await self._answer_commands(standing)
        set_aside()
        standing.is_started = True
        tell_posture(self.plane.rules.bundle)
        log.info("gateway.started", digest=self._bundle.digest, senders=len(self.policies.senders))
        return True

    def _connect(self, stores: Stores, rounds: Rounds) -> tuple[EventParts, Assembler, Routes]:
        """Make the parts that events of the tick go to; nothing is read from the stores yet."""
        settings = self.settings
        desk = QuarantineDesk(stores.quarantine, self._ids)
        routes = Routes(
            self.sessions.pairs,
            settings.limits.window,
            self.sessions.pool.submitter,
            lambda: self.plane.rules.accounts,
            self.sessions.pool.__contains__,
        )
        self.plane.session_of, self.plane.bind_at = routes.session_of, routes.bind_at
        receipts = ReceiptDesk(self.tick, stores.quarantine, routes)
        asking = asking_for_consent(self.tick, stores)
        releasing = ReleaseFollower(self.tick, stores.quarantine, desk, routes, receipts, asking)
        beside = self._beside = BackgroundTasks(self.tick, stores, routes, settings, rounds)
        releasing.submitting.scheduled = beside.cancelling.taken
        beside.cancelling.closed = lambda: self.policies.closed
        assembling = Assembler(stores.quarantine, releasing)
        holding = HoldWriter(
            self.tick, stores.quarantine, assembling, beside.reporting, self._held_counts
        )
        replies = replies_to_subscribers(
            self.tick,
            stores,
            self._knowledge.consent,
            routes,
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
            complaints_of_subscribers(self.tick, stores, routes, replies.hearing, self._threshold),
            sending_outbound(self.tick, stores, routes, lambda: self.policies.catalogue),
            beside.cancelling,
            DeliveryBacklog(self.tick, stores.undelivered, routes, beside.notifying.post),
        )
        attend_with(parts, self.tick)
        return parts, assembling, routes

    def _threshold(self) -> ComplaintThreshold:
        live = self.live_config
        return (self.settings if live is None else live.settings).complaints.threshold

    async def _open_stores(self) -> Stores:
        await asyncio.to_thread(prepare_directory, self.settings.records.directory)
        self._stores = await open_store(
            self.settings.store.url,
            keys=keys_of(self.settings),
            max_octets=self.settings.store.max_octets,
        )
        return self._stores

    def _own_store(self) -> None:
        """Keep others from it: two would issue the same ids, and doubt each other's releases."""
        self._alone = owned(self.settings.store.url)

    async def _take_over(self, stores: Stores) -> None:
        self._ids.pass_over(await last_message_id(stores))
        peers = self._known_peers = KnownPeers(stores.known_peers, self._lockouts)
        await peers.load()
        self.gate.known = peers.bound
        self._loops.append(spawn(peers.keep(), name="known-peers"))
        await self.policies.follow_orders(stores.suspended_senders)
        self._ports = SuspendedPortsFollower(stores.suspended_ports, stores.changes, self.policies)
        await self._ports.load()
        follower = SanctionsFollower(
            stores.sanctions, stores.changes, self.policies, partial(part_sender, self.sessions)
        )
        self._sanctions = follower
        await follower.load()
        self.upstream.drain(await stores.drained_smscs.listed())
        self.plane.hints.load(await stores.offered_words.listed())

    async def _begin_models(self, rounds: Rounds) -> InstalledModels:
        def ask(scorer: Scorer | None) -> None:
            self.plane.rules.ask_scorer(scorer)  # those that judge by then

        models = self.models = InstalledModels(models_of(self.settings.learning), ask)
        await rounds.take("models", models.refresh)
        self._loops.append(spawn(models.keep(rounds), name="models"))
        return models

    async def _answer_probes(self, standing: GatewayHealth) -> None:
        app = probe_app(standing.readiness, standing.snapshot, self._readers)
        self._probes = ProbeServer(self.settings.metrics.address, app, self._readers)
        await self._probes.start()

    def _follow_config(self, standing: GatewayHealth, routes: Routes) -> None:
        if self._config is not None:
            held = self._lockouts, routes, self.keeper, self._listeners, self._readers
            parts = ConfigParts(standing, *held, self.stores.key_id)
            self.live_config = LiveConfig(self._config / "gateway.yaml", self.settings, parts)

    async def _answer_commands(self, standing: GatewayHealth) -> None:
        """Open the control socket; without one the traffic goes on."""
        rates = RateMeter(self.plane.tally, self.sessions.pairs)
        self._loops.append(spawn(rates.keep(), name="rates"))
        view = LiveView(standing, rates, self._held_counts)
        try:
            orders = Orders(self.stores, self.sessions, self.policies, self.upstream)
            answers = {**view.answers(), **orders.answers(), "reload": self._reload_all}
            await self._control.start(answers)
        except OSError as error:
            log.error("control.failed", path=str(self._control.path), said=words_of(error))

    def _keep_on(self, followers: Followers, requests: PolicyRequests, rounds: Rounds) -> None:
        """Begin the loops without which no traffic may pass."""
        for coro, name in (
            *((coro, f"follow-{name}") for name, coro in followers.follow().items()),
            (requests.follow(rounds, self.policies.record_late), "follow-policy-requests"),
            (keep_ports(rounds, self._ports, self.policies), "follow-suspended-ports"),
            (
                keep_sanctions(rounds, self._sanctions, self._sanctions.copy),
                "follow-sanctions",
            ),
            (self.keeper.keep(), "keeper"),
            (self.upstream.keep(), "upstream"),
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
        await self._reload_both(by)

    async def _reload_all(self, asked: Mapping[str, object]) -> LiveReload:
        """Reload for who asks over the control socket."""
        faults, taken = await self._reload_both(str(asked["by"]), str(asked["note"]))
        return LiveReload(self.plane.rules.digest, faults, taken)

    async def _reload_both(self, by: str, note: str = "") -> tuple[tuple[str, ...], ConfigReload]:
        """Reload policies and senders, then gateway.yaml; return what became of each."""
        faults = await self.reload(by=by, note=note)
        if self.live_config is None:
            return faults, ConfigReload()
        groups = self.policies.groups
        taken = await self.live_config.reload()
        if self.policies.groups != groups:
            # Senders may name a group that is new, and routes may give them another.
            faults = await self.reload(by=by, note=note)
        return faults, taken

    async def _reload_as_asked(self, request: PolicyRequest) -> tuple[str, tuple[str, ...]]:
        faults = await self.reload(force=request.force, by=request.by, note=request.note)
        return self.plane.rules.digest, faults

    def session_counts(self) -> dict[str, int]:
        """Return how many bound sessions each sender has."""
        return Counter(pair.sender.system_id for pair in self.sessions.pairs.values())

    @property
    def handed_over(self) -> Sequence[PassedSocket]:
        """Return the listening sockets for the process that follows, after such a drain."""
        return self._listeners.handed_over

    async def drain(self, *, hands_over: bool = False) -> None:
        """Take nothing new, answer what is under way, unbind both sides.

        If it `hands_over`, `handed_over` has the listening sockets then: new SPs wait there. Those
        that have connected are served before.
        """
        log.info("gateway.draining", sessions=len(self.sessions.pairs))
        if hands_over:
            self._listeners.hand_over()
            await self.sessions.settle(self._listeners.unread)
        self._listeners.close()
        await self.sessions.leaving.drain(hands_over=hands_over)

    async def stop(self) -> None:
        """Close everything at once; after `drain` nothing is left to lose. Safe to repeat."""
        self._listeners.close()
        self.sessions.leaving.is_draining = True
        self.sessions.leaving.abort()
        await asyncio.sleep(0)
        if self._probes is not None:
            await self._probes.stop(at_once=bool(self.handed_over))  # the next process waits
        self._control.stop()
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
