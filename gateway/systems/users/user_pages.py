"""Pages: the users with their roles and sessions, and what an administrator does with them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.permissions import SCOPES, USER_PERMISSIONS, Permission, UserRole
from gateway.systems.users.model import (
    User,
    UserAct,
    UserError,
    UserState,
    checked_name,
    own_act,
)
from gateway.systems.users.service import IssuedLink, UserDesk
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sign_in import SignInDesk
from gateway.systems.users.sign_in_pages import ENROL, said_of
from gateway.systems.users.sql import UserStore
from gateway.terminal.screen import visible
from gateway.web.pages import PageLink, allowed, form_of, marked
from gateway.web.systems import PageContext

USERS = PageLink("/users", marked("Users"), Permission.READ_USERS, order=140)

ROLES = {
    UserRole.VIEWER: marked("Viewer: rates, sessions, policies; no text"),
    UserRole.REVIEWER: marked("Reviewer: decides on held messages"),
    UserRole.SENIOR_REVIEWER: marked("Senior reviewer: whole campaigns, exceptions, cases"),
    UserRole.OPERATOR: marked("Operator: sessions, SMSCs, policies, warnings"),
    UserRole.SENDER: marked("Sender: an SP, its own things only"),
    UserRole.REGULATOR: marked("Regulator: reads, of one province"),
    UserRole.AUDITOR: marked("Auditor: reads the audit"),
    UserRole.ADMIN: marked("Admin: manages users, may do all"),
}
STATES = {UserState.ACTIVE: marked("Active"), UserState.DISABLED: marked("Disabled")}


AskAdmin = Callable[[str, UserAct], Awaitable[str]]
"""Asks a second person to make a user an admin; returns the address of what waits."""


@dataclass(frozen=True, slots=True)
class AdminRules:
    """Which SPs there are; `ask_admin` is None where one person alone may make an admin."""

    is_sender: Callable[[str], bool]
    ask_admin: AskAdmin | None


class UserAdministration:
    """Answers the requests of administrators, and of who may read which users there are."""

    def __init__(self, context: PageContext) -> None:
        self.users, self.sessions = UserStore(context.database), UserSessionStore(context.database)
        self.limits, self.rules = context.join(SignInDesk).limits, context.join(AdminRules)
        self.templates, self.utcnow = context.templates, context.utcnow

    @property
    def desk(self) -> UserDesk:
        """Return what changes users."""
        return UserDesk(self.users, makes_admins=self.rules.ask_admin is None)

    async def listed(self, request: Request, error: UserError | None = None) -> Response:
        """Return all users, and the form that adds one."""
        counts = await self.sessions.counts(self.utcnow(), self.limits)
        values = {
            **self._words(request),
            "found": [
                self._shown(one, counts.get(one.name, 0)) for one in await self.users.listed()
            ],
            "problem": "" if error is None else said_of(self.templates, request, error),
            "given": await form_of(request) if error is not None else {},
        }
        status = 200 if error is None else 422
        return self.templates.page(request, "users/users.html", values, status)

    async def one(self, request: Request, name: str, error: UserError | None = None) -> Response:
        """Return a user with its sessions and what may be done. Raises HTTPException for none."""
        user = await self._user(name)
        opened = await self.sessions.sessions_of(user.name, self.utcnow(), self.limits)
        values = {
            **self._words(request),
            "one": self._shown(user, len(opened)),
            "opened": opened,
            "may_do": sorted(USER_PERMISSIONS[user.grant.role]),
            "codes_left": await self.users.recovery_codes_left(user.number),
            "problem": "" if error is None else said_of(self.templates, request, error),
        }
        status = 200 if error is None else 422
        return self.templates.page(request, "users/user.html", values, status)

    async def added(self, request: Request) -> Response:
        """Add a user, and show the one-time link: it is shown this once."""
        given, act = await form_of(request), self.act_of(request)
        system_id, province = (given.get(one, "").strip() for one in ("system_id", "province"))
        try:
            role, name = _role_of(given), checked_name(given.get("name", "").strip())
            self._require_sender(system_id)
            link = await self.desk.add(name, role, act, system_id=system_id, province=province)
        except UserError as error:
            return await self.listed(request, error)
        return self._link_shown(request, link)

    async def was_reset(self, request: Request, name: str) -> Response:
        """Forget what a user signs in with, and show the one-time link to set it anew."""
        try:
            link = await self.desk.reset((await self._user(name)).name, self.act_of(request))
        except UserError as error:
            return await self.one(request, name, error)
        return self._link_shown(request, link)

    async def role_given(self, request: Request, name: str) -> Response:
        """Give a user another role."""
        given = await form_of(request)
        system_id, province = (given.get(one, "").strip() for one in ("system_id", "province"))

        if given.get("role") == UserRole.ADMIN and self.rules.ask_admin is not None:
            await self._user(name)
            where = await self.rules.ask_admin(name, self.act_of(request))
            return RedirectResponse(where, status_code=303)

        async def give(act: UserAct) -> object:
            self._require_sender(system_id)
            role = _role_of(given)
            return await self.desk.give_role(
                name, role, act, system_id=system_id, province=province
            )

        return await self.changed(request, name, give)

    async def changed(
        self, request: Request, name: str, change: Callable[[UserAct], Awaitable[object]]
    ) -> Response:
        """Change a user, and lead back to it; what is refused is said."""
        await self._user(name)
        try:
            await change(self.act_of(request))
        except UserError as error:
            return await self.one(request, name, error)
        return RedirectResponse(f"{USERS.path}/{name}", status_code=303)

    def act_of(self, request: Request) -> UserAct:
        """Return who acts, and when."""
        return own_act(request.state.user.name, self.utcnow())

    async def _user(self, name: str) -> User:
        try:
            user = await self.users.get(checked_name(name))
        except UserError:
            user = None
        if user is None:
            raise HTTPException(404)
        return user

    def _require_sender(self, system_id: str) -> None:
        if system_id and not self.rules.is_sender(system_id):
            raise UserError("there is no sender {system_id}", system_id=visible(system_id[:15]))

    def _link_shown(self, request: Request, link: IssuedLink) -> Response:
        address = f"{request.base_url}{ENROL.removeprefix('/')}/{link.token}"
        values = {"link": link, "address": address}
        return self.templates.page(request, "users/link.html", values)

    def _shown(self, user: User, sessions: int) -> dict[str, object]:
        has_link = user.link_until is not None and user.link_until > self.utcnow()
        return {
            "name": user.name,
            "path": f"{USERS.path}/{user.name}",
            "role": user.grant.role,
            "limit": visible(user.grant.limit),
            "state": user.state,
            "is_enrolled": user.is_enrolled,
            "link_until": user.link_until if has_link else None,
            "sessions": sessions,
            "changed_at": user.changed_at,
            "changed_by": visible(user.changed_by),
            "created_at": user.created_at,
            "created_by": visible(user.created_by),
        }

    def _words(self, request: Request) -> dict[str, object]:
        said = self.templates.said
        return {
            "roles": {role: said(request, word) for role, word in ROLES.items()},
            "scopes": {role: scope.value for role, scope in SCOPES.items()},
            "states": {state: said(request, word) for state, word in STATES.items()},
            "may_manage": request.state.user.may(Permission.MANAGE_USERS),
        }


def user_pages(context: PageContext) -> APIRouter:
    """Return the pages of users."""
    router = APIRouter(include_in_schema=False)
    administration = UserAdministration(context)
    may_read, may_manage = allowed(USERS.permission), allowed(Permission.MANAGE_USERS)

    @router.get(USERS.path, dependencies=[may_read])
    async def show_list(request: Request) -> Response:
        return await administration.listed(request)

    @router.post(USERS.path, dependencies=[may_manage])
    async def add(request: Request) -> Response:
        return await administration.added(request)

    @router.get(USERS.path + "/{name}", dependencies=[may_read])
    async def show(request: Request, name: str) -> Response:
        return await administration.one(request, name)

    @router.post(USERS.path + "/{name}/role", dependencies=[may_manage])
    async def give_role(request: Request, name: str) -> Response:
        return await administration.role_given(request, name)

    @router.post(USERS.path + "/{name}/reset", dependencies=[may_manage])
    async def reset(request: Request, name: str) -> Response:
        return await administration.was_reset(request, name)

    @router.post(USERS.path + "/{name}/{act}", dependencies=[may_manage])
    async def change(request: Request, name: str, act: str) -> Response:
        changes: dict[str, Callable[[str, UserAct], Awaitable[object]]] = {
            "disable": administration.desk.disable,
            "enable": administration.desk.enable,
            "sign-out": administration.sessions.end_all,
        }
        if act not in changes:
            raise HTTPException(404)
        return await administration.changed(request, name, partial(changes[act], name))

    return router


def _role_of(given: dict[str, str]) -> UserRole:
    try:
        return UserRole(given.get("role", ""))
    except ValueError:
        raise UserError("there is no such role") from None
