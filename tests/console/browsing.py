"""The console as browsers meet it, without a network: its pages on stores of a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import TypeAdapter
from starlette.types import ASGIApp

from gateway.console.application import Console, build_api
from gateway.console.held_evidence import review_tools
from gateway.console.pages import PageParts, console_pages
from gateway.console.record_pages import RecordAccess
from gateway.domain.live import LiveModels, LivePolicy, LiveRates, LiveSmsc, LiveStatus
from gateway.domain.permissions import UserRole
from gateway.domain.quarantine import HeldMessage
from gateway.stores import Stores
from gateway.systems.approvals.service import ApprovalDesk, TwoPersonRule
from gateway.systems.quarantine.review_tools import RuleCitation
from gateway.systems.users.model import SessionLimits
from gateway.systems.users.oidc import OidcProvider
from gateway.terminal.failure import CommandError
from gateway.web.access import ClientAccess
from simulators.builders import submit_sm, ucs2
from tests.systems.users.people import NOON, PASSWORD, Person, StillClock, enrolled

T = TypeVar("T")

SAME = {"Sec-Fetch-Site": "same-origin"}
STATUS = LiveStatus(
    since=NOON,
    version="1",
    is_ready=True,
    is_degraded=False,
    failing=(),
    warnings=("<b>disk</b>",),
    policy=LivePolicy("shipped", "0123456789abcdef", "balanced", NOON, 0),
    models=LiveModels("", "", NOON, ""),
    sessions={"sp1": 2},
    window_used=0,
    window=20,
    per_s={"forwarded": 12.5, "held": 0.5, "rejected": 0.0},
    backlog={"deferred": 3},
    smscs=(
        LiveSmsc(
            "main", "127.0.0.1:2775", "all", is_up=False, since=NOON, binds=0, is_drained=False
        ),
    ),
    read_s={"consent": 0.1, "filings": 2.0},
    reasons={"reject CONTENT": 7, "quarantine CONTENT": 30},
    latency_ms={"p50": 1.25, "p99": 9.5},
    behind=("filings",),
    free_octets={"store": 3 << 30, "records": 5 << 20},
)
RATES = tuple(
    LiveRates(
        NOON + timedelta(seconds=15 * step),
        {"forwarded": 10.0 + step % 7, "held": 0.5, "rejected": step % 3 / 10},
        None if step < 4 else 2.5,
    )
    for step in range(60)
)

CITED = {
    "K-LOAN": RuleCitation("关键词库 loan", "The word list loan", "通信短信息服务管理规定（2015）")
}


@dataclass
class Site:
    """The console as browsers meet it, its clock, and how the gateway stands."""

    stores: Stores
    clock: StillClock = field(default_factory=StillClock)
    status: LiveStatus | str = STATUS
    rule: TwoPersonRule = field(default_factory=TwoPersonRule)
    limits: SessionLimits = field(default_factory=SessionLimits)
    rates: tuple[LiveRates, ...] = RATES
    records: RecordAccess | None = None
    answers: dict[str, object] = field(default_factory=dict)
    orders: list[dict[str, object]] = field(default_factory=list)
    oidc: OidcProvider | None = None

    def app(self) -> ASGIApp:
        clocks = self.clock.clocks

        parts = PageParts(
            self.stores.users,
            self.stores.user_sessions,
            self.ask,
            clocks.now,
            clocks.utcnow,
            self.stores.quarantine,
            self.stores.reviews,
            self.stores.campaigns,
            self.stores.leases,
            review_tools(self.stores.journals, self.stores.samples, CITED.get, learns=True),
            self.stores.journals,
            lambda system_id: system_id == "sp1",
            self.limits,
            ApprovalDesk(self.stores.approvals, self.rule),
            self.records,
            self.stores.filings,
            self.stores,
            self.oidc,
        )
        pages = console_pages(parts)
        self.people, self.streams = pages.people, pages.streams
        return Console(build_api(ClientAccess((), clocks.now), ()), pages.app)

    async def ask(self, do: str, answer: type[T], **said: object) -> T:
        """Answer as the gateway does; a text in place of an answer is why there is none."""
        self.orders += [{"do": do, **said}] if said else []
        usual = {"status": self.status, "rates": self.rates, "sessions": (), "senders": ()}
        found = {**usual, **self.answers}[do]
        if isinstance(found, str):
            raise CommandError(found)
        return TypeAdapter(answer).validate_python(found)


async def post(
    browser: httpx.AsyncClient,
    path: str,
    fields: Mapping[str, str] = MappingProxyType({}),
    headers: Mapping[str, str] = SAME,
) -> httpx.Response:
    return await browser.post(path, content=urlencode(fields).encode(), headers=headers)


async def sign_in(
    browser: httpx.AsyncClient,
    site: Site,
    role: UserRole = UserRole.ADMIN,
    system_id: str = "",
    name: str = "lin",
    province: str = "",
) -> Person:
    person = await enrolled(site.stores, name, role=role, system_id=system_id, province=province)
    answer = await post(
        browser,
        "/sign-in",
        {"name": name, "password": PASSWORD, "code": person.code(site.clock.at)},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return person


FIRST = 8_1764072000000_01_000
CAMPAIGN = "c0123456789abcdef"
DIGEST = "0123456789ab"


def held_with(text: str, **changes: object) -> HeldMessage:
    """Return a held message with this text; give what should be otherwise."""
    usual = HeldMessage(
        message_id=FIRST,
        system_id="shop",
        source="10690001",
        destination="13800138000",
        pdu=submit_sm("10690001", "13800138000", ucs2(text)),
        reason="CONTENT",
        rule="K-LOAN",
        category="loan",
        evidence="黑户贷款",
        digest=DIGEST,
        receipt_asked=True,
        held_at=NOON,
        expires_at=NOON + timedelta(days=1),
        campaign=CAMPAIGN,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]
