"""The pages as one application, and who is signed in to it.

The pages of systems are found by looking; those that join several systems are of the console.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from fastapi import FastAPI
from starlette.requests import cookie_parser
from starlette.routing import compile_path

from gateway.console.application import build_pages
from gateway.console.approved_acts import (
    ReleaseApprovals,
    RuleSwitchApprovals,
    UnmaskQuota,
    admin_approvals,
)
from gateway.console.case_graph import graphs_in
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
from gateway.console.province_page import ProvincePage, province_ports
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
    SenderDesk,
    number_pages,
    sender_pages,
)
from gateway.console.session_pages import SESSIONS, SessionDesk, session_pages
from gateway.domain.permissions import UserRole
from gateway.policy.hours import HolidayCalendar
from gateway.runtime.sealing import KeyFileError, trusted_key
from gateway.session.stranger_limits import EventQuota, Lockouts
from gateway.settings.console import SessionSettings
from gateway.settings.gateway import LearningSettings
from gateway.storage.database import Database
from gateway.storage.journals import SqlJournals
from gateway.systems import declared_in_systems
from gateway.systems.approvals.service import ApprovalDesk
from gateway.systems.filings.sql import FilingStore
from gateway.systems.learning.model_directory import ModelDirectory
from gateway.systems.quarantine.campaign_pages import ReviewJoins
from gateway.systems.quarantine.campaigns import CampaignDesk, CampaignStore
from gateway.systems.quarantine.review_tools import ReviewTools
from gateway.systems.users.credentials import token_digest
from gateway.systems.users.model import SessionLimits, UserAct, UserSession
from gateway.systems.users.oidc import OidcDesk, OidcProvider, OidcStores
from gateway.systems.users.service import IssuedLink, UserDesk
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sign_in import SignInClocks, SignInDesk
from gateway.systems.users.sign_in_pages import is_public
from gateway.systems.users.sql import UserStore
from gateway.systems.users.user_pages import AdminRules
from gateway.terminal.control import AskGateway
from gateway.web.pages import SESSION_COOKIE, Templates
from gateway.web.systems import PageContext, SystemPages

_SYSTEMS = declared_in_systems("pages", SystemPages)
_OWN = (START, SESSIONS, SENDERS, TRAFFIC, TRACE, NUMBERS, POLICIES)
LINKS = sorted(
    (*_OWN, *(link for one in _SYSTEMS.values() for link in one.links)),
    key=lambda link: link.order,
)
# Of two packages that translate a message, the one behind is heard.
PACKAGES = {
    package.rpartition(".")[2]: package
    for package in ("gateway.web", "gateway.console", "gateway.console.policies", *_SYSTEMS)
}
# A page that is open asks for these by itself: nobody need be there.
_POLLED = tuple(
    compile_path(path)[0]
    for path in (
        *(LIVE, EVENTS, f"{REPLAY}/{{number}}/state"),
        *(path for one in _SYSTEMS.values() for path in one.polled),
    )
)
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
        is_used = not any(one.match(path) for one in _POLLED)
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

    database: Database
    ask: AskGateway
    now: Callable[[], float]
    utcnow: Callable[[], datetime]
    review: ReviewTools
    ports: Callable[[], Mapping[str, Collection[str]]]
    limits: SessionLimits
    approvals: ApprovalDesk
    policies: PolicyTools
    calendar: Callable[[], HolidayCalendar]
    learning: LearningSettings | None
    records: RecordAccess | None
    oidc: OidcProvider | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def _models_in(learning: LearningSettings | None) -> ModelDirectory | None:
    """Return where the models of a deployment are; None where their keys cannot be read."""
    if learning is None:
        return None
    try:
        keys = [trusted_key(path) for path in learning.trusted_keys]
    except (KeyFileError, OSError):
        return None
    return ModelDirectory(learning.models, keys, starter=learning.starter_file)


def _provider(parts: PageParts) -> OidcDesk | None:
    """Return what signs people in at a provider, None without a provider."""
    if parts.oidc is None:
        return None
    users, sessions = UserStore(parts.database), UserSessionStore(parts.database)
    stores = OidcStores(users, sessions, parts.limits, EventQuota(REFUSALS_AUDITED))
    return OidcDesk(parts.oidc, stores, parts.now, parts.utcnow)


def _joins(parts: PageParts, desk: SignInDesk) -> tuple[object, ...]:
    """Return what the pages of systems need of other systems."""
    approvals, database = parts.approvals, parts.database
    campaigns = CampaignDesk(CampaignStore(database), parts.review.mask)
    unmasking = UnmaskQuota(approvals, SqlJournals(database))
    ask_admin = admin_approvals(approvals, UserDesk(UserStore(database)))
    return (
        approvals,
        desk,
        AdminRules(lambda system_id: system_id in parts.ports(), ask_admin),
        ReviewJoins(parts.review, unmasking, ReleaseApprovals(approvals, campaigns)),
        graphs_in(database),
        _models_in(parts.learning),
        _provider(parts),
    )


class ConsolePages(NamedTuple):
    """The application of all pages, who is signed in to it, and the streams of who watches."""

    app: FastAPI
    people: SignedInUsers
    streams: LiveStreams


def console_pages(parts: PageParts) -> ConsolePages:
    """Return the application of all pages."""
    templates, database, utcnow = Templates(PACKAGES, LINKS), parts.database, parts.utcnow
    desk = SignInDesk(
        UserSessionStore(database),
        Lockouts(SIGN_INS_PER_MINUTE),
        SignInClocks(parts.now, utcnow, parts.sleep),
        parts.limits,
        refusals=EventQuota(REFUSALS_AUDITED),
    )
    people = SignedInUsers(desk)
    overview = Overview(SharedStatus(partial(status_of, parts.ask)), parts.ask, templates, utcnow)
    streams = LiveStreams(overview.parts, desk.open_among)
    note = SqlJournals(database).note_access
    switches = RuleSwitchApprovals(parts.approvals, parts.policies.workshop, utcnow)
    context = PageContext(
        database,
        utcnow,
        parts.calendar,
        parts.ports,
        _joins(parts, desk),
        templates,
        parts.review.mask,
        province_ports(database),
    )
    routers = (
        overview_pages(overview, streams, ProvincePage(database, templates, utcnow)),
        session_pages(SessionDesk(parts.ask, templates, utcnow)),
        record_pages(RecordDesk(parts.records, parts.ask, note, templates, parts.now, utcnow)),
        sender_pages(SenderDesk(FilingStore(database), parts.ask, templates)),
        number_pages(NumberDesk(database, note, templates, utcnow)),
        *policy_routers(parts.policies, templates, switches),
        *(router(context) for one in _SYSTEMS.values() for router in one.routers),
    )
    app = build_pages(templates, routers, people.find, is_public)
    return ConsolePages(app, people, streams)
