"""The pages: the first one, which shows how the gateway stands, and those of the systems."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.requests import cookie_parser

from gateway.console.application import build_pages
from gateway.domain.live import LiveStatus
from gateway.domain.permissions import Permission, UserRole
from gateway.runtime.tasks import spawn
from gateway.session.stranger_limits import EventQuota, Lockouts
from gateway.storage.journals import SqlJournals
from gateway.systems.approvals.model import ApprovalAct
from gateway.systems.approvals.pages import APPROVALS, ApprovalPage, approval_pages
from gateway.systems.approvals.service import ActFailedError, ApprovalDesk
from gateway.systems.audit.pages import AUDIT, CHAIN, AuditReading, audit_pages
from gateway.systems.audit.service import ChainVerification
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.pages import HELD, HeldReview, held_pages
from gateway.systems.quarantine.service import QuarantineDesk, ReviewTools
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.users.credentials import token_digest
from gateway.systems.users.model import SessionLimits, UserAct, UserError, UserSession
from gateway.systems.users.own_pages import own_pages
from gateway.systems.users.pages import choice_pages, enrol_pages, is_public, sign_in_pages
from gateway.systems.users.service import UserDesk
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sign_in import SignInClocks, SignInDesk
from gateway.systems.users.sql import UserStore
from gateway.systems.users.user_pages import USERS, AskAdmin, UserAdministration, user_pages
from gateway.web.pages import SESSION_COOKIE, PageLink, Templates, allowed, marked

START = PageLink("/", marked("Overview"), Permission.READ_OPERATIONS)

AskStatus = Callable[[], Awaitable[LiveStatus | str]]
"""Returns how the gateway stands, or why that is not known, in words for a person."""

LIVE = "/live"
# A page that is open asks for these by itself: nobody need be there.
_ASKED_BY_PAGES = frozenset({LIVE, CHAIN})

_RATES = (
    ("forwarded", marked("forwarded")),
    ("held", marked("held")),
    ("rejected", marked("rejected")),
)

# What waits, by the names that the gateway gives it.
_WAITS = (
    ("held", marked("held for a person")),
    ("deferred", marked("deferred to an allowed hour")),
    ("release_requested", marked("to be released")),
    ("releasing", marked("sent to the SMSC, not answered")),
    ("in_doubt", marked("in doubt: a person decides")),
    ("outbound", marked("messages of the gateway itself")),
    ("records_unwritten", marked("records not written yet")),
    ("reports_unwritten", marked("reports not written yet")),
)


class SharedStatus:
    """Asks the gateway once for all who want to know meanwhile.

    One that hangs answers late: each question would keep a thread, which sign-ins need.
    """

    def __init__(self, ask: AskStatus) -> None:
        self._ask = ask
        self._asking: asyncio.Task[LiveStatus | str] | None = None

    async def get(self) -> LiveStatus | str:
        """Return how the gateway stands, or why that is not known."""
        if self._asking is None or self._asking.done():
            self._asking = spawn(self._asked(), name="console.status")
        return await asyncio.shield(self._asking)

    async def _asked(self) -> LiveStatus | str:
        return await self._ask()


def start_pages(ask: AskStatus, templates: Templates) -> APIRouter:
    """Return the first page, and the part of it that changes."""
    router, status = APIRouter(include_in_schema=False), SharedStatus(ask)

    async def shown(request: Request, name: str) -> Response:
        found = await status.get()
        is_known = isinstance(found, LiveStatus)
        values = {
            "status": found if is_known else None,
            "problem": "" if is_known else found,
            "rates": [(rate, templates.said(request, label)) for rate, label in _RATES],
            "waits": {name: templates.said(request, label) for name, label in _WAITS},
        }
        return templates.page(request, name, values)

    @router.get("/", dependencies=[allowed(START.permission)])
    async def start(request: Request) -> Response:
        return await shown(request, "console/start.html")

    @router.get(LIVE, dependencies=[allowed(START.permission)])
    async def live(request: Request) -> Response:
        return await shown(request, "console/live.html")

    return router


LINKS = (START, HELD, APPROVALS, USERS, AUDIT)
PACKAGES = {
    "web": "gateway.web",
    "approvals": "gateway.systems.approvals",
    "audit": "gateway.systems.audit",
    "console": "gateway.console",
    "quarantine": "gateway.systems.quarantine",
    "users": "gateway.systems.users",
}
SIGN_INS_PER_MINUTE = 10
REFUSALS_AUDITED = 10  # a minute, and as many counts: strangers cannot fill the audit

_MOST_KNOWN = 1000


class SignedInUsers:
    """Finds who is signed in, and remembers their cookies: their connections are no strangers'."""

    def __init__(self, desk: SignInDesk) -> None:
        self._desk = desk
        self._names: OrderedDict[str, str] = OrderedDict()

    async def find(self, token: str, path: str) -> UserSession | None:
        """Return the session of a cookie; None if it is unknown or over."""
        digest = token_digest(token)
        found = await self._desk.session_of(token, is_used=path not in _ASKED_BY_PAGES)
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
    ask_status: AskStatus
    now: Callable[[], float]
    utcnow: Callable[[], datetime]
    quarantine: QuarantineStore
    review: ReviewTools
    journals: SqlJournals
    is_sender: Callable[[str], bool]
    limits: SessionLimits
    approvals: ApprovalDesk


def admin_approvals(approvals: ApprovalDesk, users: UserDesk) -> AskAdmin | None:
    """Return what asks a second person to make an admin; None where one person may."""

    async def make_admin(given: Mapping[str, str], by: str, at: datetime) -> str:
        try:
            user = await users.give_role(given["name"], UserRole.ADMIN, UserAct(by, at))
        except UserError as error:
            raise ActFailedError(str(error)) from error
        return f"{user.name} is an admin"

    async def ask(name: str, act: UserAct) -> str:
        await approvals.ask(ApprovalAct.MAKE_ADMIN, {"name": name}, name, "", act.by, act.at)
        return APPROVALS.path

    approvals.register(ApprovalAct.MAKE_ADMIN, make_admin)
    return ask if approvals.rule.make_admin else None


def console_pages(parts: PageParts) -> tuple[FastAPI, SignedInUsers]:
    """Return the application of all pages, and who is signed in to it."""
    templates = Templates(PACKAGES, LINKS)
    desk = SignInDesk(
        parts.sessions,
        Lockouts(SIGN_INS_PER_MINUTE),
        SignInClocks(parts.now, parts.utcnow),
        parts.limits,
        refusals=EventQuota(REFUSALS_AUDITED),
    )
    people = SignedInUsers(desk)
    # Nothing is put into quarantine here, so that desk issues no id.
    held_desk = QuarantineDesk(parts.quarantine, MessageIds(worker=0))
    review = HeldReview(parts.quarantine, held_desk, parts.review, templates, parts.utcnow)
    asks = admin_approvals(parts.approvals, UserDesk(parts.users))
    administration = UserAdministration(
        parts.users, parts.sessions, parts.limits, templates, parts.utcnow, parts.is_sender, asks
    )
    chain = ChainVerification(parts.journals, parts.utcnow)
    routers = (
        start_pages(parts.ask_status, templates),
        held_pages(review),
        audit_pages(AuditReading(parts.journals, chain, templates, parts.utcnow)),
        approval_pages(ApprovalPage(parts.approvals, templates, parts.utcnow)),
        user_pages(administration),
        own_pages(desk, templates),
        sign_in_pages(desk, templates),
        enrol_pages(UserDesk(parts.users), templates, parts.utcnow),
        choice_pages(),
    )
    return build_pages(templates, routers, people.find, is_public), people
