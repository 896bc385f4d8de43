"""The pages as one application, and who is signed in to it."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from fastapi import APIRouter, FastAPI
from starlette.requests import cookie_parser

from gateway.console.application import build_pages
from gateway.console.approved_acts import (
    ReleaseApprovals,
    RuleSwitchApprovals,
    UnmaskQuota,
    admin_approvals,
)
from gateway.console.casework import (
    CASEWORK_LINKS,
    CASEWORK_PACKAGES,
    CaseworkStores,
    casework_pages,
    models_in,
)
from gateway.console.live_streams import LiveStreams
from gateway.console.overview_pages import (
    EVENTS,
    LIVE,
    START,
    Overview,
    SharedStatus,
    overview_pages,
    status_of,
)
from gateway.console.policies.pages import POLICIES
from gateway.console.policies.replay_pages import REPLAY, PolicyTools, policy_routers
from gateway.console.province_page import ProvincePage
from gateway.console.record_pages import (
    TRACE,
    TRAFFIC,
    RecordAccess,
    RecordDesk,
    record_pages,
)
from gateway.console.sender_pages import (
    NUMBERS,
    SENDERS,
    NumberDesk,
    NumberStores,
    SenderDesk,
    number_pages,
    sender_pages,
)
from gateway.console.session_pages import SESSIONS, SessionDesk, session_pages
from gateway.domain.permissions import UserRole
from gateway.policy.hours import HolidayCalendar
from gateway.session.stranger_limits import EventQuota, Lockouts
from gateway.settings.console import SessionSettings
from gateway.settings.gateway import LearningSettings
from gateway.storage.journals import SqlJournals
from gateway.systems.approvals.pages import APPROVALS, ApprovalPage, approval_pages
from gateway.systems.approvals.service import ApprovalDesk
from gateway.systems.audit.pages import AUDIT, CHAIN, AuditReading, audit_pages
from gateway.systems.audit.service import ChainVerification
from gateway.systems.filings.sql import FilingStore
from gateway.systems.quarantine.agreement.counts import AgreementStore
from gateway.systems.quarantine.agreement.pages import AgreementPage
from gateway.systems.quarantine.campaign_pages import JOBS, CampaignReview
from gateway.systems.quarantine.campaigns import CampaignDesk, CampaignStore
from gateway.systems.quarantine.decisions import ReviewDesk, ReviewStore
from gateway.systems.quarantine.exception_pages import ExceptionReview
from gateway.systems.quarantine.exceptions import ExceptionDesk, ExceptionStore
from gateway.systems.quarantine.leases.pages import LEASE, ShownLeases
from gateway.systems.quarantine.leases.store import LeaseStore
from gateway.systems.quarantine.pages import ARRIVALS, HELD, HeldReview, held_pages
from gateway.systems.quarantine.review_tools import ReviewTools
from gateway.systems.quarantine.second_reviews import SecondReviewStore
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.users.credentials import token_digest
from gateway.systems.users.model import SessionLimits, UserAct, UserSession
from gateway.systems.users.oidc import OidcDesk, OidcProvider, OidcStores
from gateway.systems.users.oidc_pages import oidc_pages
from gateway.systems.users.own_pages import own_pages
from gateway.systems.users.pages import choice_pages, enrol_pages, is_public, sign_in_pages
from gateway.systems.users.service import IssuedLink, UserDesk
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sign_in import SignInClocks, SignInDesk
from gateway.systems.users.sql import UserStore
from gateway.systems.users.user_pages import USERS, UserAdministration, user_pages
from gateway.terminal.control import AskGateway
from gateway.web.pages import SESSION_COOKIE, Templates

# A page that is open asks for these by itself: nobody need be there.
_ASKED_BY_PAGES = frozenset({LIVE, EVENTS, CHAIN, ARRIVALS, JOBS, LEASE})
_REPLAY_STATE = re.compile(f"{re.escape(REPLAY)}/[^/]+/state")

LINKS = (
    START,
    SESSIONS,
    SENDERS,
    TRAFFIC,
    TRACE,
    NUMBERS,
    HELD,
    *CASEWORK_LINKS,
    POLICIES,
    APPROVALS,
    USERS,
    AUDIT,
)
PACKAGES = {
    "web": "gateway.web",
    "approvals": "gateway.systems.approvals",
    "audit": "gateway.systems.audit",
    "console": "gateway.console",
    **CASEWORK_PACKAGES,
    "policies": "gateway.console.policies",
    "quarantine": "gateway.systems.quarantine",
    "users": "gateway.systems.users",
}
SIGN_INS_PER_MINUTE = 10
REFUSALS_AUDITED = 10  # a minute, and as many counts: strangers cannot fill the audit

FIRST_ADMIN = "admin"

_MOST_KNOWN = 1000


def session_limits(said: SessionSettings) -> SessionLimits:
    """Return how long sessions of users last, and how many each has."""
    idle, absolute = timedelta(minutes=said.idle_minutes), timedelta(hours=said.absolute_hours)
    return SessionLimits(idle, absolute, said.per_user)


async def first_link(users: UserStore, act: UserAct) -> IssuedLink:
    """Return a one-time link of the first admin, a new user or the one there is."""
    desk = UserDesk(users)
    if await users.get(FIRST_ADMIN) is None:
        return await desk.add(FIRST_ADMIN, UserRole.ADMIN, act)
    return await desk.reset(FIRST_ADMIN, act)


class SignedInUsers:
    """Finds who is signed in, and remembers their cookies: their connections are no strangers'."""

    def __init__(self, desk: SignInDesk) -> None:
        self._desk = desk
        self._names: OrderedDict[str, str] = OrderedDict()

    async def find(self, token: str, path: str) -> UserSession | None:
        """Return the session of a cookie; None if it is unknown or over."""
        digest = token_digest(token)
        is_used = path not in _ASKED_BY_PAGES and not _REPLAY_STATE.fullmatch(path)
        found = await self._desk.session_of(token, is_used=is_used)
        self._names.pop(digest, None)
        if found is not None:
            self._names[digest] = found.name
            if len(self._names) > _MOST_KNOWN:
                self._names.popitem(last=False)
        return found

    def name_of(self, cookies: str) -> str | None:
        """Return who was signed in at the last request with these cookies: for a place, no more."""
        token = cookie_parser(cookies).get(SESSION_COOKIE)
        return None if token is None else self._names.get(token_digest(token))


@dataclass(frozen=True, slots=True)
class PageParts:
    """What the pages stand on: stores, the gateway's status, clocks, tools of a review."""

    users: UserStore
    sessions: UserSessionStore
    ask: AskGateway
    now: Callable[[], float]
    utcnow: Callable[[], datetime]
    quarantine: QuarantineStore
    reviews: ReviewStore
    campaigns: CampaignStore
    leases: LeaseStore
    exceptions: ExceptionStore
    second_reviews: SecondReviewStore
    agreement: AgreementStore
    review: ReviewTools
    journals: SqlJournals
    is_sender: Callable[[str], bool]
    limits: SessionLimits
    approvals: ApprovalDesk
    policies: PolicyTools
    casework: CaseworkStores
    calendar: Callable[[], HolidayCalendar]
    learning: LearningSettings | None
    records: RecordAccess | None
    filings: FilingStore
    numbers: NumberStores
    oidc: OidcProvider | None = None


def _ways_in(parts: PageParts, desk: SignInDesk, templates: Templates) -> Iterator[APIRouter]:
    """Yield the pages to sign in: by password and code, and at a provider where there is one."""
    if parts.oidc is None:
        yield sign_in_pages(desk, templates)
        return
    quota = EventQuota(REFUSALS_AUDITED)
    stores = OidcStores(parts.users, parts.sessions, parts.limits, quota)
    provided = OidcDesk(parts.oidc, stores, parts.now, parts.utcnow)
    yield sign_in_pages(desk, templates, provided.label)
    yield oidc_pages(provided, templates, parts.limits)


class ConsolePages(NamedTuple):
    """The application of all pages, who is signed in to it, and the streams of who watches."""

    app: FastAPI
    people: SignedInUsers
    streams: LiveStreams


def console_pages(parts: PageParts) -> ConsolePages:
    """Return the application of all pages."""
    templates = Templates(PACKAGES, LINKS)
    desk = SignInDesk(
        parts.sessions,
        Lockouts(SIGN_INS_PER_MINUTE),
        SignInClocks(parts.now, parts.utcnow),
        parts.limits,
        refusals=EventQuota(REFUSALS_AUDITED),
    )
    people = SignedInUsers(desk)
    decisions = ReviewDesk(parts.reviews, parts.review.mask)
    tools, utcnow = parts.review, parts.utcnow
    whole = CampaignDesk(parts.campaigns, tools.mask)
    seconds = parts.second_reviews
    campaigns = CampaignReview(
        parts.campaigns,
        whole,
        tools,
        templates,
        utcnow,
        seconds,
        ReleaseApprovals(parts.approvals, whole),
    )
    leases = ShownLeases(parts.leases, decisions, seconds, parts.campaigns, templates, utcnow)
    unmasking = UnmaskQuota(parts.approvals, parts.journals)
    held = parts.quarantine, decisions, seconds, leases, unmasking
    review = HeldReview(*held, tools, templates, utcnow, campaigns)
    made = ExceptionDesk(parts.exceptions, tools.mask)
    exceptions = ExceptionReview(parts.quarantine, parts.exceptions, made, templates, utcnow)
    agreement = AgreementPage(parts.agreement, tools.mask, templates, utcnow)
    asks = admin_approvals(parts.approvals, UserDesk(parts.users))
    administration = UserAdministration(
        parts.users, parts.sessions, parts.limits, templates, parts.utcnow, parts.is_sender, asks
    )
    chain = ChainVerification(parts.journals, parts.utcnow)
    status = SharedStatus(partial(status_of, parts.ask))
    overview = Overview(status, parts.ask, templates, parts.utcnow)
    streams = LiveStreams(overview.parts, desk.open_among)
    records = RecordDesk(
        parts.records, parts.ask, parts.journals.note_access, templates, parts.now, parts.utcnow
    )
    routers = (
        overview_pages(overview, streams, ProvincePage(parts.casework, templates, utcnow)),
        session_pages(SessionDesk(parts.ask, templates, parts.utcnow)),
        record_pages(records),
        sender_pages(SenderDesk(parts.filings, parts.ask, templates)),
        number_pages(
            NumberDesk(parts.numbers, parts.journals.note_access, templates, parts.utcnow)
        ),
        held_pages(review, exceptions, agreement),
        *casework_pages(
            parts.casework,
            parts.calendar,
            models_in(parts.learning),
            templates,
            parts.utcnow,
            parts.review.mask,
        ),
        *policy_routers(
            parts.policies,
            templates,
            RuleSwitchApprovals(parts.approvals, parts.policies.workshop, utcnow),
        ),
        audit_pages(AuditReading(parts.journals, chain, templates, parts.utcnow)),
        approval_pages(ApprovalPage(parts.approvals, templates, parts.utcnow)),
        user_pages(administration),
        own_pages(desk, templates),
        *_ways_in(parts, desk, templates),
        enrol_pages(UserDesk(parts.users), templates, parts.utcnow),
        choice_pages(),
    )
    app = build_pages(templates, routers, people.find, is_public)
    return ConsolePages(app, people, streams)
