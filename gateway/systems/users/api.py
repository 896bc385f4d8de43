"""Users over HTTP: for programs that give and take access as administrators do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field, model_validator

from gateway.domain.api_client import ApiClient
from gateway.domain.permissions import Permission, UserRole
from gateway.systems.users.model import (
    MAX_NAME_CHARS,
    MAX_PROVINCE_CHARS,
    MAX_SYSTEM_ID_CHARS,
    SessionLimits,
    User,
    UserAct,
    UserError,
    UserSession,
    UserState,
    granted,
)
from gateway.systems.users.service import IssuedLink, UserDesk
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sql import UserStore
from gateway.web.access import acting_as, may
from gateway.web.fields import RequestBody
from gateway.web.problems import Problem, ProblemError
from gateway.web.resources import (
    Cursor,
    CursorPage,
    IfMatch,
    Limit,
    cursor_of,
    etag_of,
    name_in,
    require_match,
)
from gateway.web.systems import ApiContext, SystemApi

T = TypeVar("T")

_USERS = "users"

Reader = Annotated[ApiClient, Depends(may(Permission.READ_USERS))]
Manager = Annotated[ApiClient, Depends(may(Permission.MANAGE_USERS))]
Name = Annotated[str, Path(min_length=1, max_length=MAX_NAME_CHARS, examples=["lin"])]


class UserItem(RequestBody):
    """A user: role with its limit, and whether password and second factor are set."""

    name: Annotated[str, Field(examples=["lin"])]
    role: UserRole
    system_id: Annotated[str, Field(description="Of a sender, else empty.", examples=[""])]
    province: Annotated[str, Field(description="Of a regulator, else empty.", examples=[""])]
    state: UserState
    is_enrolled: bool
    link_until: Annotated[datetime | None, Field(description="End of an unused one-time link.")]
    created_at: datetime
    created_by: Annotated[str, Field(examples=["api: iam"])]
    changed_at: datetime
    changed_by: Annotated[str, Field(examples=["api: iam"])]


class UserList(CursorPage):
    """Users by name, disabled ones too."""

    users: list[UserItem]


class RoleBody(RequestBody):
    """A role: `sender` is of one SP, `regulator` of one province, the others have no limit."""

    role: UserRole
    system_id: Annotated[str, Field(max_length=MAX_SYSTEM_ID_CHARS, examples=[""])] = ""
    province: Annotated[str, Field(max_length=MAX_PROVINCE_CHARS, examples=[""])] = ""

    @model_validator(mode="after")
    def _is_for_this_role(self) -> Self:
        granted(self.role, self.system_id, self.province)
        return self


class NewUser(RoleBody):
    """A user to be added."""

    name: Annotated[
        str, Field(pattern="^[a-z][a-z0-9._-]*$", min_length=2, max_length=32, examples=["lin"])
    ]


class OneTimeLink(RequestBody):
    """The path, on this console, by which a user sets password and second factor, once."""

    name: Annotated[str, Field(examples=["lin"])]
    path: Annotated[str, Field(description="Give it to its user alone; it is told once.")]
    until: datetime


class UserSessionItem(RequestBody):
    """A session of a user that is open."""

    created_at: datetime
    seen_at: datetime
    address: Annotated[str, Field(examples=["192.0.2.7"])]


class UserSessions(RequestBody):
    """The open sessions of a user, the newest first."""

    sessions: list[UserSessionItem]


class EndedSessions(RequestBody):
    """How many sessions have ended."""

    ended: Annotated[int, Field(examples=[2])]


def user_routes(context: ApiContext) -> APIRouter:
    """Return the routes of users; where two persons make an admin, these routes make none."""
    router, database = APIRouter(tags=["users"]), context.database
    makes_admins = not context.two_persons.make_admin
    users = _KnownUsers(UserStore(database), context.utcnow, makes_admins)
    _read_users(router, users)
    _change_users(router, users)
    _issue_links(router, users)
    _see_sessions(router, users, UserSessionStore(database), context.join(SessionLimits))
    return router


API = SystemApi((user_routes,))


@dataclass(frozen=True, slots=True)
class _KnownUsers:
    store: UserStore
    utcnow: Callable[[], datetime]
    makes_admins: bool

    @property
    def desk(self) -> UserDesk:
        return UserDesk(self.store, makes_admins=self.makes_admins)

    async def get(self, name: str) -> User:
        """Return a user. Raises ProblemError."""
        user = await self.store.get(name)
        if user is None:
            raise ProblemError(Problem.NOT_FOUND)
        return user

    async def matched(self, name: str, if_match: str | None) -> None:
        """Raise ProblemError unless the client has read the user as it is."""
        require_match(if_match, _etag(await self.get(name)))

    def act_of(self, client: ApiClient) -> UserAct:
        return UserAct(acting_as(client), self.utcnow())


def _read_users(router: APIRouter, users: _KnownUsers) -> None:
    @router.get("/v1/users", summary="List users")
    async def listed(
        _client: Reader, role: UserRole | None = None, cursor: Cursor = None, limit: Limit = 50
    ) -> UserList:
        """Return users by name, of all roles or of one."""
        after = name_in(_USERS, cursor)
        found = [one for one in await users.store.listed(role) if one.name > after]
        page = found[:limit]
        behind = cursor_of(_USERS, page[-1].name) if len(found) > limit else None
        return UserList(users=list(map(_item, page)), next=behind)

    @router.get("/v1/users/{name}", summary="Look at a user")
    async def show(name: Name, _client: Reader, response: Response) -> UserItem:
        """Return one user. Its ETag changes with every change of the user."""
        user = await users.get(name)
        response.headers["ETag"] = _etag(user)
        return _item(user)


def _issue_links(router: APIRouter, users: _KnownUsers) -> None:
    desk = users.desk

    @router.post("/v1/users", summary="Add a user", status_code=201)
    async def add(new: NewUser, client: Manager, request: Request) -> OneTimeLink:
        """Add a user; the answer has the one-time link to enrol by, and is kept nowhere."""
        request.state.is_secret = True
        link = desk.add(
            new.name,
            new.role,
            users.act_of(client),
            system_id=new.system_id,
            province=new.province,
        )
        return _link(await _done(link))

    @router.post("/v1/users/{name}/reset", summary="Reset a user")
    async def reset(
        name: Name, client: Manager, request: Request, if_match: IfMatch = None
    ) -> OneTimeLink:
        """Forget password and second factor; the answer has the link that sets them anew."""
        request.state.is_secret = True
        await users.matched(name, if_match)
        return _link(await _done(desk.reset(name, users.act_of(client))))


def _change_users(router: APIRouter, users: _KnownUsers) -> None:
    desk = users.desk

    @router.post("/v1/users/{name}/disable", summary="Disable a user")
    async def disable(name: Name, client: Manager, if_match: IfMatch = None) -> UserItem:
        """Keep a user from signing in, and end the sessions."""
        await users.matched(name, if_match)
        return _item(await _done(desk.disable(name, users.act_of(client))))

    @router.post("/v1/users/{name}/enable", summary="Enable a user")
    async def enable(name: Name, client: Manager, if_match: IfMatch = None) -> UserItem:
        """Let a disabled user sign in again, with password and second factor of before."""
        await users.matched(name, if_match)
        return _item(await _done(desk.enable(name, users.act_of(client))))

    @router.put("/v1/users/{name}/role", summary="Give a user another role")
    async def give_role(
        name: Name, body: RoleBody, client: Manager, if_match: IfMatch = None
    ) -> UserItem:
        """Give a user another role in the place of the one before, and end the sessions."""
        await users.matched(name, if_match)
        given = desk.give_role(
            name, body.role, users.act_of(client), system_id=body.system_id, province=body.province
        )
        return _item(await _done(given))


def _see_sessions(
    router: APIRouter, users: _KnownUsers, sessions: UserSessionStore, limits: SessionLimits
) -> None:
    @router.get("/v1/users/{name}/sessions", summary="List sessions of a user")
    async def sessions_of(name: Name, _client: Reader) -> UserSessions:
        """Return the open sessions of a user: since when, seen when, and from where."""
        await users.get(name)
        found = await sessions.sessions_of(name, users.utcnow(), limits)
        return UserSessions(sessions=list(map(_session, found)))

    @router.post("/v1/users/{name}/sign-out", summary="Sign a user out everywhere")
    async def sign_out(name: Name, client: Manager) -> EndedSessions:
        """End all sessions of a user, and forget the devices."""
        await users.get(name)
        return EndedSessions(ended=await sessions.end_all(name, users.act_of(client)) or 0)


async def _done(change: Awaitable[T]) -> T:
    """Return what a change came to. Raises ProblemError with why it is not allowed."""
    try:
        return await change
    except UserError as error:
        raise ProblemError(Problem.CONFLICT, str(error)) from error


def _etag(user: User) -> str:
    return etag_of(*_item(user).model_dump().values())


def _link(issued: IssuedLink) -> OneTimeLink:
    return OneTimeLink(name=issued.name, path=f"/enrol/{issued.token}", until=issued.until)


def _session(one: UserSession) -> UserSessionItem:
    return UserSessionItem(created_at=one.created_at, seen_at=one.seen_at, address=one.address)


def _item(user: User) -> UserItem:
    grant = user.grant
    return UserItem(
        name=user.name,
        role=grant.role,
        system_id=grant.system_id,
        province=grant.province,
        state=user.state,
        is_enrolled=user.is_enrolled,
        link_until=user.link_until,
        created_at=user.created_at,
        created_by=user.created_by,
        changed_at=user.changed_at,
        changed_by=user.changed_by,
    )
