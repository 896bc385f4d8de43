"""The console as browsers meet it, without a network: its pages on stores of a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import TypeAdapter
from starlette.types import ASGIApp

from gateway.console.application import Console, build_api
from gateway.console.held_evidence import review_tools
from gateway.console.pages import PageParts, console_pages
from gateway.console.policies.jobs import CommandJobs
from gateway.console.policies.replay_pages import PolicyTools
from gateway.console.policies.workshop import PolicyWorkshop
from gateway.console.record_pages import RecordAccess
from gateway.domain.live import LiveModels, LivePolicy, LiveRates, LiveSmsc, LiveStatus
from gateway.domain.permissions import UserRole
from gateway.domain.policy import ContentRule, ReviewLimit
from gateway.domain.quarantine import HeldMessage
from gateway.domain.sender import PortOwners
from gateway.policy.hours import HolidayCalendar
from gateway.settings.gateway import LearningSettings
from gateway.stores import Stores
from gateway.systems.approvals.service import ApprovalDesk, TwoPersonRule
from gateway.systems.cases.model import CaseComplaint
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
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


SHIPPED = Path(__file__).resolve().parents[2] / "policies"
WORKDAYS = HolidayCalendar("test", years=frozenset({2025, 2026}))


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
    policies: Path = SHIPPED
    config: Path | None = None
    wait_s: float = 0.0
    learning: LearningSettings | None = None
    content: ContentRule = field(default_factory=ContentRule)

    def __post_init__(self) -> None:
        self.jobs = CommandJobs(self.clock.clocks.utcnow)

    def _policy_tools(self) -> PolicyTools:
        workshop = PolicyWorkshop(
            self.policies,
            self.stores.policies,
            self.stores.journals,
            self.clock.clocks.utcnow,
            wait_s=self.wait_s,
            two_persons=self.rule.switch_rule_off,
        )
        return PolicyTools(self.stores.policies, workshop, self.jobs, self.config)

    def app(self) -> ASGIApp:
        clocks = self.clock.clocks

        parts = PageParts(
            self.stores.database,
            self.ask,
            clocks.now,
            clocks.utcnow,
            review_tools(
                self.stores.journals,
                self.stores.samples,
                CITED.get,
                self.limit_of,
                learns=True,
            ),
            lambda: {"sp1": ("10690001",)},
            self.limits,
            ApprovalDesk(self.stores.approvals, self.rule),
            self._policy_tools(),
            lambda: WORKDAYS,
            self.learning,
            self.records,
            self.oidc,
            clocks.sleep,
        )
        pages = console_pages(parts)
        self.people, self.streams, self.pages = pages.people, pages.streams, pages.app
        return Console(build_api(ClientAccess((), clocks.now), ()), pages.app)

    def limit_of(self, category: str) -> ReviewLimit | None:
        """Return the time limit of a category by what `content` says now."""
        return self.content.limit_of(category)

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


async def complained(stores: Stores, text: str, senders: Sequence[str], at: datetime = NOON) -> int:
    """Hand in a complaint of each sender, valid and in one case; return that."""
    desk = ComplaintDesk(stores.complaints, lambda: PortOwners(()), lambda: at)
    given = [
        NewComplaint(
            source=ComplaintSource.CUSTOMER_SERVICE,
            source_id=f"c{number}",
            reported_at=at,
            sender=sender,
            text=text,
            reporter=8613800138000 + number,
            by="<script>alert(1)</script>",
        )
        for number, sender in enumerate(senders)
    ]
    taken = [one.number for one in await desk.receive(given)]
    await stores.complaints.judge(dict.fromkeys(taken))
    joined = [
        CaseComplaint(
            complaint=number,
            campaign="5f1c0a9b7d3e2468",
            sender=one.sender,
            reporter=one.reporter,
            taken_at=at,
            front_owner="中国移动/福建",
            category="loan",
        )
        for number, one in zip(taken, given, strict=True)
    ]
    first, *_ = await CaseDesk(stores.cases, lambda: WORKDAYS).take(joined, "matcher")
    await stores.complaints.cluster(dict.fromkeys(taken, first.case_number))
    return first.case_number


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
