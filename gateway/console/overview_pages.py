"""Pages: the first one, which shows how the gateway stands while it is looked at."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from gateway.console.live_streams import LiveStreams, Parts, StreamAnswer, partials
from gateway.console.province_page import ProvincePage
from gateway.domain.live import LiveRates, LiveStatus
from gateway.domain.permissions import Permission, UserScope
from gateway.runtime.tasks import spawn
from gateway.systems.users.credentials import token_digest
from gateway.terminal.control import AskGateway
from gateway.terminal.failure import CommandError
from gateway.web.pages import (
    SESSION_COOKIE,
    PageLink,
    PageUser,
    Templates,
    allowed,
    language_of,
    marked,
)

START = PageLink(
    "/", marked("Overview"), Permission.READ_OPERATIONS, frozenset({UserScope.PROVINCE}), 10
)
LIVE, EVENTS = "/live", "/live/events"

AskStatus = Callable[[], Awaitable[LiveStatus | str]]
"""Returns how the gateway stands, or why that is not known, in words for a person."""

_PARTS = (
    "alarms",
    "stamp",
    "numbers",
    "history",
    "reasons",
    "smscs",
    "sessions",
    "backlog",
    "postures",
    "health",
)

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

_ACTIONS = (
    ("reject", marked("rejected")),
    ("throttle", marked("throttled")),
    ("quarantine", marked("held")),
    ("defer", marked("put off")),
    ("shadow", marked("shadow")),
)


class FailPosture(NamedTuple):
    """What the gateway does while a part of it fails: the part, in words, and how to tell."""

    part: str
    then: str
    fails: Callable[[LiveStatus], bool]


_POSTURES = (
    FailPosture(
        marked("an SMSC"),
        marked("Messages go on to others of its group; without one they get ESME_RMSGQFUL."),
        lambda status: any(one.is_up is False for one in status.smscs),
    ),
    FailPosture(
        marked("the store"),
        marked("What must be held is refused with ESME_RMSGQFUL; all else passes."),
        lambda status: "store" in status.failing,
    ),
    FailPosture(
        marked("refusals and consents"),
        marked("Adverts are refused until they are read again; codes and notices pass."),
        lambda status: "consent_is_current" in status.failing,
    ),
    FailPosture(
        marked("filings, preferences, suspensions"),
        marked("The last that were read hold."),
        lambda status: bool(status.behind),
    ),
    FailPosture(
        marked("the records"),
        marked("They wait in memory; past the bound messages are refused with ESME_RMSGQFUL."),
        lambda status: not {"records", "records_have_room"}.isdisjoint(status.failing),
    ),
    FailPosture(
        marked("a disk that fills up"),
        marked("SPs that write most are stopped one by one, at last all."),
        lambda status: bool(status.low_disks) or "disk_has_room" in status.failing,
    ),
    FailPosture(
        marked("a policy with a fault"),
        marked("The policy before it stays in force."),
        lambda status: status.policy.refused_faults > 0,
    ),
    FailPosture(
        marked("a classifier with a fault"),
        marked("The one before it stays; without one, rules that ask it find nothing."),
        lambda status: bool(status.models.fault),
    ),
)


async def status_of(ask: AskGateway) -> LiveStatus | str:
    """Return how the gateway stands, or why that is not known."""
    try:
        return await ask("status", LiveStatus)
    except CommandError as error:
        return str(error)


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


@dataclass(frozen=True, slots=True)
class Overview:
    """Renders how the gateway stands, as parts of the first page."""

    status: SharedStatus
    ask: AskGateway
    templates: Templates
    utcnow: Callable[[], datetime]

    async def parts(self, languages: Collection[str]) -> dict[str, Parts]:
        """Return the parts in each of the languages, by the ids of their elements."""
        found = await self.status.get()
        history = await self._history() if isinstance(found, LiveStatus) else ()
        return {language: self._rendered(language, found, history) for language in languages}

    async def _history(self) -> Sequence[LiveRates]:
        try:
            return await self.ask("rates", tuple[LiveRates, ...])
        except CommandError:  # it ends, or is of another version
            return ()

    def _rendered(
        self, language: str, found: LiveStatus | str, history: Sequence[LiveRates]
    ) -> Parts:
        is_known = isinstance(found, LiveStatus)
        values = {
            "status": found if is_known else None,
            "problem": "" if is_known else found,
            "at": self.utcnow(),
            "history": history,
            "rates": _RATES,
            "waits": dict(_WAITS),
            "reasons": _reasons(found) if isinstance(found, LiveStatus) else (),
            "postures": [
                (one, isinstance(found, LiveStatus) and one.fails(found)) for one in _POSTURES
            ],
        }
        name = "console/overview_parts.html"
        return {
            f"live-{part}": self.templates.part(language, name, {**values, "part": part}).strip()
            for part in _PARTS
        }


def _reasons(status: LiveStatus) -> list[tuple[str, str, int]]:
    """Return action, reason and count of the last minute, the most frequent first."""
    named = dict(_ACTIONS)
    counted = sorted(status.reasons.items(), key=lambda one: -one[1])
    split = ((*key.partition(" "), count) for key, count in counted)
    return [(named.get(action, action), reason, count) for action, _, reason, count in split]


def overview_pages(overview: Overview, streams: LiveStreams, province: ProvincePage) -> APIRouter:
    """Return the first page, and its parts that change: by a stream, or as often as is asked.

    Who is limited to a province has another first page, and none of these parts.
    """
    router = APIRouter(include_in_schema=False)
    may_see = allowed(START.permission)

    async def parts_for(request: Request) -> Parts:
        language = language_of(request)
        return (await overview.parts([language]))[language]

    @router.get(START.path)
    async def start(request: Request) -> Response:
        if not START.is_for(request.state.user):
            return overview.templates.first_page(request)
        if UserScope.PROVINCE in request.state.user.limits:
            return await province.shown(request)
        values = {"parts": await parts_for(request)}
        return overview.templates.page(request, "console/start.html", values)

    @router.get(LIVE, dependencies=[may_see])
    async def live(request: Request) -> Response:
        return HTMLResponse(partials(await parts_for(request)))

    @router.get(EVENTS, dependencies=[may_see])
    async def events(request: Request) -> Response:
        session = token_digest(request.cookies.get(SESSION_COOKIE, ""))
        user: PageUser = request.state.user
        stream = streams.open(user.name, session, language_of(request))
        # Without an event the page asks every five seconds.
        return (
            Response(status_code=204) if stream is None else StreamAnswer(streams, stream, request)
        )

    return router
