"""Pages: sessions of SPs at the running gateway, the SPs with their filings, and orders to them."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.live import LiveSender, LiveSession, SuspendedSender
from gateway.domain.permissions import Permission, UserScope
from gateway.terminal.arguments import said
from gateway.terminal.control import AskGateway
from gateway.terminal.failure import CommandError
from gateway.terminal.screen import masked_source, visible
from gateway.web.pages import (
    PageLink,
    PageUser,
    Templates,
    allowed,
    allowed_on,
    form_of,
    marked,
)

SESSIONS = PageLink(
    "/sessions",
    marked("Sessions"),
    Permission.READ_OPERATIONS,
    frozenset({UserScope.SYSTEM_ID}),
    order=20,
)
_NO_REASON = marked("Say why: it is in the journal that everybody reads.")
_CLOSED, _SUSPENDED, _RESUMED = (
    marked("The session is being closed."),
    marked("Suspended: from now on all that this SP submits is refused."),
    marked("Resumed: this SP may send again."),
)
_DONE = {"closed": _CLOSED, "suspended": _SUSPENDED, "resumed": _RESUMED}
_MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """Shows sessions and SPs as the running gateway tells them, and passes orders on to it."""

    ask: AskGateway
    templates: Templates
    utcnow: Callable[[], datetime]

    async def shown(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the page of all sessions that the user may see, by SP."""
        own = own_sender(request.state.user)
        try:
            sessions = await self.ask("sessions", tuple[LiveSession, ...])
            senders = await self.ask("senders", tuple[LiveSender, ...])
        except CommandError as error:
            sessions, senders, problem = (), (), problem or worded(error)
        by_sender: defaultdict[str, list[LiveSession]] = defaultdict(list)
        for one in sessions:
            by_sender[one.system_id].append(one)
        meant = [one for one in senders if own in (None, one.system_id)]
        listed = [one for one in meant if by_sender[one.system_id] or one.suspended or own]
        done = request.query_params.get("done", "")
        values = {
            "found": [(sender_shown(one), by_sender[one.system_id]) for one in listed],
            "others": [one.system_id for one in meant if one not in listed],
            "now": self.utcnow(),
            "may_act": request.state.user.may(Permission.ACT_ON_OPERATIONS),
            "problem": problem,
            "done": self.templates.said(request, _DONE[done]) if done in _DONE else "",
            "most": _MOST_SHOWN,
        }
        return self.templates.page(request, "console/sessions.html", values, status)

    async def order(
        self, request: Request, do: str, answer: type[object], done: str, **about: object
    ) -> Response:
        """Give an order with the reason of the form; lead back to the page that it was given on."""
        note = said((await form_of(request)).get("reason", ""))
        if not note:
            problem = self.templates.said(request, _NO_REASON)
            return await self.shown(request, problem, 422)
        user: PageUser = request.state.user
        try:
            await self.ask(do, answer, by=f"user: {user.name}", note=note, **about)
        except CommandError as error:
            return await self.shown(request, worded(error), 409)
        return RedirectResponse(f"{SESSIONS.path}?done={done}", status_code=303)


def session_pages(desk: SessionDesk) -> APIRouter:
    """Return the page of sessions, and the orders that are given on it."""
    router = APIRouter(include_in_schema=False)
    may_act = allowed(Permission.ACT_ON_OPERATIONS)

    @router.get(SESSIONS.path, dependencies=[allowed_on(SESSIONS)])
    async def show(request: Request) -> Response:
        return await desk.shown(request)

    @router.post(SESSIONS.path + "/{number}/close", dependencies=[may_act])
    async def close(request: Request, number: str) -> Response:
        if not number.isascii() or not number.isdecimal() or len(number) > len(str(1 << 63)):
            raise HTTPException(404)
        closed = tuple[int, ...]
        return await desk.order(request, "session close", closed, "closed", number=int(number))

    async def change(request: Request, do: str, done: str) -> Response:
        form = await form_of(request)
        about = {"system_id": form.get("system_id", ""), "unbind": form.get("unbind") == "yes"}
        return await desk.order(request, do, SuspendedSender, done, **about)

    @router.post("/senders/suspend", dependencies=[may_act])
    async def suspend(request: Request) -> Response:
        return await change(request, "sender suspend", "suspended")

    @router.post("/senders/resume", dependencies=[may_act])
    async def resume(request: Request) -> Response:
        return await change(request, "sender resume", "resumed")

    return router


def own_sender(user: PageUser) -> str | None:
    """Return the SP that a user is limited to, None for who sees all."""
    return user.limits.get(UserScope.SYSTEM_ID)


def worded(error: CommandError) -> str:
    """Return what the gateway refused, and what can be done."""
    return f"{error}. {error.advice}" if error.advice else str(error)


def sender_shown(one: LiveSender) -> dict[str, object]:
    """Return an SP as pages show it: a port that is a person's number is masked."""
    ports = {visible(masked_source(port)): purpose for port, purpose in one.ports.items()}
    return {"sender": one, "ports": ports}
