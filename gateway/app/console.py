"""`smsward console`: pages and HTTP API as a process of its own, beside gateways on one store.

What it records, gateways follow as they follow each other; however slow it gets, no message
waits for it.
"""

import asyncio
import secrets
import signal
import ssl
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

import structlog
from fastapi import APIRouter

from gateway.app.event_dispatch import own_holds_in
from gateway.app.run import ReloadTrigger, stamps_of, watch
from gateway.console.application import Console, build_api, health, system_routers
from gateway.console.approved_acts import UnmaskQuota, two_person_rule
from gateway.console.held_evidence import citations_of, review_tools
from gateway.console.http_server import HttpServer
from gateway.console.operations_api import operations
from gateway.console.own_traffic import traffic_of
from gateway.console.pages import (
    ConsolePages,
    PageParts,
    console_pages,
    first_link,
    session_limits,
)
from gateway.console.policies.api import policies
from gateway.console.policies.jobs import CommandJobs
from gateway.console.policies.replay_pages import PolicyTools
from gateway.console.record_pages import record_access
from gateway.console.records_api import records_of
from gateway.domain.policy import ContentRule, ReviewLimit
from gateway.domain.sender import PortOwners
from gateway.domain.subscription import Hub, Service
from gateway.domain.suspension import ComplaintThreshold
from gateway.policy.checks.outside_window import AskingHours, asking_hours, usual_hours
from gateway.proxy.listener import listener_context
from gateway.runtime.child_process import give_way
from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.sealing import Keys
from gateway.runtime.tasks import asked_to_stop, cancel_all, spawn
from gateway.runtime.traces import start_tracing
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.console import (
    ConsoleSettings,
    load_console,
    load_port_owners,
    load_ports,
    load_system_ids,
)
from gateway.settings.directories import policies_directory
from gateway.settings.gateway import GatewaySettings, keys_of, load_gateway
from gateway.settings.schema import Address
from gateway.settings.services import load_offered
from gateway.settings.yaml import FaultCollector, SettingsError
from gateway.storage.errors import StoreUnavailable
from gateway.storage.open import file_of, is_made, place_of
from gateway.stores import Stores, open_store
from gateway.systems.approvals.service import ApprovalDesk
from gateway.systems.complaints.service import ComplaintDesk, PortReview
from gateway.systems.number_codes.api import Subscribers
from gateway.systems.number_codes.service import Chance, Guesses, NumberCodeDesk
from gateway.systems.number_codes.sql import CODE_DIGITS
from gateway.systems.quarantine.review_tools import ReviewTools, RuleCitation
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.subscriptions.order_requests import Courtesy, OrderDesk
from gateway.systems.users.model import SessionLimits, UserAct
from gateway.systems.users.oidc import OidcProvider
from gateway.systems.users.sql import UserStore
from gateway.terminal.control import ask
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.options import acting
from gateway.web.access import ClientAccess, NoteLook
from gateway.web.systems import ApiContext

log = structlog.get_logger()
T = TypeVar("T")


_CHANCE = Chance(
    lambda: f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}",
    partial(secrets.token_urlsafe, 32),
    partial(secrets.token_hex, 12),
)

_STOP_S, _SHOWN_FAULTS = 3.0, 20
_NO_HUB = Hub()


class ConsoleProcess:
    """One console process, to be made inside its running loop. `senders` are the SPs there are.

    `services` are what they offer, and from `hub` codes go to subscribers. They are asked within
    the usual hours until it is told others. The store is sealed with `keys`. With the settings of
    its `gateway`, SPs may ask that and its records for their own traffic.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        senders: Collection[str],
        store_url: str,
        *,
        services: Collection[Service] = (),
        hub: Hub = _NO_HUB,
        keys: Keys | None = None,
    ) -> None:
        self.gateway: GatewaySettings | None = None
        self.config: Path | None = None
        self.policies = policies_directory()
        self.jobs = CommandJobs(utcnow)
        self.policy_tools: PolicyTools | None = None
        self.threshold = ComplaintThreshold()
        self.ports: Mapping[str, tuple[str, ...]] = {}
        self.owners = PortOwners(())
        self.senders = senders
        self.catalogue = Catalogue(services)
        self.hub = hub
        self.hours = usual_hours()
        self.announce: Callable[[str], object] | None = None
        self.cited: Mapping[str, RuleCitation] = {}
        self.content = ContentRule()
        self.settings = settings
        self._store_url = store_url
        self.store_max_octets: int | None = None
        self._keys = keys
        self._access = ClientAccess(settings.clients, monotonic)
        self._stores: Stores | None = None
        self._server: HttpServer | None = None
        self._pages: ConsolePages | None = None

    @property
    def port(self) -> int:
        """Return the port that is open; only after `start`."""
        assert self._server is not None  # noqa: S101 - a caller's mistake
        return self._server.port

    async def start(self) -> None:
        """Open the store and the port.

        The store must be there: in the wrong directory a new one would swallow refusals that
        no gateway reads. Raises StoreUnavailable, OSError or ssl.SSLError; call `stop` then.
        """
        tls = self.settings.tls
        context = listener_context(tls) if tls is not None else None
        if file_of(self._store_url) is not None and not is_made(self._store_url):
            raise StoreUnavailable(
                f"there is no store at {place_of(self._store_url)}: start the gateway first,"
                " and the console in the directory that it runs in"
            )
        stores = self._stores = await open_store(
            self._store_url, keys=self._keys, max_octets=self.store_max_octets
        )
        tools = self.policy_tools = self.policy_tools_on(stores)
        api = build_api(self._access, routers_of(stores, self), stores.api_answers)
        oidc = self.settings.oidc
        parts = PageParts(
            stores.database,
            self.ask,
            monotonic,
            utcnow,
            self.review_tools(stores),
            lambda: ports_of(self),
            self.session_limits,
            self.approval_desk(stores),
            tools,
            lambda: self.hours.calendar,
            None if self.gateway is None else self.gateway.learning,
            record_access(self.gateway, lambda: self.ports),
            None if oidc is None else OidcProvider(oidc, monotonic, utcnow),
        )
        self._pages = console_pages(parts)
        pages = self._pages.app
        application = Console(api, pages, is_behind_tls=self.settings.behind_tls_proxy)
        address = self.settings.address
        self._server = HttpServer(
            address,
            application,
            whom="for the API",
            file="console.yaml",
            tls=context,
            find_client=self._client_of,
        )
        await self._server.start()
        await self._welcome(stores.users)
        log.info(
            "api.opened",
            address=f"{address.host}:{self.port}",
            clients=len(self.settings.clients),
        )

    async def _welcome(self, users: UserStore) -> None:
        """Say on the terminal where the console is, and how the first admin signs in.

        Without `announce` nothing is said, and no user made: a link in a log would be everybody's.
        """
        url, is_first = self.url, not any(one.is_enrolled for one in await users.listed())
        if self.announce is None:
            if is_first:
                log.warning("console.no_users", do="smsward user add NAME admin")
            return
        self.announce(f"console: {url}/")
        if is_first:
            link = await first_link(users, UserAct(acting(None), utcnow()))
            self.announce(f"nobody can sign in yet: {link.name} sets a password here, once:")
            self.announce(f"  {url}/enrol/{link.token}")

    @property
    def session_limits(self) -> SessionLimits:
        """Return how long sessions of users last, and how many each has."""
        return session_limits(self.settings.sessions)

    @property
    def url(self) -> str:
        """Return where browsers find it, as far as this machine knows; only after `start`."""
        scheme = "http" if self.settings.tls is None else "https"
        return f"{scheme}://{Address(self.settings.address.host, self.port)}"

    def keep_hours(self, hours: AskingHours) -> None:
        """Ask subscribers within these hours from now on."""
        was, self.hours = self.hours, hours
        if _told_by(hours) != _told_by(was):
            log.info("api.hours_changed")

    def know(
        self, settings: ConsoleSettings, senders: Collection[str], services: Collection[Service]
    ) -> None:
        """Take over clients, SPs and services; what else is set stays until a restart."""
        self._access.know(settings.clients)
        self.senders = senders
        self.catalogue = Catalogue(services)
        log.info("api.reloaded", clients=len(settings.clients), senders=len(senders))

    def policy_tools_on(self, stores: Stores) -> PolicyTools:
        """Return what pages and API of the policy work with."""
        places = self.policies, self.config, self.jobs
        is_shared = self.settings.two_persons.switch_rule_off
        return PolicyTools.on(stores.policies, stores.journals, *places, two_persons=is_shared)

    def approval_desk(self, stores: Stores) -> ApprovalDesk:
        """Return what asks for approvals of acts that need two persons."""
        return ApprovalDesk(stores.approvals, two_person_rule(self.settings.two_persons))

    def note_unmasking(self, stores: Stores) -> NoteLook:
        """Return what keeps in the audit that a program sees whole numbers, or refuses it."""
        return UnmaskQuota(self.approval_desk(stores), stores.journals).note

    def records(self, stores: Stores, settings: GatewaySettings) -> APIRouter:
        """Return the routes of the records of a gateway."""
        return records_of(settings, stores.journals, self.note_unmasking(stores), utcnow)

    def review_tools(self, stores: Stores) -> ReviewTools:
        """Return what a review asks of other parts."""
        learns = self.gateway is not None and self.gateway.learning.samples
        kept = stores.journals, stores.samples
        return review_tools(*kept, self._cite, self._limit_of, learns=learns)

    def _cite(self, rule: str) -> RuleCitation | None:
        return self.cited.get(rule)

    def _limit_of(self, category: str) -> ReviewLimit | None:
        return self.content.limit_of(category)

    async def ask(self, do: str, answer: type[T], **said: object) -> T:
        """Return what the running gateway answers. Raises CommandError."""
        if self.gateway is None:
            raise CommandError("gateway.yaml is not known here")
        return await asyncio.to_thread(partial(ask, self.gateway.store.control, do, answer, **said))

    def _client_of(self, shown: str) -> str | None:
        client = self._access.find(shown)
        if client is not None:
            return client.name
        return None if self._pages is None else self._pages.people.name_of(shown)

    async def stop(self) -> None:
        """Answer what is under way, and close. Safe to repeat."""
        if self._pages is not None:
            self._pages.streams.close()
        if self._server is not None:
            await self._server.stop()
        await self.jobs.stop()
        if self._stores is not None:
            await self._stores.close()
        await cancel_all(_STOP_S)
        log.info("api.stopped")


def ports_of(console: ConsoleProcess) -> dict[str, tuple[str, ...]]:
    """Return the ports of each SP there is."""
    return {one: console.ports.get(one, ()) for one in console.senders}


def routers_of(stores: Stores, console: ConsoleProcess) -> list[APIRouter]:
    """Return all routes there are, on `stores`."""
    routers = [
        operations(console.ask),
        policies(console.policy_tools or console.policy_tools_on(stores), utcnow),
        health(stores.changes, monotonic),
        *system_routers(api_context(stores, console)),
    ]
    if console.gateway is None:
        return routers
    own = traffic_of(console.gateway, lambda: console.ports)
    return [*routers, console.records(stores, console.gateway), own]


def api_context(stores: Stores, console: ConsoleProcess) -> ApiContext:
    """Return what the routes of systems are built from."""
    # One code for all: a number that asks twice finds one conversation.
    port = min(console.hub.codes, default=None)
    desk = NumberCodeDesk(stores.number_codes, port, _CHANCE) if port is not None else None
    known = Subscribers(desk, utcnow, Guesses(monotonic))
    review = PortReview(stores.complaints, stores.suspended_ports, lambda: console.threshold)
    # A gateway that has taken over other hours lets a request wait for those too.
    courtesy = Courtesy(stores.preferences, lambda: console.hours)
    return ApiContext(
        stores.database,
        utcnow,
        lambda: console.hours.calendar,
        lambda: ports_of(console),
        (
            known,
            console.review_tools(stores),
            console.session_limits,
            own_holds_in(stores),
            OrderDesk(stores.subscriptions, stores.consent, courtesy, lambda: console.catalogue),
            ComplaintDesk(stores.complaints, lambda: console.owners, review=review),
        ),
        console.note_unmasking(stores),
        known,
        console.settings.two_persons,
    )


def serve_console(
    config: Path, policies: Path, announce: Callable[[str], object] | None = None
) -> int:
    """Run the API until it is told to stop; return the process's exit code.

    SIGTERM and SIGINT stop it; SIGHUP and changes of files below the two directories reload
    clients, SPs, how many complaints suspend a port, and the hours of the policy. 2 when the
    settings are at fault, 1 when it could not start. `announce` tells a person where it is, and
    the one-time link of the first admin where no user can sign in yet.
    """
    return asyncio.run(_serve(config, policies, announce))


async def _serve(config: Path, policies: Path, announce: Callable[[str], object] | None) -> int:
    stamps = await asyncio.to_thread(stamps_of, (config, policies))
    gathering = FaultCollector()
    settings = gathering.take(lambda: load_gateway(config / "gateway.yaml"), None)
    known = gathering.take(lambda: _known(config), None)
    keys = None if settings is None else gathering.take(partial(keys_of, settings), None)
    of_policy = gathering.take(lambda: _of_policy(policies), None)
    if settings is None or known is None or gathering.faults:
        for fault in gathering.faults:
            print(fault, file=sys.stderr)  # noqa: T201 - for a person, before there is a log
        return ExitCode.MISUSED
    give_way()
    start_tracing("smsward-console")
    asked, cause = asked_to_stop(), ReloadTrigger()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, cause.arise, "SIGHUP")
    own, senders, services = known
    console = ConsoleProcess(
        own, senders, settings.store.url, services=services, hub=settings.hub, keys=keys
    )
    console.config, console.policies = config, policies
    console.gateway, console.ports = settings, load_ports(config / "senders.yaml")
    console.announce = announce
    console.threshold = settings.complaints.threshold
    console.owners = load_port_owners(config / "senders.yaml")
    if of_policy is not None:
        console.hours, console.cited, console.content = of_policy
    console.store_max_octets = settings.store.max_octets
    try:
        await console.start()
    except (OSError, StoreUnavailable, ssl.SSLError) as error:
        log.error("api.failed", said=str(error))
        await console.stop()
        return ExitCode.FAILED
    spawn(watch(lambda: (config, policies), cause, stamps), name="watch")
    spawn(_reload_on(cause, console, config, policies), name="reload")
    await asked.wait()
    await console.stop()
    return ExitCode.FINE


def _known(config: Path) -> tuple[ConsoleSettings, frozenset[str], tuple[Service, ...]]:
    senders = load_system_ids(config / "senders.yaml")
    return load_console(config / "console.yaml", senders), senders, load_offered(config)


def _told_by(hours: AskingHours) -> tuple[object, ...]:
    return hours.windows, hours.calendar, hours.zones.default


def _of_policy(policies: Path) -> tuple[AskingHours, dict[str, RuleCitation], ContentRule]:
    bundle = load_bundle(policies)
    return asking_hours(bundle.rules, bundle.surroundings), citations_of(bundle), bundle.content


async def _reload_on(
    cause: ReloadTrigger, console: ConsoleProcess, config: Path, policies: Path
) -> NoReturn:
    while True:
        await cause.next()
        try:
            known = await asyncio.to_thread(_known, config)
            console.ports = await asyncio.to_thread(load_ports, config / "senders.yaml")
            console.owners = await asyncio.to_thread(load_port_owners, config / "senders.yaml")
            settings = await asyncio.to_thread(load_gateway, config / "gateway.yaml")
            console.threshold = settings.complaints.threshold
        except SettingsError as error:
            log.error("api.refused", faults=[str(fault) for fault in error.faults])
        else:
            console.know(*known)
        # For itself: a fault in a policy must not keep a client that was taken off.
        try:
            hours, console.cited, console.content = await asyncio.to_thread(_of_policy, policies)
        except SettingsError as error:
            faults = [str(fault) for fault in error.faults[:_SHOWN_FAULTS]]
            log.error("api.policy_refused", faults=faults, count=len(error.faults))
        else:
            console.keep_hours(hours)
