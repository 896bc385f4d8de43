"""The store of users: roles and states, one-time links, digests of what proves who they are."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.permissions import UserRole
from gateway.domain.records import NewAccess
from gateway.storage.database import SqlStore, added, values_of
from gateway.storage.journals import note_access
from gateway.systems.users.model import (
    NewCredentials,
    RoleGrant,
    SignInLink,
    User,
    UserAct,
    UserState,
    own_act,
)
from gateway.systems.users.tables import recovery_codes, user_devices, user_sessions, users

_user, _code = users.c, recovery_codes.c
_NO_CREDENTIALS: Mapping[str, object] = {"password_hash": "", "totp_secret": None, "totp_step": 0}
_NO_LINK: Mapping[str, object] = {"link_sha256": None, "link_until": None}
_MOST_LISTED = 10_000


class UserOutcome(StrEnum):
    """What became of a change of a user."""

    DONE = "done"
    UNKNOWN = "unknown"  # there is no such user
    UNCHANGED = "unchanged"  # it is so already
    LAST_ADMIN = "last_admin"  # no other admin could sign in any more


class UserStore(SqlStore):
    """Keeps users. Names are unique for good: a user is disabled, and never deleted.

    Every call raises StoreUnavailable when the store does not answer. Each change is in the
    audit, in one commit with it.
    """

    async def add(self, name: str, grant: RoleGrant, link: SignInLink, act: UserAct) -> bool:
        """Keep a new user with the link by which to enrol; False if the name is taken."""
        made = {"created_at": act.at, "created_by": act.by, "changed_at": act.at}
        values = {
            "name": name,
            **values_of(grant),
            "state": UserState.ACTIVE,
            **_of_link(link),
            **made,
            "changed_by": act.by,
        }

        async def run(connection: AsyncConnection) -> bool:
            # The writer has the write lock from the start: nobody takes the name in between.
            if await _row_of(connection, name) is not None:
                return False
            await added(connection, users, values)
            await journal_act(connection, "user add", name, str(grant), act)
            return True

        return await self._database.writer.write(run, rows=2)

    async def get(self, name: str) -> User | None:
        """Return the user of a name."""
        row = await self._database.first(sa.select(users).where(_user.name == name))
        return None if row is None else _user_of(row)

    async def listed(self, role: UserRole | None = None) -> list[User]:
        """Return users by name, disabled ones too."""
        query = sa.select(users).order_by(_user.name).limit(_MOST_LISTED)
        if role is not None:
            query = query.where(_user.role == role)
        return [_user_of(row) for row in await self._database.rows(query)]

    async def recovery_codes_left(self, number: int) -> int:
        """Return how many recovery codes of a user are not used."""
        query = sa.select(sa.func.count().label("left")).where(_code.user_number == number)
        (row,) = await self._database.rows(query)
        return int(row["left"])

    async def disable(self, name: str, act: UserAct) -> UserOutcome:
        """Keep a user from signing in; end the sessions, and forget the devices."""
        values = {"state": UserState.DISABLED, **_NO_LINK}
        return await self._change(name, values, act, "user disable", forgets_devices=True)

    async def enable(self, name: str, act: UserAct) -> UserOutcome:
        """Let a user sign in again, with the password and second factor of before."""
        return await self._change(name, {"state": UserState.ACTIVE}, act, "user enable")

    async def give_role(self, name: str, grant: RoleGrant, act: UserAct) -> UserOutcome:
        """Give a user another role in the place of the one before; end the sessions."""
        values = values_of(grant)
        return await self._change(name, values, act, "user role", reason=str(grant))

    async def reset(self, name: str, link: SignInLink, act: UserAct) -> UserOutcome:
        """Forget password, second factor, recovery codes and devices; a link sets them anew.

        Also those of the last admin: who may run this command may make another one.
        """
        values = {**_NO_CREDENTIALS, **_of_link(link), **_changed(act)}

        async def run(connection: AsyncConnection) -> UserOutcome:
            row = await _row_of(connection, name)
            if row is None:
                return UserOutcome.UNKNOWN
            if row["state"] is not UserState.ACTIVE:
                return UserOutcome.UNCHANGED
            await _update(connection, row["number"], values)
            await _forget_codes(connection, row["number"])
            await end_sessions(connection, row["number"], forgets_devices=True)
            await journal_act(connection, "user reset", name, "", act)
            return UserOutcome.DONE

        return await self._database.writer.write(run, rows=12)

    async def of_link(self, token_sha256: str, now: datetime) -> User | None:
        """Return the user of a link; None if it is unknown, used or over."""
        row = await self._database.first(sa.select(users).where(*_link_is(token_sha256, now)))
        return None if row is None else _user_of(row)

    async def enrol(self, token_sha256: str, new: NewCredentials, now: datetime) -> User | None:
        """Use a link up, and keep what its user has set; return the user, None as `of_link`."""

        async def run(connection: AsyncConnection) -> User | None:
            query = sa.select(users).where(*_link_is(token_sha256, now))
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                return None
            number, name = int(row["number"]), str(row["name"])
            values = {
                "password_hash": new.password_hash,
                "totp_secret": new.totp_secret,
                "totp_step": new.step,
            }
            await _update(connection, number, {**values, **_NO_LINK})
            await _forget_codes(connection, number)
            await end_sessions(connection, number, forgets_devices=True)
            codes = [{"user_number": number, "digest": one} for one in new.recovery_digests]
            await connection.execute(sa.insert(recovery_codes), codes)
            await journal_act(connection, "user enrol", name, "", own_act(name, now))
            return _user_of({**row, **values, **_NO_LINK})

        return await self._database.writer.write(run, rows=12)

    async def _change(
        self,
        name: str,
        values: Mapping[str, object],
        act: UserAct,
        action: str,
        *,
        reason: str = "",
        forgets_devices: bool = False,
    ) -> UserOutcome:
        async def run(connection: AsyncConnection) -> UserOutcome:
            row = await _row_of(connection, name)
            if row is None:
                return UserOutcome.UNKNOWN
            new: dict[str, Any] = {**row, **values}
            if all(row[column] == value for column, value in values.items() if value is not None):
                return UserOutcome.UNCHANGED
            if not _is_active_admin(new) and await _is_last_admin(connection, row):
                return UserOutcome.LAST_ADMIN
            await _update(connection, row["number"], {**values, **_changed(act)})
            await end_sessions(connection, row["number"], forgets_devices=forgets_devices)
            await journal_act(connection, action, name, reason, act)
            return UserOutcome.DONE

        return await self._database.writer.write(run, rows=2)


def _user_of(row: Mapping[Any, Any]) -> User:
    return User(
        number=row["number"],
        name=row["name"],
        grant=RoleGrant(row["role"], row["system_id"], row["province"]),
        state=row["state"],
        is_enrolled=row["password_hash"] != "",
        link_until=row["link_until"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )


def _is_active_admin(row: Mapping[Any, Any]) -> bool:
    return row["role"] is UserRole.ADMIN and row["state"] is UserState.ACTIVE


async def _is_last_admin(connection: AsyncConnection, row: sa.RowMapping) -> bool:
    """Tell whether no other user could manage users.

    While this one can sign in, one who has never set a password does not count.
    """
    if not _is_active_admin(row):
        return False
    others = [
        _user.role == UserRole.ADMIN,
        _user.state == UserState.ACTIVE,
        _user.number != row["number"],
    ]
    if row["password_hash"]:
        others.append(_user.password_hash != "")
    query = sa.select(sa.exists().where(*others))
    return not (await connection.execute(query)).scalar()


def _of_link(link: SignInLink) -> dict[str, object]:
    return {"link_sha256": link.token_sha256, "link_until": link.until}


def _link_is(token_sha256: str, now: datetime) -> Sequence[sa.ColumnElement[bool]]:
    return (
        _user.link_sha256 == token_sha256,
        _user.link_until > now,
        _user.state == UserState.ACTIVE,
    )


def _changed(act: UserAct) -> dict[str, object]:
    return {"changed_at": act.at, "changed_by": act.by}


async def _row_of(connection: AsyncConnection, name: str) -> sa.RowMapping | None:
    query = sa.select(users).where(_user.name == name)
    return (await connection.execute(query)).mappings().first()


async def _update(connection: AsyncConnection, number: int, values: Mapping[str, object]) -> None:
    await connection.execute(sa.update(users).where(_user.number == number).values(values))


async def _forget_codes(connection: AsyncConnection, number: int) -> None:
    await connection.execute(sa.delete(recovery_codes).where(_code.user_number == number))


async def end_sessions(
    connection: AsyncConnection, number: int, *, forgets_devices: bool = False
) -> int:
    """End all sessions of a user; return how many."""
    own = sa.delete(user_sessions).where(user_sessions.c.user_number == number)
    if forgets_devices:
        await connection.execute(
            sa.delete(user_devices).where(user_devices.c.user_number == number)
        )
    return (await connection.execute(own)).rowcount


async def journal_act(
    connection: AsyncConnection, action: str, name: str, reason: str, act: UserAct
) -> None:
    """Note what was done to the user `name`, in the commit in which it is done."""
    await note_access(connection, NewAccess(act.by, action, reason, name, act.at))
