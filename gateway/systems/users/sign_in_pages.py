"""Pages: sign in and out, set a password and a second factor by a one-time link, language, theme.

All but signing out is for everybody: who is signed in is decided here.
"""

from collections.abc import Collection

import segno
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gateway.systems.users.model import DEVICE_LIFE, SessionLimits, UserError, checked_name
from gateway.systems.users.oidc import OidcDesk
from gateway.systems.users.oidc_pages import OIDC, OIDC_DONE
from gateway.systems.users.service import EnrolmentForm, UserDesk
from gateway.systems.users.sign_in import SignedIn, SignInAttempt, SignInDesk, SignInRefusal
from gateway.systems.users.sql import UserStore
from gateway.web.pages import (
    DEVICE_COOKIE,
    LANGUAGE_COOKIE,
    LANGUAGES,
    SESSION_COOKIE,
    SIGN_IN,
    THEME_COOKIE,
    THEMES,
    Templates,
    form_of,
    marked,
    own_path,
    set_cookie,
)
from gateway.web.systems import PageContext

ENROL, LANGUAGE, THEME = "/enrol", "/language", "/theme"
PUBLIC = frozenset({SIGN_IN, LANGUAGE, THEME, OIDC, OIDC_DONE})

_A_YEAR_S = 365 * 24 * 3600
_REFUSALS = {
    SignInRefusal.WRONG: (401, marked("Name, password or code is wrong.")),
    SignInRefusal.LOCKED: (429, marked("Too many attempts. Wait a minute, then try again.")),
    SignInRefusal.BUSY: (503, marked("Many people are signing in. Try again in a few seconds.")),
}
DIFFERENT = marked("The two passwords differ.")


def is_public(path: str) -> bool:
    """Tell whether everybody may see a page."""
    return path in PUBLIC or path.startswith(f"{ENROL}/")


def sign_in_pages(context: PageContext) -> APIRouter:
    """Return the pages on which people sign in, here or at a provider, and out."""
    router, templates = APIRouter(include_in_schema=False), context.templates
    desk, provider = context.join(SignInDesk), context.find(OidcDesk)
    oidc = "" if provider is None else provider.label

    def form(request: Request, status: int = 200, **values: str) -> Response:
        usual = {"name": "", "problem": "", "next": "/", "oidc": oidc}
        return templates.page(request, "users/sign_in.html", {**usual, **values}, status)

    @router.get(SIGN_IN)
    async def show(request: Request) -> Response:
        asked = request.query_params
        try:
            name = checked_name(asked.get("name", ""))
        except UserError:
            name = ""
        return form(request, next=own_path(asked.get("next", "/")), name=name)

    @router.post(SIGN_IN)
    async def sign_in(request: Request) -> Response:
        given = await form_of(request)
        name, where = given.get("name", ""), own_path(given.get("next", "/"))
        found = await desk.sign_in(attempt_of(request, given))
        if isinstance(found, SignedIn):
            return _signed_in(request, found, where, desk.limits)
        status, problem = _REFUSALS[found]
        said = templates.said(request, problem)
        return form(request, status, name=name[:64], problem=said, next=where)

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        await desk.sign_out(request.cookies.get(SESSION_COOKIE, ""))
        answer = RedirectResponse(SIGN_IN, status_code=303)
        answer.delete_cookie(SESSION_COOKIE)
        return answer

    return router


def said_of(templates: Templates, request: Request, error: UserError) -> str:
    """Return why something was refused, in the language of a request."""
    return templates.said(request, error.text).format(**error.given)


def attempt_of(request: Request, given: dict[str, str]) -> SignInAttempt:
    """Return what a form and the browser bring to prove who somebody is."""
    return SignInAttempt(
        name=given.get("name", ""),
        password=given.get("password", ""),
        code=given.get("code", ""),
        address=request.client.host if request.client is not None else "",
        device_token=request.cookies.get(DEVICE_COOKIE, ""),
        session_token=request.cookies.get(SESSION_COOKIE, ""),
    )


def _signed_in(request: Request, found: SignedIn, where: str, limits: SessionLimits) -> Response:
    answer = RedirectResponse(where, status_code=303)
    for name, token, life in (
        (SESSION_COOKIE, found.session_token, limits.absolute),
        (DEVICE_COOKIE, found.device_token, DEVICE_LIFE),
    ):
        set_cookie(answer, request, name, token, int(life.total_seconds()))
    return answer


def enrol_pages(context: PageContext) -> APIRouter:
    """Return the pages of a one-time link, on which a user sets password and second factor."""
    router, desk = APIRouter(include_in_schema=False), UserDesk(UserStore(context.database))
    templates, utcnow = context.templates, context.utcnow

    async def form(request: Request, token: str, problem: str = "", secret: str = "") -> Response:
        try:
            enrolment = await desk.open_link(token, utcnow(), secret)
        except UserError:
            return templates.page(request, "users/no_link.html", {}, 404)
        picture = segno.make(enrolment.uri, error="m").svg_data_uri(scale=4, light="white")
        values = {"enrolment": enrolment, "picture": picture, "problem": problem}
        return templates.page(request, "users/enrol.html", values, 422 if problem else 200)

    @router.get(ENROL + "/{token}")
    async def show(request: Request, token: str) -> Response:
        return await form(request, token)

    @router.post(ENROL + "/{token}")
    async def enrol(request: Request, token: str) -> Response:
        given = await form_of(request)
        password, secret, code = (given.get(one, "") for one in ("password", "secret", "code"))
        if password != given.get("again"):
            return await form(request, token, templates.said(request, DIFFERENT), secret)
        try:
            codes = await desk.enrol(token, EnrolmentForm(password, secret, code), utcnow())
        except UserError as error:
            return await form(request, token, said_of(templates, request, error), secret)
        values = {"codes": codes, "name": given.get("username", "")}
        return templates.page(request, "users/enrolled.html", values)

    return router


def choice_pages(_context: PageContext) -> APIRouter:
    """Return what keeps the language and the theme that somebody has chosen."""
    router = APIRouter(include_in_schema=False)

    @router.post(LANGUAGE)
    async def choose_language(request: Request) -> Response:
        return await _chosen(request, "language", LANGUAGE_COOKIE, LANGUAGES)

    @router.post(THEME)
    async def choose_theme(request: Request) -> Response:
        return await _chosen(request, "theme", THEME_COOKIE, THEMES)

    return router


async def _chosen(
    request: Request, field: str, cookie: str, choices: Collection[str]
) -> RedirectResponse:
    """Return to the page from which something was chosen; what is no choice changes nothing."""
    given = await form_of(request)
    answer = RedirectResponse(own_path(given.get("next", "/")), status_code=303)
    if given.get(field) in choices:  # a script reads the theme before anything is painted
        answer.set_cookie(cookie, given[field], max_age=_A_YEAR_S, samesite="strict")
    return answer
