"""The whole gateway: parts made and wired, started, drained, stopped."""

import asyncio
import gc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import structlog

from gateway.app.conversations import asking_for_consent, replies_to_subscribers
from gateway.app.errands import running_errands
from gateway.app.followers import Driven, Followers
from gateway.app.housekeeping import Housekeeping
from gateway.app.notifying import Notifying
from gateway.app.policies import Policies, warn_if_open
from gateway.app.policy_history import PolicyHistory
from gateway.app.policy_requests import PolicyRequests
from gateway.app.postman import Postman
from gateway.app.reporting import last_message_id, reporting_to_the_authority
from gateway.app.standing import Standing
from gateway.app.suspensions import Suspensions
from gateway.app.tls import listener_context, smsc_context
from gateway.app.warning import EarlyWarnings
from gateway.console.probes import ProbeServer, Readiness, probe_app
from gateway.dataplane import attention
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.plane import Plane
from gateway.domain.policy_history import PolicyRequest
from gateway.domain.sender import Sender
from gateway.domain.subscription import Service
from gateway.policy.bundle import Bundle
from gateway.policy.filings import Filings
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.proxy.asking import Asking
from gateway.proxy.assembling import Assembling
from gateway.proxy.credentials import Credentials
from gateway.proxy.dialling import Dialler, Target
from gateway.proxy.gate import Gate
from gateway.proxy.holding import Holding
from gateway.proxy.keeper import Keeper
from gateway.proxy.numbers import Numbers
from gateway.proxy.operations import Operations
from gateway.proxy.receipts import OwnReceipt, ReceiptDesk
from gateway.proxy.releasing import Release, Releasing
from gateway.proxy.reporting import Reporting
from gateway.proxy.route import Routes
from gateway.proxy.running_errands import OnErrand
from gateway.proxy.sessions import Sessions
from gateway.proxy.speaking import Confirmation
from gateway.proxy.tick import Tick
from gateway.runtime.alone import Alone
from gateway.runtime.listening import cannot_listen
from gateway.runtime.record_files import prepare_directory
from gateway.runtime.records import Records
from gateway.runtime.tasks import cancel_all, spawn
from gateway.session.lockout import Lockouts
from gateway.session.states import Side
from gateway.settings import passwords
from gateway.settings.gateway import GatewaySettings, Listener, Smsc
from gateway.stores.open import Stores, file_of, open_store
from gateway.systems.quarantine.desk import QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds

log = structlog.get_logger()

_STOP_S = 3.0


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
        self.addresses: dict[str, tuple[str, int]] = {}
        self.unlisted: Callable[[], int] = int
        self._bundle = bundle
        self._config = config
        self._ids = MessageIds(worker=0)
        self._knowledge = Knowledge(filings=Filings(ZoneInfo(bundle.surroundings.zone)))
        self.plane = Plane(
            rules=RuleSet(bundle, senders.values(), self._knowledge),
            pdu_octets=settings.limits.pdu_octets,
            deliver_window=settings.limits.window,
            response_s=settings.timers.response_s,
            next_id=lambda at: self._ids.next_id(int(at * 1000)),
            keeps_texts=settings.record_keeping.texts,
        )
        pipeline = Pipeline(self.plane)
        self.records = Records(settings.records_directory)
        self.tick = Tick(pipeline, self.records)
        self.policies = Policies(pipeline, self._knowledge, (config, policies))
        self.policies.senders = senders
        self.policies.offer(services)
        numbers = Numbers()
        self.gate = Gate(
            self.plane,
            Credentials(passwords.verify, passwords.DECOY),
            Lockouts(settings.limits.bad_binds_per_minute),
            self.records,
        )
        filings = self._knowledge.filings
        self.gate.licence_ends = lambda system_id: filings.of(system_id).licence_ends
        self.gate.licence_required = settings.licence_required
        self.dialler = Dialler(self.tick, _target(settings.smscs[0]), numbers)
        self.sessions = Sessions(self.tick, self.dialler, self.gate, numbers, settings.timers)
        self.sessions.maximum = settings.limits.sessions
        self.sessions.joining.window = settings.limits.window
        self.keeper = Keeper(self.tick, self.sessions, settings.timers)
        self._servers: list[asyncio.Server] = []
        self._loops: list[asyncio.Task[NoReturn]] = []
        self._stores: Stores | None = None
        self._alone: Alone | None = None
        self._requests: PolicyRequests | None = None
        self._probes: ProbeServer | None = None
        self._standing: Standing | None = None
        self._reporting: Reporting | None = None
        self._notifying: Notifying | None = None
        self._warnings: EarlyWarnings | None = None
        self._suspensions: Suspensions | None = None

    @property
    def stores(self) -> Stores:
        """Return the open stores; only after `start`."""
        assert self._stores is not None  # noqa: S101 - a caller's mistake
        return self._stores

    @property
    def probe_port(self) -> int:
        """Return the port of the probes; only after `start`."""
        assert self._probes is not None  # noqa: S101 - a caller's mistake
        return self._probes.port

    async def start(self) -> None:
        """Open stores, load what they hold, then open the listeners.

        Raises OSError (a port in use, a directory that can not be written), ssl.SSLError or
        StoreUnavailable; call `stop` then.
        """
        settings = self.settings
        await asyncio.to_thread(prepare_directory, settings.records_directory)
        stores = self._stores = await open_store(settings.store_url)
        file = file_of(settings.store_url)
        if file is not None:
            # Two would issue the same ids, and put each other's releases in doubt.
            self._alone = Alone.beside(file)
        self._ids = MessageIds(worker=0, after=await last_message_id(stores))
        desk = QuarantineDesk(stores.quarantine, self._ids)
        routes = Routes(self.sessions.pairs)
        receipts = ReceiptDesk(self.tick, stores.quarantine, routes)
        asking = asking_for_consent(self.tick, stores)
        releasing = Releasing(self.tick, stores.quarantine, desk, routes, receipts, asking)
        assembling = Assembling(stores.quarantine, releasing)
        holding = Holding(self.tick, stores.quarantine, assembling, self._report(stores))
        operations = Operations(self.tick, stores.quarantine, desk)
        replies = replies_to_subscribers(
            self.tick,
            stores,
            self._knowledge.consent,
            routes,
            settings.hub,
            lambda: self.policies.catalogue,
        )
        driven = Driven(
            desk,
            releasing,
            receipts,
            replies,
            running_errands(
                self.tick, stores, routes, settings.hub, lambda: self.policies.catalogue
            ),
        )
        self._wire(holding, operations, asking, driven)
        followers = Followers(stores, self._knowledge, driven)
        await followers.begin()
        await self._suspend(stores, routes, driven)
        await assembling.begin()
        await self.policies.begin(PolicyHistory(stores.policies))
        requests = self._requests = PolicyRequests(stores.policies, self._reload_as_asked)
        standing = self._standing = Standing(
            self.tick, self.sessions, self.gate, holding, self.records
        )
        standing.held = lambda: followers.held
        self._work_beside(stores, standing)

        def readiness() -> Readiness:
            return standing.readiness(consent_is_current=self._knowledge.consent.is_current)

        app = probe_app(readiness, standing.snapshot)
        self._probes = ProbeServer(settings.metrics_address, app)
        await self._probes.start()
        for coro, name in (
            (followers.follow_consent(), "follow-consent"),
            (followers.follow_filings(), "follow-filings"),
            (followers.follow_preferences(), "follow-preferences"),
            (followers.follow_quarantine(), "follow-quarantine"),
            (requests.follow(), "follow-policy-requests"),
            (self.keeper.keep(), "keeper"),
            (self.records.flush_regularly(), "records"),
        ):
            self._loops.append(spawn(coro, name=name, on_failure=self.broken))
        self._keep_house()
        for listener in settings.listeners:
            await self._listen(listener)
        _set_aside()
        standing.is_started = True
        warn_if_open(self.plane.rules.bundle)
        log.info("gateway.started", digest=self._bundle.digest, senders=len(self.policies.senders))

    def _work_beside(self, stores: Stores, standing: Standing) -> None:
        """Begin what no traffic waits for, and let scrapes tell how it fares."""
        standing.unlisted = self.unlisted
        standing.notices = self._tell_senders(stores).health
        standing.warnings = self._warn_early(stores).health
        if self._reporting is not None:
            standing.reports = self._reporting.health

    def _tell_senders(self, stores: Stores) -> Notifying:
        """Have SPs told of their subscribers' refusals; no traffic waits for it."""
        notifying = self._notifying = Notifying(stores.notices, stores.changes, Postman())
        notifying.follow(self.policies.senders)
        self._loops.append(spawn(notifying.watch(), name="notices"))
        return notifying

    def _report(self, stores: Stores) -> Reporting:
        """Have what is stopped for prohibited content kept for the authority."""
        reporting = self._reporting = reporting_to_the_authority(self.tick, stores)
        keep = reporting.keep()
        self._loops.append(spawn(keep, name="authority-reports", on_failure=self.broken))
        return reporting

    def _warn_early(self, stores: Stores) -> EarlyWarnings:
        """Have what the rules warn of kept, and raised once."""
        warnings = self._warnings = EarlyWarnings(self.plane, self._knowledge, stores.warnings)
        self._loops.append(spawn(warnings.watch(), name="early-warning", on_failure=self.broken))
        return warnings

    async def _suspend(self, stores: Stores, routes: Routes, driven: Driven) -> None:
        """Have suspended numbers kept, told and restored. Raises StoreUnavailable."""
        suspensions = Suspensions(self.tick, stores, routes, self.settings.hub)
        self._suspensions = suspensions
        driven.replies.restore = suspensions.restore
        await suspensions.begin()
        follow = suspensions.follow()
        self._loops.append(spawn(follow, name="follow-suspensions", on_failure=self.broken))

    def _keep_house(self) -> None:
        """Have records sealed and purged; what has no configuration on disk keeps them."""
        if self._config is None:
            return
        settings = self.settings
        housekeeping = Housekeeping(
            self._config, settings.records_directory, is_sealing=settings.privacy is not None
        )
        self._loops.append(spawn(housekeeping.keep(), name="housekeeping"))

    def _wire(  # noqa: C901 - as for the function in it
        self,
        holding: Holding,
        operations: Operations,
        asking: Asking,
        driven: Driven,
    ) -> None:
        def attend(item: attention.Attention) -> None:  # noqa: C901, PLR0912 - one line per kind
            match item:
                case attention.Hold():
                    holding.hold(item)
                case attention.Ask():
                    asking.begin(item)
                case attention.Answered(errand=attention.Ask() as errand):
                    asking.answered(item, errand)
                case attention.Receipt():
                    driven.receipts.received(item)
                case attention.Answered(errand=Release() as errand):
                    driven.releasing.answered(item, errand)
                case attention.Answered(errand=OwnReceipt() as errand):
                    driven.receipts.answered(item, errand)
                case attention.Answered(errand=Confirmation() as errand):
                    driven.replies.answered(item, errand)
                case attention.Answered(errand=OnErrand() as errand):
                    driven.errands.answered(item, errand)
                case attention.Reply():
                    driven.replies.heard(item)
                case attention.Operation():
                    operations.begin(item)
                case attention.Bind():
                    self.sessions.joining.bind(item)
                case attention.BindAnswer():
                    self.dialler.answered(item)
                case attention.Unbind():
                    self.sessions.leaving.unbinding(item)
                case attention.Unbound():
                    self.sessions.leaving.unbound(item)
                case attention.Fault():
                    self._close_fault(item)
                case attention.Answered():
                    pass

        def turned() -> None:
            holding.turned()
            self.sessions.leaving.turned()

        self.tick.attend = attend
        self.tick.turned = turned
        self.tick.forget = self.sessions.forget

    def _close_fault(self, item: attention.Fault) -> None:
        connection = self.tick.connections.get(item.link)
        if connection is not None:
            event = "esme.closed" if item.link.side is Side.ESME else "smsc.lost"
            about = {"system_id": item.link.system_id, "session": item.link.number}
            log.warning(event, **about, reason=item.problem)
            connection.close()

    def broken(self, _error: BaseException) -> None:
        """Stop being ready when a loop that must not end has ended."""
        if self._standing is not None:
            self._standing.is_started = False

    async def _listen(self, listener: Listener) -> None:
        host, port = listener.address
        tls = listener_context(listener.tls) if listener.tls is not None else None
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                self.sessions.accept,
                host,
                port,
                ssl=tls,
                backlog=1024,
                ssl_handshake_timeout=self.settings.timers.session_init_s if tls else None,
            )
        except OSError as error:
            raise cannot_listen(error, (host, port), f"({listener.name})") from error
        self._servers.append(server)
        bound = server.sockets[0].getsockname()
        self.addresses[listener.name] = (bound[0], bound[1])
        log.info("listener.opened", name=listener.name, address=f"{bound[0]}:{bound[1]}")

    async def reload(
        self, *, force: bool = False, by: str = "reload", note: str = ""
    ) -> tuple[str, ...]:
        """Read policies and senders again; return the faults. See Policies.reload."""
        faults = await self.policies.reload(force=force, by=by, note=note)
        if not faults:
            self.sessions.follow_accounts()
            if self._notifying is not None:
                self._notifying.follow(self.policies.senders)
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
        for server in self._servers:
            server.close()
        await self.sessions.leaving.drain()

    async def stop(self) -> None:
        """Close everything at once; after `drain` nothing is left to lose. Safe to repeat."""
        for server in self._servers:
            server.close()
        self.sessions.leaving.is_draining = True
        self.sessions.leaving.abort()
        await asyncio.sleep(0)
        if self._probes is not None:
            await self._probes.stop()
        if self._notifying is not None:
            self._notifying.stop()
        for loop in self._loops:
            loop.cancel()  # or those that follow the store would report it as failed
        await self._hand_over()
        if self._stores is not None:
            await self._stores.close()  # while its writer still runs
        await cancel_all(_STOP_S)
        if self._alone is not None:
            self._alone.release()
        left = await asyncio.to_thread(self.records.close, _STOP_S)
        log.info("gateway.stopped", records_left=left)

    async def _hand_over(self) -> None:
        """Let the store have what the last second noticed."""
        if self._warnings is not None:
            await self._warnings.hand_over()
        if self._suspensions is not None:
            await self._suspensions.hand_over()
        if self._reporting is not None:
            await self._reporting.finish()


def _set_aside() -> None:
    """Keep what is loaded by now, and stays, out of every later full collection."""
    gc.collect()
    gc.freeze()


def _target(smsc: Smsc) -> Target:
    host, port = smsc.address
    if smsc.tls is None:
        return Target(smsc.name, host, port)
    return Target(smsc.name, host, port, smsc_context(smsc.tls), smsc.tls.server_name or host)
