"""Pages: the way to an OpenID Connect provider, and back."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gateway.systems.users.model import DEVICE_LIFE
from gateway.systems.users.oidc import (
    PENDING_S,
    OidcDesk,
    OidcError,
    OidcRefusal,
    ReturnedBrowser,
)
from gateway.systems.users.sign_in import SignInDesk
from gateway.web.pages import (
    DEVICE_COOKIE,
    SESSION_COOKIE,
    SIGN_IN,
    marked,
    own_path,
    set_cookie,
)
from gateway.web.systems import PageContext

OIDC, OIDC_DONE = f"{SIGN_IN}/oidc", f"{SIGN_IN}/oidc/done"
_COOKIE = "smsward_oidc"
_REFUSALS = {
    OidcRefusal.STATE: (
        400,
        marked("This sign-in was not begun here, or too long ago. Try again."),
    ),
    OidcRefusal.DENIED: (401, marked("The provider did not sign you in.")),
    OidcRefusal.PROVIDER: (502, marked("The provider does not answer as it should. Try again.")),
    OidcRefusal.TOKEN: (502, marked("What the provider answered could not be verified.")),
    OidcRefusal.NO_USER: (403, marked("You may not sign in here: ask an administrator.")),
    OidcRefusal.NO_ROLE: (403, marked("You have no role here: ask an administrator.")),
}


def oidc_pages(context: PageContext) -> APIRouter:
    """Return the two pages by which somebody signs in at a provider; none without a provider."""
    router, templates = APIRouter(include_in_schema=False), context.templates
    desk, limits = context.find(OidcDesk), context.join(SignInDesk).limits
    if desk is None:
        return router

    def refused(request: Request, refusal: OidcRefusal) -> Response:
        status, problem = _REFUSALS[refusal]
        values = {"name": "", "problem": templates.said(request, problem), "next": "/"}
        values["oidc"] = desk.label
        answer = templates.page(request, "users/sign_in.html", values, status)
        answer.delete_cookie(_COOKIE, path=OIDC)
        return answer

    # A link and no form: the Content-Security-Policy lets no form lead to another site. Nothing
    # is kept or changed here.
    @router.get(OIDC)
    async def begin(request: Request) -> Response:
        try:
            where, pending = await desk.begin(own_path(request.query_params.get("next", "/")))
        except OidcError as error:
            return refused(request, error.refusal)
        answer = RedirectResponse(where, status_code=303)
        # Lax: it is the provider's page that leads back.
        answer.set_cookie(
            _COOKIE,
            pending,
            max_age=PENDING_S,
            path=OIDC,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.get(OIDC_DONE)
    async def done(request: Request) -> Response:
        browser = ReturnedBrowser(
            request.query_params,
            request.cookies.get(_COOKIE, ""),
            request.client.host if request.client is not None else "",
            request.cookies.get(SESSION_COOKIE, ""),
            request.cookies.get(DEVICE_COOKIE, ""),
        )
        try:
            found, path = await desk.finish(browser)
        except OidcError as error:
            return refused(request, error.refusal)
        # A page of our own leads on: behind a redirect that began elsewhere no browser sends a
        # cookie with SameSite=Strict.
        path = own_path(path)
        answer = templates.page(request, "users/oidc_done.html", {"path": path})
        answer.headers["Refresh"] = f"0; url={quote(path, safe='/?&=%#')}"
        for name, token, life in (
            (SESSION_COOKIE, found.session_token, limits.absolute),
            (DEVICE_COOKIE, found.device_token, DEVICE_LIFE),
        ):
            set_cookie(answer, request, name, token, int(life.total_seconds()))
        answer.delete_cookie(_COOKIE, path=OIDC)
        return answer

    return router
