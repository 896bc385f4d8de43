"""What administrators do with users, and how a user enrols with a one-time link."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.permissions import UserRole
from gateway.systems.users.credentials import (
    compact_code,
    enrolment_uri,
    hash_password,
    is_secret,
    new_recovery_codes,
    new_secret,
    new_token,
    recovery_digest,
    step_of,
    token_digest,
)
from gateway.systems.users.model import (
    LINK_LIFE,
    NewCredentials,
    SignInLink,
    User,
    UserAct,
    UserError,
    checked_name,
    checked_password,
    granted,
)
from gateway.systems.users.sql import UserOutcome, UserStore

_REFUSALS = {
    UserOutcome.UNKNOWN: "there is no user {name}",
    UserOutcome.LAST_ADMIN: "{name} is the last admin who can sign in: make another one first",
}


SECOND_PERSON = (
    "an admin needs a second person: add the user with another role, then ask for that one on"
    " the page of the user"
)


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """The token of a one-time link, to be given to its user alone, and when it ends."""

    name: str
    token: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a user who has opened a link puts into an authenticator app.

    It is made anew each time, and nothing of it is kept: who saw a link opened knows nothing.
    """

    name: str
    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnrolmentForm:
    """What a user brings to a link: a password, the secret of the app, and a code of it."""

    password: str = field(repr=False)
    secret: str = field(repr=False)
    code: str = field(repr=False)


class UserDesk:
    """Adds and changes users. Every call raises StoreUnavailable, and UserError for refusals.

    One that does not make admins refuses to: another way asks a second person first.
    """

    def __init__(self, store: UserStore, *, makes_admins: bool = True) -> None:
        self._store = store
        self._makes_admins = makes_admins

    async def add(
        self, name: str, role: UserRole, act: UserAct, *, system_id: str = "", province: str = ""
    ) -> IssuedLink:
        """Add a user; return the link by which the user sets password and second factor."""
        self._require_admins_made(role)
        grant, (issued, link) = granted(role, system_id, province), _issued(checked_name(name), act)
        if not await self._store.add(name, grant, link, act):
            raise UserError("there is a user {name} already; names are not given again", name=name)
        return issued

    async def disable(self, name: str, act: UserAct) -> User:
        """Keep a user from signing in."""
        return await self._done(
            name, await self._store.disable(name, act), "{name} is disabled already"
        )

    async def enable(self, name: str, act: UserAct) -> User:
        """Let a disabled user sign in again."""
        return await self._done(
            name, await self._store.enable(name, act), "{name} is active already"
        )

    async def give_role(
        self, name: str, role: UserRole, act: UserAct, *, system_id: str = "", province: str = ""
    ) -> User:
        """Give a user another role, or the same one with another limit."""
        self._require_admins_made(role)
        grant = granted(role, system_id, province)
        outcome = await self._store.give_role(name, grant, act)
        return await self._done(name, outcome, "{name} has this role already")

    async def reset(self, name: str, act: UserAct) -> IssuedLink:
        """Forget what a user signs in with; return the link to set it anew."""
        issued, link = _issued(name, act)
        outcome = await self._store.reset(name, link, act)
        await self._done(name, outcome, "{name} is disabled: enable the user first")
        return issued

    async def open_link(self, token: str, now: datetime, shown: str = "") -> Enrolment:
        """Return what the user of a link needs to enrol; changes nothing.

        The secret that was `shown` before stays: it is in the app already.
        """
        user = await self._store.of_link(token_digest(token), now)
        if user is None:
            raise _no_link()
        secret = shown if is_secret(shown) else new_secret()
        return Enrolment(user.name, secret, enrolment_uri(secret, user.name))

    async def enrol(self, token: str, form: EnrolmentForm, now: datetime) -> tuple[str, ...]:
        """Use a link up; return the recovery codes of its user, which are shown this once.

        The link stays good when the password is too weak or the code is wrong.
        """
        digest = token_digest(token)
        user = await self._store.of_link(digest, now)
        if user is None:
            raise _no_link()
        password = checked_password(form.password, user.name)
        if not is_secret(form.secret):
            raise UserError("the secret is not one that was given with the link")
        step = step_of(form.secret, compact_code(form.code), now.timestamp(), after=0)
        if step is None:
            raise UserError("the code is wrong: is the clock of the telephone right?")
        codes = new_recovery_codes()
        password_hash = await asyncio.to_thread(hash_password, password)
        digests = tuple(map(recovery_digest, codes))
        new = NewCredentials(password_hash, form.secret, step, digests)
        if await self._store.enrol(digest, new, now) is None:
            raise _no_link()
        return codes

    def _require_admins_made(self, role: UserRole) -> None:
        if role is UserRole.ADMIN and not self._makes_admins:
            raise UserError(SECOND_PERSON)

    async def _done(self, name: str, outcome: UserOutcome, unchanged: str) -> User:
        if outcome is UserOutcome.UNCHANGED:
            raise UserError(unchanged, name=name)
        if outcome is not UserOutcome.DONE:
            raise UserError(_REFUSALS[outcome], name=name)
        user = await self._store.get(name)
        if user is None:
            raise UserError(_REFUSALS[UserOutcome.UNKNOWN], name=name)
        return user


def _issued(name: str, act: UserAct) -> tuple[IssuedLink, SignInLink]:
    token, until = new_token(), act.at + LINK_LIFE
    return IssuedLink(name, token, until), SignInLink(token_digest(token), until)


def _no_link() -> UserError:
    return UserError("the link is unknown, used or over: ask an administrator for another one")
