"""What every page shares: templates in two languages, who is signed in, and headers of answers.

Pages come from the templates of their system and the frame of `gateway.web`. Every path but those
below /v1 and the open ones is a page: `PageGuard` stands before them, so that none can forget to
ask who is there. What changes something is a POST, and comes from a page of this console.
"""

import gettext
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from io import BytesIO
from secrets import token_urlsafe
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import BytecodeCache, Environment, PackageLoader, PrefixLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.domain.categories import Harm, category_of, harm_of
from gateway.domain.permissions import Permission, UserScope
from gateway.storage.errors import StoreUnavailable
from gateway.web.access import ClientGoneError, body_of, given_whole
from gateway.web.problems import ProblemError

LANGUAGES = {"zh": "中文", "en": "English"}
THEMES = frozenset({"dark", "light"})
SESSION_COOKIE, DEVICE_COOKIE = "smsward_session", "smsward_device"
LANGUAGE_COOKIE, THEME_COOKIE = "language", "theme"
SIGN_IN = "/sign-in"
MAX_FORM_FIELDS, MAX_FORM_OCTETS = 50, 256 * 1024

_LIMITS = frozenset(UserScope)
_SAFE = frozenset({"GET", "HEAD"})
_NONCE_OCTETS = 16
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_NO_STORE = "The store does not answer. 存储暂不可用。"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def marked(text: str) -> str:
    """Return a text as it is: what extracts messages for translation finds it by this."""
    return text


class PageUser(Protocol):
    """Who is signed in."""

    @property
    def name(self) -> str:
        """Return the name of the user."""

    @property
    def is_limited(self) -> bool:
        """Tell whether the user sees only what is of one SP or one province."""

    @property
    def limits(self) -> Mapping[UserScope, str]:
        """Return the SP or the province that the user is limited to, {} for who sees all."""

    def may(self, permission: Permission) -> bool:
        """Tell whether the user's role may do this."""


PortsOf = Callable[[PageUser], Awaitable[frozenset[str] | None]]
"""Returns the ports that a user is limited to: those filed for a province. None for no limit."""

FindUser = Callable[[str, str], Awaitable[PageUser | None]]
"""Returns who asks for a path with the token of a session, None for who is not signed in."""


class PageLink(NamedTuple):
    """A page that the frame leads to: its path, its name in English, and who may see it.

    Users who are limited to what is of one SP or province see it if it `keeps` such limits. The
    frame has its pages by `order`.
    """

    path: str
    name: str
    permission: Permission
    keeps: frozenset[UserScope] = frozenset()
    order: int = 0

    def is_for(self, user: PageUser) -> bool:
        """Tell whether a user may see the page."""
        return user.may(self.permission) and self.keeps >= user.limits.keys()


class Templates:
    """The templates of all packages, rendered in the language of a request.

    `packages` maps a prefix to a package that has a folder `templates`: ``users/sign_in.html`` is
    templates/sign_in.html of the package of `users`. Its zh.po has the Chinese of all that they
    say. `links` are the pages that the frame leads to. A value that a template misses is an error.
    Each page has a `nonce` of its own: attributes of htmx without it do nothing (hx-csp).
    """

    def __init__(self, packages: Mapping[str, str], links: Sequence[PageLink] = ()) -> None:
        self._links = links
        loader = PrefixLoader({name: PackageLoader(one) for name, one in packages.items()})
        self._words = {"zh": _catalogue(packages.values()), "en": gettext.NullTranslations()}
        self._by_language = {
            language: _environment(loader, words) for language, words in self._words.items()
        }

    def page(
        self, request: Request, name: str, values: Mapping[str, object], status: int = 200
    ) -> HTMLResponse:
        """Return the answer that shows a template to who asks."""
        language = language_of(request)
        context = {
            **values,
            "language": language,
            "languages": LANGUAGES,
            "user": request.state.user,
            "path": request.url.path,
            "here": _page_shown(request),
            "links": self._links,
            "nonce": token_urlsafe(_NONCE_OCTETS),
        }
        text = self._by_language[language].get_template(name).render(context)
        return HTMLResponse(text, status_code=status)

    def first_page(self, request: Request) -> Response:
        """Lead a user to the first page that is for them. Raises PageForbiddenError for none."""
        user: PageUser = request.state.user
        path = next((link.path for link in self._links if link.is_for(user)), None)
        if path is None:
            raise PageForbiddenError
        return RedirectResponse(path, status_code=303)

    def part(self, language: str, name: str, values: Mapping[str, object]) -> Markup:
        """Return a template in a language: what is the same for everybody who may see it."""
        return Markup(self._by_language[language].get_template(name).render(values))  # noqa: S704 - escaped by its template

    def said(self, request: Request, text: str) -> str:
        """Return a message in the language of a request."""
        return self._words[language_of(request)].gettext(text)


class _CompiledTemplates(BytecodeCache):
    """Keeps the code of templates in memory: both languages use the same code."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._code.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_compiled = _CompiledTemplates()


def _environment(loader: PrefixLoader, words: gettext.NullTranslations) -> Environment:
    made = Environment(
        loader=loader,
        bytecode_cache=_compiled,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    made.filters["category_name"] = partial(category_name, words)
    made.filters["word"] = partial(word_name, words)
    return made


_HARMS = {
    Harm.ADVERT: marked("advert"),
    Harm.FRAUD: marked("fraud"),
    Harm.ILLEGAL: marked("illegal"),
}
_NAMED = marked("{id} ({harm})")


def category_name(words: gettext.NullTranslations, category: str) -> str:
    """Return a category and its harm in the language of `words`; another word as it is."""
    found = category_of(category)
    if found is None:
        return category
    harm = words.gettext(_HARMS[harm_of(category)])
    return words.gettext(_NAMED).format(id=category, name=found.name, harm=harm)


# States, severities, modes, actions and the like, as /v1 and the commands call them.
# fmt: off
_WORDS = frozenset((
    marked("general"), marked("serious"), marked("major"), marked("held"), marked("deferred"),
    marked("release_requested"), marked("releasing"), marked("in_doubt"), marked("released"),
    marked("refused"), marked("discarded"), marked("expired"), marked("cancelled"),
    marked("enforce"), marked("shadow"), marked("off"), marked("forward"), marked("defer"),
    marked("quarantine"), marked("throttle"), marked("reject"), marked("allow"), marked("block"),
    marked("hold"), marked("active"), marked("suspended"), marked("none"), marked("pending"),
    marked("trial"), marked("renewal"), marked("withdrawn"), marked("agreed"), marked("asserted"),
    marked("number"), marked("keyword"), marked("category"), marked("class"), marked("quiet_hours"),
    marked("received"), marked("need_info"), marked("valid"), marked("invalid"),
    marked("clustered"), marked("closed"), marked("cs"), marked("mo"), marked("client"),
    marked("carrier"), marked("linkage"), marked("probe"), marked("monitor"), marked("month"),
    marked("once"), marked("judged_again"), marked("answered"), marked("late"), marked("receipt"),
    marked("severity"), marked("score"), marked("campaign"), marked("word"), marked("verification"),
    marked("service"), marked("marketing"),
))
# fmt: on


def word_name(words: gettext.NullTranslations, word: object) -> str:
    """Return a state, a severity, a mode or an action in the language of `words`.

    Another word stays as it is.
    """
    said = str(word)
    return words.gettext(said) if said in _WORDS else said


def _catalogue(packages: Collection[str]) -> gettext.NullTranslations:
    found: gettext.NullTranslations = gettext.NullTranslations()
    for package in packages:
        words = gettext.GNUTranslations(BytesIO(_messages(package)))
        words.add_fallback(found)
        found = words
    return found


@cache
def _messages(package: str) -> bytes:
    """Return the catalogue of a package in the format of gettext."""
    source = files(package) / "templates" / "zh.po"
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source.read_bytes()), locale="zh"))
    return compiled.getvalue()


def allowed(permission: Permission, *, keeps_limits: bool = False) -> Any:
    """Return what refuses a page to users without this permission, for `dependencies`.

    Who sees only what is of one SP or province sees no page but those that `keeps_limits`.
    """
    return allowed_on(PageLink("", "", permission, _LIMITS if keeps_limits else frozenset()))


def allowed_on(page: PageLink) -> Any:
    """Return what refuses a page to all but who it is for, for `dependencies`."""

    def check(request: Request) -> None:
        if not page.is_for(request.state.user):
            raise PageForbiddenError

    return Depends(check)


class PageForbiddenError(Exception):
    """The role of who is signed in may not see this page."""


def answer_page_errors(app: FastAPI, templates: Templates) -> None:
    """Let `app` answer what goes wrong on a page with a page that says so."""

    async def forbidden(request: Request, _error: Exception) -> Response:
        return templates.page(request, "web/forbidden.html", {}, 403)

    async def not_found(request: Request, _error: Exception) -> Response:
        return templates.page(request, "web/not_found.html", {}, 404)

    async def unavailable(request: Request, _error: Exception) -> Response:
        return templates.page(request, "web/unavailable.html", {}, 503)

    async def not_understood(request: Request, _error: Exception) -> Response:
        return templates.page(request, "web/not_understood.html", {}, 400)

    async def broken(request: Request, _error: Exception) -> Response:
        return templates.page(request, "web/broken.html", {}, 500)

    app.add_exception_handler(PageForbiddenError, forbidden)
    app.add_exception_handler(404, not_found)
    app.add_exception_handler(405, not_found)
    app.add_exception_handler(StoreUnavailable, unavailable)
    app.add_exception_handler(FormError, not_understood)
    app.add_exception_handler(Exception, broken)


def last_part(answer: Response) -> Response:
    """Return a part that takes the place of the element that asks for it, and so ends the asking.

    No part has attributes of htmx: they need the nonce of the page, which only that one knows.
    """
    answer.headers["HX-Reswap"] = "outerHTML"
    return answer


def language_of(request: Request) -> str:
    """Return the language that a person has chosen, else the first that the browser takes."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "").lower()
    tags = [tag.partition(";")[0].strip().partition("-")[0] for tag in accepted.split(",")]
    return next((tag for tag in tags if tag in LANGUAGES), "zh")


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises FormError for too many, or what is no text."""
    return dict(await form_fields(request))


async def form_fields(request: Request, most: int = MAX_FORM_FIELDS) -> list[tuple[str, str]]:
    """Return names and values of a form, at most so many. Raises FormError as `form_of`."""
    try:
        body = (await request.body()).decode("ascii")
        return parse_qsl(body, keep_blank_values=True, max_num_fields=most, errors="strict")
    except ValueError as error:
        raise FormError from error


class FormError(Exception):
    """What came is no form of a page."""


def own_path(path: str) -> str:
    """Return a path of this console as it was given, "/" for all else: it leads nowhere else."""
    is_own = path.startswith("/") and not path.startswith("//")
    return path if is_own and path.isprintable() and "\\" not in path else "/"


def set_cookie(answer: Response, request: Request, name: str, value: str, max_age: int) -> None:
    """Set a cookie that no script reads and no other site sends; with TLS for TLS alone."""
    answer.set_cookie(
        name,
        value,
        max_age=max_age,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


class PageGuard:
    """Passes requests of people who are signed in on to pages.

    Only the paths that are `public` are for everybody. What may change something must come from a
    page of the same origin, as the browser says.
    """

    def __init__(
        self, app: ASGIApp, *, find_user: FindUser, is_public: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._find_user = find_user
        self._is_public = is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        send = _with_headers(send)
        try:
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            body = await body_of(scope, receive, MAX_FORM_OCTETS)
        except ClientGoneError:
            return
        except ProblemError as error:
            plain = Response(error.problem.title, status_code=error.problem.status)
            await plain(scope, receive, send)
            return
        except StoreUnavailable:
            await Response(_NO_STORE, status_code=503)(scope, receive, send)
            return
        await self._app(scope, given_whole(body, receive), send)

    async def _refusal(self, scope: Scope) -> Response | None:
        request = Request(scope)
        if scope["method"] not in _SAFE and not _is_of_same_origin(request):
            return Response("The request comes from another site.", status_code=403)
        token = request.cookies.get(SESSION_COOKIE, "")
        user = await self._find_user(token, scope["path"]) if token else None
        scope.setdefault("state", {})["user"] = user
        if user is not None or self._is_public(scope["path"]):
            return None
        page = _page_of(request)
        where = SIGN_IN if page == "/" else f"{SIGN_IN}?next={quote(page)}"
        if request.headers.get("hx-request") == "true":
            return Response(status_code=401, headers={"HX-Redirect": where})
        if scope["method"] not in _SAFE:
            return Response("Nobody is signed in.", status_code=401)
        return RedirectResponse(where, status_code=303)


def _page_shown(request: Request) -> str:
    """Return the page that is shown, with its query: a choice of language leads back to it.

    What answers a POST is no page to lead back to; the page that the POST came from is.
    """
    if request.method in _SAFE:
        query = request.url.query
        return own_path(f"{request.url.path}?{query}" if query else request.url.path)
    try:
        came_from = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # it is no URL
        return "/"
    if came_from.netloc != request.headers.get("host"):
        return "/"
    return own_path(f"{came_from.path}?{came_from.query}" if came_from.query else came_from.path)


def _page_of(request: Request) -> str:
    """Return the path that is asked for, or of the page that wants it as a part, as htmx tells."""
    try:
        page = urlsplit(request.headers.get("hx-current-url", "")).path
    except ValueError:  # it is no URL
        page = ""
    return own_path(page) if page else str(request.scope["path"])


def _is_of_same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(request.headers.get("origin", "")).netloc
    except ValueError:  # it is no URL
        return False
    return origin != "" and origin == request.headers.get("host")


def _with_headers(send: Send) -> Send:
    """Return a `send` that puts the headers of pages on an answer, which nothing keeps."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_guarded
