"""Pages: exceptions, by which what a rule holds of a campaign of an SP is released by itself."""

from datetime import datetime, timedelta

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.permissions import Permission
from gateway.systems.quarantine.campaign_pages import excepted_path, name_of
from gateway.systems.quarantine.exceptions import (
    LONGEST,
    ExceptionDesk,
    ExceptionStore,
    HoldException,
)
from gateway.systems.quarantine.held_query import HELD_PATH, HeldQuery
from gateway.systems.quarantine.model import is_message_id
from gateway.systems.quarantine.service import NotDone
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.arguments import said
from gateway.terminal.screen import visible
from gateway.web.pages import PageUser, allowed, form_of, marked
from gateway.web.systems import PageContext

EXCEPTIONS = f"{HELD_PATH}/exceptions"
USUAL_DAYS = 30

_NO_NOTE = marked("Say in a note why it may pass from now on.")
_NO_DAYS = marked("An exception holds for 1 to 366 days.")
_OTHER_RULE = marked("Another rule holds the message by now. Read it again, then decide.")
_MAX_DIGITS = 15


class ExceptionReview:
    """Answers the requests of those who may write exceptions, and of those who read them."""

    def __init__(self, context: PageContext) -> None:
        self.messages = QuarantineStore(context.database)
        self.store = ExceptionStore(context.database)
        self.desk = ExceptionDesk(self.store, context.mask)
        self.templates, self.utcnow = context.templates, context.utcnow

    async def shown(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the newest exceptions, those that ended too."""
        now, user = self.utcnow(), request.state.user
        listed = await self.store.listed()
        values = {
            "found": [self._listed(one, now, user) for one in listed],
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "quarantine/exceptions.html", values, status)

    def _listed(self, one: HoldException, now: datetime, user: PageUser) -> dict[str, object]:
        in_force, may_revoke = one.is_in_force(now), user.may(Permission.WRITE_EXCEPTION)
        may_release = in_force and user.may(Permission.DECIDE_CAMPAIGN)
        return {
            "number": one.number,
            "rule": visible(one.rule),
            "system_id": visible(one.system_id),
            "campaign": one.campaign,
            "path": HeldQuery(state="any", campaign=one.campaign).path(),
            "by": visible(one.by),
            "note": visible(one.note),
            "until": one.until,
            "is_in_force": in_force,
            "revoked_by": visible(one.revoked_by),
            "before": excepted_path(one.campaign, one.system_id, one.rule) if may_release else "",
            "revoke": f"{EXCEPTIONS}/{one.number}/revoke" if in_force and may_revoke else "",
        }

    async def made(self, request: Request, message_id: str) -> Response:
        """Make an exception of what holds a message; 409 where it can be none.

        Then lead to what is held of it by now, for who may release that.
        """
        held = await self.messages.get(int(message_id)) if is_message_id(message_id) else None
        if held is None:
            raise HTTPException(404)
        given = await form_of(request)
        note, days = said(given.get("note", "")), given.get("days", "").strip()
        if not note:
            return await self.shown(request, _NO_NOTE, 422)
        if not (days.isascii() and days.isdigit() and 1 <= int(days[:4]) <= LONGEST.days):
            return await self.shown(request, _NO_DAYS, 422)
        shown, stands = (visible(held.rule), held.campaign), ("rule", "campaign")
        if shown != tuple(given.get(name, one) for name, one in zip(stands, shown, strict=True)):
            return await self.shown(request, _OTHER_RULE, 409)
        now, by = self.utcnow(), name_of(request.state.user)
        until = now + timedelta(days=int(days[:4]))
        outcome = await self.desk.add(held, by, note, now, until)
        if isinstance(outcome, NotDone):
            return await self.shown(request, outcome.why, 409)
        where = EXCEPTIONS
        if request.state.user.may(Permission.DECIDE_CAMPAIGN):
            where = excepted_path(outcome.campaign, outcome.system_id, outcome.rule)
        return RedirectResponse(where, status_code=303)

    async def revoked(self, request: Request, number: str) -> Response:
        """End an exception; 404 for one that is not in force."""
        if not (number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS):
            raise HTTPException(404)
        by = name_of(request.state.user)
        if not await self.desk.revoke(int(number), by, self.utcnow()):
            raise HTTPException(404)
        return RedirectResponse(EXCEPTIONS, status_code=303)


def add_exception_pages(router: APIRouter, context: PageContext) -> None:
    """Add the pages of exceptions to a router, before paths that take their name for an id."""
    review = ExceptionReview(context)
    may_read, may_write = allowed(Permission.READ_HELD), allowed(Permission.WRITE_EXCEPTION)

    @router.get(EXCEPTIONS, dependencies=[may_read])
    async def show(request: Request) -> Response:
        return await review.shown(request)

    @router.post(EXCEPTIONS + "/{number}/revoke", dependencies=[may_write])
    async def revoke(request: Request, number: str) -> Response:
        return await review.revoked(request, number)

    @router.post(HELD_PATH + "/{message_id}/exception", dependencies=[may_write])
    async def make(request: Request, message_id: str) -> Response:
        return await review.made(request, message_id)
