"""The store of sessions: what a sign-in must prove, sessions and known devices of users."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import SqlStore
from gateway.storage.errors import logged
from gateway.systems.users.model import (
    DEVICE_LIFE,
    MAX_ADDRESS_CHARS,
    MOST_DEVICES,
    NewSession,
    RoleGrant,
    SessionLimits,
    SignInProof,
    StoredCredentials,
    UserAct,
    UserSession,
    UserState,
    own_act,
)
from gateway.systems.users.sql import end_sessions, journal_act
from gateway.systems.users.tables import recovery_codes, user_devices, user_sessions, users

# A session is seen at most so often: a request is a read, and no commit.
SEEN_EVERY = timedelta(minutes=1)
ENDED_BY = "automatic"  # who ends sessions that are over

_MOST_ENDED = 500  # at once: each has an entry in the audit

_user, _code, _session, _device = users.c, recovery_codes.c, user_sessions.c, user_devices.c
_OF_SESSION = (_user.name, _user.role, _user.system_id, _user.province, *user_sessions.c)
_SESSIONS = (
    sa.select(*_OF_SESSION)
    .join_from(user_sessions, users, _session.user_number == _user.number)
    .where(_user.state == UserState.ACTIVE)
)


class UserSessionStore(SqlStore):
    """Keeps sessions of users, and the devices from which they have signed in.

    Every call raises StoreUnavailable when the store does not answer. `UserStore` ends the
    sessions of a user who is disabled or reset, or gets another role.
    """

    async def credentials_of(self, name: str) -> StoredCredentials | None:
        """Return what a user has to prove; None for who may not sign in.

        The same is read for every name.
        """
        user = sa.select(users).where(_user.name == name, _user.state == UserState.ACTIVE)
        number = sa.select(_user.number).where(_user.name == name).scalar_subquery()
        codes = sa.select(_code.digest).where(_code.user_number == number)

        async def run(connection: AsyncConnection) -> StoredCredentials | None:
            row = (await connection.execute(user)).mappings().first()
            digests = (await connection.execute(codes)).scalars().all()
            if row is None or not row["password_hash"]:
                return None
            return StoredCredentials(
                number=row["number"],
                name=name,
                password_hash=row["password_hash"],
                totp_secret=row["totp_secret"],
                totp_step=row["totp_step"],
                recovery_digests=tuple(digests),
            )

        return await self._database.read(run)

    async def is_known_device(self, name: str, device_sha256: str, now: datetime) -> bool:
        """Tell whether this user has signed in from this device in the last `DEVICE_LIFE`."""
        query = (
            sa.select(_device.known_at)
            .join_from(user_devices, users, _device.user_number == _user.number)
            .where(
                _device.token_sha256 == device_sha256,
                _user.name == name,
                _device.known_at > now - DEVICE_LIFE,
            )
        )
        return await self._database.first(query) is not None

    async def open(self, proof: SignInProof, new: NewSession, limits: SessionLimits) -> bool:
        """Use a proof up and open a session; False, and nothing changes, if it is not good.

        It is not if its code was used meanwhile, or the user was disabled or reset. The session
        before ends; of more than `limits` allow, those end that were seen longest ago.
        """

        async def run(connection: AsyncConnection) -> bool:
            # The writer has the write lock from the start: nothing changes in between.
            name = await _used_up(connection, proof)
            if name is None:
                return False
            factor = "code" if proof.step is not None else "recovery code"
            await _begin_session(connection, (proof.number, name, factor), new, limits)
            return True

        return await self._database.writer.write(run, rows=6)

    async def open_vouched(
        self, name: str, new: NewSession, limits: SessionLimits, factor: str
    ) -> bool:
        """Open a session for a user that a provider vouches for; False if there is no such user.

        A user who is disabled has none. Otherwise as `open`; the audit has `factor`.
        """
        query = sa.select(_user.number).where(_user.name == name, _user.state == UserState.ACTIVE)

        async def run(connection: AsyncConnection) -> bool:
            number = (await connection.execute(query)).scalar()
            if number is None:
                return False
            await _begin_session(connection, (int(number), name, factor), new, limits)
            return True

        return await self._database.writer.write(run, rows=6)

    async def session_of(
        self, token_sha256: str, now: datetime, limits: SessionLimits, *, is_used: bool = True
    ) -> UserSession | None:
        """Return the open session of a token, or None; it is seen now where it `is_used`.

        One that is over ends by this, and the audit has why.
        """
        own = _session.token_sha256 == token_sha256
        row = await self._database.first(_SESSIONS.where(own))
        if row is None:
            return None
        if row["seen_at"] <= now - limits.idle or row["created_at"] <= now - limits.absolute:
            await logged(self._end_over(own, now, limits))
            return None
        if is_used and row["seen_at"] <= now - SEEN_EVERY:
            seen = sa.update(user_sessions).where(_session.token_sha256 == token_sha256)
            await logged(self._database.change(seen.values(seen_at=now)))
        return _session_of(row)

    async def _end_over(
        self, which: sa.ColumnElement[bool], now: datetime, limits: SessionLimits
    ) -> int:
        async def run(connection: AsyncConnection) -> int:
            return await _end_over(connection, now, limits, which)

        return await self._database.writer.write(run, rows=2)

    async def open_among(
        self, digests: Collection[str], now: datetime, limits: SessionLimits
    ) -> frozenset[str]:
        """Return which of these digests of tokens are of open sessions; none is seen by this."""
        column = _session.token_sha256
        query = _open_sessions(now, limits).with_only_columns(column).where(column.in_(digests))
        return frozenset(row[column] for row in await self._database.rows(query))

    async def sessions_of(
        self, name: str, now: datetime, limits: SessionLimits
    ) -> list[UserSession]:
        """Return the open sessions of a user, the newest first."""
        query = _open_sessions(now, limits).where(_user.name == name)
        rows = await self._database.rows(query.order_by(_session.created_at.desc()).limit(1000))
        return [_session_of(row) for row in rows]

    async def note_refusal(self, name: str, why: str, address: str, at: datetime) -> None:
        """Keep in the audit that a sign-in was refused; `name` is that of a user, or says none."""
        act = UserAct(f"address {address[:MAX_ADDRESS_CHARS]}", at)

        async def run(connection: AsyncConnection) -> None:
            await journal_act(connection, "user sign-in refused", name, why, act)

        await self._database.writer.write(run)

    async def counts(self, now: datetime, limits: SessionLimits) -> dict[str, int]:
        """Return how many sessions each user has open; users without any are left out."""
        query = _open_sessions(now, limits).with_only_columns(
            _user.name, sa.func.count().label("sessions")
        )
        rows = await self._database.rows(query.group_by(_user.name))
        return {row["name"]: row["sessions"] for row in rows}

    async def set_password(self, proof: SignInProof, kept_sha256: str, at: datetime) -> bool:
        """Use a proof up and keep the password hash that it gives as `rehashed`.

        All sessions but the `kept` one end. False, and nothing changes, as `open`.
        """

        async def run(connection: AsyncConnection) -> bool:
            name = await _used_up(connection, proof)
            if name is None:
                return False
            await connection.execute(_others(proof.number, kept_sha256))
            act = own_act(name, at)
            await journal_act(connection, "user password", name, "other sessions ended", act)
            return True

        return await self._database.writer.write(run, rows=4)

    async def set_recovery_codes(
        self, proof: SignInProof, digests: Sequence[str], at: datetime
    ) -> bool:
        """Use a proof up and keep recovery codes in the place of those before; False as `open`."""

        async def run(connection: AsyncConnection) -> bool:
            name = await _used_up(connection, proof)
            if name is None:
                return False
            own = _code.user_number == proof.number
            await connection.execute(sa.delete(recovery_codes).where(own))
            rows = [{"user_number": proof.number, "digest": one} for one in digests]
            await connection.execute(sa.insert(recovery_codes), rows)
            await journal_act(connection, "user recovery codes", name, "", own_act(name, at))
            return True

        return await self._database.writer.write(run, rows=12)

    async def end_others(self, session: UserSession, kept_sha256: str, at: datetime) -> int:
        """End all sessions of a user but one; return how many."""

        async def run(connection: AsyncConnection) -> int:
            ended = await connection.execute(_others(session.user_number, kept_sha256))
            act = own_act(session.name, at)
            await journal_act(connection, "user sign-out", session.name, "other sessions", act)
            return ended.rowcount

        return await self._database.writer.write(run, rows=2)

    async def end(self, token_sha256: str, at: datetime) -> bool:
        """End one session as its user wants; False if it was not there."""
        own = _session.token_sha256 == token_sha256

        async def run(connection: AsyncConnection) -> bool:
            names = await _ended(connection, own)
            for name in names:
                await journal_act(connection, "user sign-out", name, "", own_act(name, at))
            return bool(names)

        return await self._database.writer.write(run, rows=2)

    async def end_all(self, name: str, act: UserAct) -> int | None:
        """End all sessions of a user and forget the devices; return how many, None for no user."""

        async def run(connection: AsyncConnection) -> int | None:
            query = sa.select(_user.number).where(_user.name == name)
            number = (await connection.execute(query)).scalar()
            if number is None:
                return None
            count = await end_sessions(connection, number, forgets_devices=True)
            await journal_act(connection, "user sign-out", name, "everywhere", act)
            return count

        return await self._database.writer.write(run, rows=3)

    async def forget(self, now: datetime, limits: SessionLimits) -> int:
        """Delete sessions and links that are over, and devices not seen for long; count them."""

        async def run(connection: AsyncConnection) -> int:
            count = await _end_over(connection, now, limits)
            old = sa.delete(user_devices).where(_device.known_at <= now - DEVICE_LIFE)
            unused = sa.update(users).where(_user.link_until <= now)
            links = unused.values(link_sha256=None, link_until=None)
            rest = [(await connection.execute(one)).rowcount for one in (old, links)]
            return count + sum(rest)

        return await self._database.writer.write(run, rows=_MOST_ENDED)


async def _used_up(connection: AsyncConnection, proof: SignInProof) -> str | None:
    """Use up what was proved; return the name of its user, None if it is not good any more."""
    still = [
        _user.number == proof.number,
        _user.state == UserState.ACTIVE,
        _user.password_hash == proof.password_hash,
    ]
    if proof.step is not None:
        still.append(_user.totp_step < proof.step)
    name = (await connection.execute(sa.select(_user.name).where(*still))).scalar()
    if name is None:
        return None
    values: dict[str, object] = {"password_hash": proof.rehashed or proof.password_hash}
    if proof.step is not None:
        values["totp_step"] = proof.step
    else:
        own = _code.user_number == proof.number, _code.digest == proof.recovery_digest
        if (await connection.execute(sa.delete(recovery_codes).where(*own))).rowcount != 1:
            return None
    await connection.execute(sa.update(users).where(_user.number == proof.number).values(values))
    return str(name)


async def _begin_session(
    connection: AsyncConnection,
    who: tuple[int, str, str],
    new: NewSession,
    limits: SessionLimits,
) -> None:
    """Open a session of the user `who`: number, name, and what was proved with."""
    number, name, factor = who
    before = _session.token_sha256 == new.session_before
    await _end_and_note(connection, before, "another sign-in", new.at)
    await _make_room(connection, number, new.at, limits)
    address = new.address[:MAX_ADDRESS_CHARS]
    session = {
        "token_sha256": new.token_sha256,
        "user_number": number,
        "created_at": new.at,
        "seen_at": new.at,
        "address": address,
    }
    await connection.execute(sa.insert(user_sessions), session)
    await _know(connection, number, new)
    act = own_act(name, new.at)
    await journal_act(connection, "user sign-in", name, f"{factor}, from {address}", act)


async def _make_room(
    connection: AsyncConnection, number: int, now: datetime, limits: SessionLimits
) -> None:
    own = _session.user_number == number
    await _end_over(connection, now, limits, own)
    kept = sa.select(_session.token_sha256).where(own).order_by(_session.seen_at.desc())
    many = kept.offset(limits.per_user - 1).limit(limits.per_user + 1000)
    await _end_and_note(connection, _session.token_sha256.in_(many), "too many", now)


async def _know(connection: AsyncConnection, number: int, new: NewSession) -> None:
    own = _device.user_number == number
    before = sa.delete(user_devices).where(own, _device.token_sha256 == new.device_before)
    await connection.execute(before)
    device = {"token_sha256": new.device_sha256, "user_number": number, "known_at": new.at}
    await connection.execute(sa.insert(user_devices), device)
    kept = sa.select(_device.token_sha256).where(own)
    many = kept.order_by(_device.known_at.desc()).offset(MOST_DEVICES).limit(1000)
    await connection.execute(sa.delete(user_devices).where(_device.token_sha256.in_(many)))


async def _ended(connection: AsyncConnection, *which: sa.ColumnElement[bool]) -> list[str]:
    """End sessions; return the name of the user of each, at most _MOST_ENDED."""
    query = (
        sa.select(_session.token_sha256, _user.name)
        .join_from(user_sessions, users, _session.user_number == _user.number)
        .where(*which)
        .order_by(_session.created_at, _session.token_sha256)
        .limit(_MOST_ENDED)
    )
    found = (await connection.execute(query)).all()
    tokens = [token for token, _ in found]
    if tokens:
        ended = sa.delete(user_sessions).where(_session.token_sha256.in_(tokens))
        await connection.execute(ended)
    return [str(name) for _, name in found]


async def _end_and_note(
    connection: AsyncConnection, which: sa.ColumnElement[bool], why: str, at: datetime
) -> int:
    """End sessions without a sign-out, each with an entry in the audit; count them."""
    names = await _ended(connection, which)
    for name in names:
        await journal_act(connection, "user session end", name, why, UserAct(ENDED_BY, at))
    return len(names)


async def _end_over(
    connection: AsyncConnection,
    now: datetime,
    limits: SessionLimits,
    which: sa.ColumnElement[bool] | None = None,
) -> int:
    """End the sessions that are over, of all users or of some, and note why; count them."""
    some = sa.true() if which is None else which
    old, unused = (
        _session.created_at <= now - limits.absolute,
        _session.seen_at <= now - limits.idle,
    )
    count = await _end_and_note(connection, sa.and_(some, old), "absolute limit", now)
    return count + await _end_and_note(connection, sa.and_(some, unused), "not used", now)


def _others(number: int, kept_sha256: str) -> sa.Delete:
    own = _session.user_number == number, _session.token_sha256 != kept_sha256
    return sa.delete(user_sessions).where(*own)


def _is_over(now: datetime, limits: SessionLimits) -> sa.ColumnElement[bool]:
    return (_session.seen_at <= now - limits.idle) | (_session.created_at <= now - limits.absolute)


def _open_sessions(now: datetime, limits: SessionLimits) -> sa.Select[tuple[Any, ...]]:
    return _SESSIONS.where(~_is_over(now, limits))


def _session_of(row: Mapping[Any, Any]) -> UserSession:
    return UserSession(
        user_number=row["user_number"],
        name=row["name"],
        grant=RoleGrant(row["role"], row["system_id"], row["province"]),
        created_at=row["created_at"],
        seen_at=row["seen_at"],
        address=row["address"],
    )
