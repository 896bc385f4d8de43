"""The API on stores in memory, with a client of each role."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from operator import is_
from pathlib import Path
from typing import TypeVar

import httpx
import orjson
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import TypeAdapter

from gateway.app.event_dispatch import own_holds_in
from gateway.console.application import build_api, health, system_routers
from gateway.console.approved_acts import UnmaskQuota
from gateway.console.held_evidence import review_tools
from gateway.console.operations_api import operations
from gateway.console.own_traffic import own_traffic
from gateway.console.policies.api import policies
from gateway.console.policies.jobs import CommandJobs
from gateway.console.policies.replay_pages import PolicyTools
from gateway.console.policies.workshop import PolicyWorkshop
from gateway.console.records_api import RecordParts, records
from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.domain.consent import ConsentAnswer
from gateway.domain.live import (
    LiveLimits,
    LiveModels,
    LivePolicy,
    LiveSender,
    LiveSession,
    LiveSmsc,
    LiveStatus,
    SuspendedSender,
)
from gateway.domain.policy import ContentRule, OverdueAction, ReviewLimit
from gateway.domain.sender import PortOwners
from gateway.domain.subscription import Cycle, Service, Terms
from gateway.policy.checks.outside_window import usual_hours
from gateway.policy.hours import HolidayCalendar
from gateway.records.archive import RecordArchive
from gateway.records.sender_messages import SenderRecords
from gateway.runtime.logging import configure_logging
from gateway.settings.console import TwoPersonSettings
from gateway.stores import Stores
from gateway.systems.approvals.service import ApprovalDesk, TwoPersonRule
from gateway.systems.complaints.service import ComplaintDesk
from gateway.systems.number_codes.api import Subscribers
from gateway.systems.number_codes.service import Chance, Guesses, NumberCodeDesk
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.subscriptions.order_requests import Courtesy, OrderDesk
from gateway.systems.users.model import SessionLimits
from gateway.terminal.failure import CommandError
from gateway.web.access import ClientAccess, NoteLook
from gateway.web.systems import ApiContext
from tests.memory_stores import memory_stores
from tests.policy.conftest import sender

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
REVIEW_LIMITS = {"loan": ReviewLimit(4 * 3600, OverdueAction.RELEASE)}
HUB, CODE = "10086", "482913"
OWNERS = PortOwners([sender()])  # 10690001 with four digits more
PORTS = {"sp1": ("10690001",), "sp2": ("10690009",)}
T = TypeVar("T")
SUSPENDED = SuspendedSender("sp1", NOON, "api: operator", "工单 2026-118")
LIVE_SMSC = LiveSmsc("a", "192.0.2.9:2775", "default", True, NOON, 2, False)
LIVE_STATUS = LiveStatus(
    since=NOON,
    version="1.0.0",
    is_ready=True,
    is_degraded=False,
    failing=(),
    warnings=(),
    policy=LivePolicy("cn", "3f1d9a07b2e4", "usual", NOON, 0),
    models=LiveModels("", "", NOON, ""),
    sessions={"sp1": 1, "sp2": 1},
    window_used=2,
    window=20,
    per_s={"forwarded": 12.5},
    backlog={"held": 3},
    smscs=(LIVE_SMSC,),
    read_s={"consent": 0.2},
)
LIVE_SESSION = LiveSession(17, "sp1", "bind_transceiver", "192.0.2.7", NOON, 1, 10, 3.5, True)
LIVE_LIMITS = LiveLimits(
    *(50.0, 100, 100, {"forwarded": 12.5}, 1, 4, 10, 1, 3, 1000, 900, 10_000_000),
    caps=(),
    hours=(),
)
LIVE_SENDER = LiveSender(
    "sp1", "示例商城", "active", None, {"10690001": "commercial"}, 1, 4, 10, 50, {}, {}
)
WEATHER = Terms("示例商城", "天气", "10690001", 500, Cycle.MONTH)
CATALOGUE = Catalogue([Service("sp1", "weather", WEATHER, ("DY天气",))])


def client_named(name: str, role: ApiRole, **more: object) -> ApiClient:
    """Return a client whose token is its name and then some."""
    digest = sha256(token_of(name).encode()).digest()
    return ApiClient(name, role, digest, **more)  # type: ignore[arg-type]


def token_of(name: str) -> str:
    return sha256(f"the token of {name}".encode()).hexdigest()


# Prints an answer as commands do, whatever it is asked.
NO_COMMAND = (sys.executable, "-c", "print('{\"rules\": []}')")
STAFF = (
    *(ApiRole.VIEWER, ApiRole.REVIEWER, ApiRole.SENIOR_REVIEWER),
    *(ApiRole.OPERATOR, ApiRole.AUDITOR, ApiRole.ADMIN),
)
CLIENTS = (
    client_named("shop", ApiRole.SP, system_id="sp1"),
    client_named("other", ApiRole.SP, system_id="sp2"),
    client_named("营业厅", ApiRole.CLERK, channels=(RefusalChannel.HALL,)),
    client_named(
        "客服", ApiRole.CLERK, channels=(RefusalChannel.WEB, RefusalChannel.CUSTOMER_SERVICE)
    ),
    client_named("12321", ApiRole.CLERK, channels=(RefusalChannel.HALL, RefusalChannel.COMPLAINT)),
    client_named("other desk", ApiRole.CLERK, channels=(RefusalChannel.COMPLAINT,)),
    client_named("app", ApiRole.APP),
    client_named("other app", ApiRole.APP),
    client_named("police", ApiRole.INVESTIGATOR),
    client_named("officer", ApiRole.OFFICER),
    client_named("second officer", ApiRole.OFFICER),
    *(client_named(role, role) for role in STAFF),
    client_named("regulator", ApiRole.REGULATOR, province="福建"),
)


class GatewayDouble:
    """Answers as the running gateway does, and keeps what it was told to do."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = {
            "status": LIVE_STATUS,
            "sessions": (LIVE_SESSION, replace(LIVE_SESSION, number=18, system_id="sp2")),
            "senders": (LIVE_SENDER, replace(LIVE_SENDER, system_id="sp2")),
            "session close": (17,),
            "sender suspend": SUSPENDED,
            "sender resume": SUSPENDED,
            "smsc drain": "a",
            "smsc resume": "a",
        }
        self.orders: list[tuple[str, dict[str, object]]] = []
        self.failure: CommandError | None = None

    async def ask(self, do: str, answer: type[T], **said: object) -> T:
        """Return the answer to a question, or raise the failure that is set."""
        if said:
            self.orders.append((do, said))
        if self.failure is not None:
            raise self.failure
        return TypeAdapter(answer).validate_python(self.answers[do])


async def _no_pause() -> None:
    """Let tests hurry."""


@dataclass
class Desk:
    """The application, what it works on, and the times that tests move."""

    stores: Stores
    now: datetime = NOON
    monotonic: float = 0.0
    slept: list[float] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=lambda: count(1))
    records: Path = Path("no-records")
    limits: dict[str, LiveLimits] = field(default_factory=dict)
    policies: Path = Path("no-policies")
    rule: TwoPersonRule = field(default_factory=TwoPersonRule)
    jobs: CommandJobs = field(default_factory=lambda: CommandJobs(lambda: NOON, NO_COMMAND))
    gateway: GatewayDouble = field(default_factory=GatewayDouble)

    def __post_init__(self) -> None:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        self.guesses = Guesses(lambda: self.monotonic)
        self.access = ClientAccess(CLIENTS, lambda: self.monotonic, sleep)
        self._parts: tuple[object, ...] = (None,) * 6

    def app(self) -> FastAPI:
        """Return the application, the same while what it was built on is: building takes long."""
        parts = (self.stores, self.access, self.records, self.policies, self.rule, self.jobs)
        if not all(map(is_, parts, self._parts)):
            self._app, self._parts = self._built(), parts
        return self._app

    def _built(self) -> FastAPI:
        stores, utcnow = self.stores, lambda: self.now
        archive = RecordArchive(self.records)
        parts = RecordParts(archive, None, stores.journals, self.note_unmasking, utcnow)
        return build_api(
            self.access,
            [
                operations(self.gateway.ask),
                policies(self.policy_tools(), utcnow),
                records(parts),
                health(stores.changes, lambda: self.monotonic),
                self.of_traffic(),
                *system_routers(self.context()),
            ],
            stores.api_answers,
        )

    def context(self) -> ApiContext:
        """Return what the routes of systems are built from."""
        stores, utcnow, names = self.stores, lambda: self.now, self.names
        limit_of = ContentRule(review=REVIEW_LIMITS).limit_of
        chance = Chance(lambda: CODE, lambda: f"session-{next(names)}", lambda: "code")
        code_desk = NumberCodeDesk(stores.number_codes, HUB, chance, pause=_no_pause)
        known = Subscribers(code_desk, utcnow, self.guesses)
        return ApiContext(
            stores.database,
            utcnow,
            lambda: HolidayCalendar("none"),
            lambda: PORTS,
            (
                known,
                SessionLimits(),
                review_tools(stores.journals, stores.samples, limit_of=limit_of, learns=True),
                own_holds_in(stores),
                OrderDesk(
                    stores.subscriptions,
                    stores.consent,
                    Courtesy(stores.preferences, usual_hours),
                    lambda: CATALOGUE,
                    lambda: f"order-{next(names)}",
                ),
                ComplaintDesk(stores.complaints, lambda: OWNERS, utcnow=utcnow),
            ),
            self.note_unmasking,
            known,
            TwoPersonSettings(),
        )

    @property
    def note_unmasking(self) -> NoteLook:
        """Return what keeps in the audit that a program sees whole numbers, or refuses it."""
        desk = ApprovalDesk(self.stores.approvals, self.rule)
        return UnmaskQuota(desk, self.stores.journals).note

    def policy_tools(self) -> PolicyTools:
        """Return what the routes of the policy stand on, with the bundle below `policies`."""
        store, utcnow = self.stores.policies, lambda: self.now
        workshop = PolicyWorkshop(
            self.policies,
            store,
            self.stores.journals,
            utcnow,
            wait_s=0.0,
            two_persons=self.rule.switch_rule_off,
        )
        return PolicyTools(store, workshop, self.jobs, Path("config"))

    def of_traffic(self) -> APIRouter:
        """Return the routes of an SP's own traffic, with the records below `records`."""

        async def limits_of(system_id: str) -> LiveLimits | None:
            return self.limits.get(system_id)

        clock = (lambda: self.monotonic, lambda: self.now)
        own = SenderRecords(RecordArchive(self.records), None, lambda: PORTS, clock)
        return own_traffic(own, limits_of, lambda: self.now)

    @asynccontextmanager
    async def asking(
        self, name: str | None, address: str = "192.0.2.1", app: FastAPI | None = None
    ) -> AsyncIterator[httpx.AsyncClient]:
        """Give what sends requests with the token of the client `name`, or without one."""
        headers = {"Authorization": f"Bearer {token_of(name)}"} if name is not None else {}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app or self.app(), client=(address, 50_000)),
            base_url="http://api",
            headers=headers,
        ) as client:
            yield client

    async def ask(self, name: str | None, method: str, path: str, **more: object) -> httpx.Response:
        """Send one request of the client `name`."""
        async with self.asking(name) as client:
            return await client.request(method, path, **more)  # type: ignore[arg-type]


Ask = Callable[..., Awaitable[httpx.Response]]
AskOnce = Callable[..., httpx.Response]


@pytest.fixture
def desk(stores: Stores) -> Desk:
    return Desk(stores)


@pytest.fixture
def ask(desk: Desk) -> Ask:
    """Send one request: the client's name, method, path, and what httpx takes besides."""
    return desk.ask


@pytest.fixture
def app(desk: Desk) -> FastAPI:
    return desk.app()


@pytest.fixture
def at(desk: Desk) -> Callable[[datetime], None]:
    """Set the clock."""

    def at(moment: datetime) -> None:
        desk.now = moment

    return at


@pytest.fixture
def slept(desk: Desk) -> list[float]:
    """Return for how long strangers had to wait."""
    return desk.slept


@pytest.fixture
def log() -> list[dict[str, object]]:
    """Collect what is logged, as a machine would read it."""
    lines: list[dict[str, object]] = []
    configure_logging(json=True, strict=True, sink=lambda line: lines.append(orjson.loads(line)))
    return lines


@pytest.fixture(scope="session")
def ask_once() -> AskOnce:
    """Return what asks a new desk, for each example of a property."""

    async def ask(
        name: str,
        method: str,
        path: str,
        *,
        before: Sequence[ConsentAnswer] = (),
        **more: object,
    ) -> httpx.Response:
        async with memory_stores() as stores:
            await stores.consent.record(before)
            return await Desk(stores).ask(name, method, path, **more)

    return lambda *asked, **more: asyncio.run(ask(*asked, **more))
