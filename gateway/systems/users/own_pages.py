"""Pages: a user's own settings: language and theme, sessions, password and recovery codes."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.permissions import USER_PERMISSIONS
from gateway.systems.users.model import UserError, UserSession
from gateway.systems.users.sign_in import SignInDesk, SignInRefusal
from gateway.systems.users.sign_in_pages import DIFFERENT, attempt_of, said_of
from gateway.web.pages import SESSION_COOKIE, form_of, marked
from gateway.web.systems import PageContext

OWN = "/me"

_REFUSALS = {
    SignInRefusal.WRONG: (
        401,
        marked("Password or code is wrong. A code is good once: wait for the next one."),
    ),
    SignInRefusal.LOCKED: (429, marked("Too many attempts. Wait a minute, then try again.")),
    SignInRefusal.BUSY: (
        503,
        marked("Many people are signing in. Try again in a few seconds."),
    ),
}
_CHANGED = marked("The password was changed, and your other sessions have ended.")
_ENDED = marked("Your other sessions have ended.")
_SAID = {"password": _CHANGED, "sessions": _ENDED}


class OwnSettings:
    """Answers what users ask about themselves."""

    def __init__(self, context: PageContext) -> None:
        self.desk, self.templates = context.join(SignInDesk), context.templates

    async def shown(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the settings of who asks."""
        session: UserSession = request.state.user
        done = _SAID.get(request.query_params.get("done", ""), "")
        values = {
            "session": session,
            "opened": await self.desk.sessions_of(session.name),
            "own": await self.desk.session_of(_token_of(request), is_used=False),
            "may_do": sorted(USER_PERMISSIONS[session.grant.role]),
            "problem": problem,
            "done": self.templates.said(request, done) if done and not problem else "",
        }
        return self.templates.page(request, "users/me.html", values, status)

    async def password_changed(self, request: Request) -> Response:
        """Take another password for the right one and a code."""
        given = await form_of(request)
        if given.get("new", "") != given.get("again"):
            return await self.shown(request, self.templates.said(request, DIFFERENT), 422)
        attempt = attempt_of(request, {**given, "name": request.state.user.name})
        try:
            found = await self.desk.change_password(attempt, given.get("new", ""))
        except UserError as error:
            return await self.shown(request, said_of(self.templates, request, error), 422)
        if isinstance(found, SignInRefusal):
            return await self._refused(request, found)
        return RedirectResponse(f"{OWN}?done=password", status_code=303)

    async def codes_renewed(self, request: Request) -> Response:
        """Show new recovery codes for the right password and a code."""
        given = await form_of(request)
        attempt = attempt_of(request, {**given, "name": request.state.user.name})
        found = await self.desk.renew_recovery_codes(attempt)
        if isinstance(found, SignInRefusal):
            return await self._refused(request, found)
        return self.templates.page(request, "users/enrolled.html", {"codes": found})

    async def _refused(self, request: Request, refusal: SignInRefusal) -> Response:
        status, problem = _REFUSALS[refusal]
        return await self.shown(request, self.templates.said(request, problem), status)


def own_pages(context: PageContext) -> APIRouter:
    """Return the pages of a user's own settings; every role has them."""
    router, own = APIRouter(include_in_schema=False), OwnSettings(context)

    @router.get(OWN)
    async def show(request: Request) -> Response:
        return await own.shown(request)

    @router.post(OWN + "/sign-out-others")
    async def sign_out_others(request: Request) -> Response:
        await own.desk.sign_out_others(request.state.user, _token_of(request))
        return RedirectResponse(f"{OWN}?done=sessions", status_code=303)

    @router.post(OWN + "/password")
    async def change_password(request: Request) -> Response:
        return await own.password_changed(request)

    @router.post(OWN + "/recovery-codes")
    async def renew_recovery_codes(request: Request) -> Response:
        return await own.codes_renewed(request)

    return router


def _token_of(request: Request) -> str:
    return request.cookies.get(SESSION_COOKIE, "")
