"""Codes by SMS, the sessions that they open, and their store."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.outbound_message import NewOutboundMessage
from gateway.storage.change_feed import add_outbound_message
from gateway.storage.database import SqlStore, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.sealed_columns import SealedNumber
from gateway.storage.tables import UtcTime, metadata

CODE_DIGITS = 6
CODE_LIFE = timedelta(minutes=10)
MAX_ATTEMPTS = 5
SESSION_LIFE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """How many codes may be sent: to one number, and in total within a minute.

    This limits how long a stranger can annoy a subscriber with codes.
    """

    pause: timedelta = timedelta(minutes=1)
    per_day: int = 5
    all_per_minute: int = 600


class IssueResult(StrEnum):
    """Result of a request for a code. Only BUSY may be told: the others reveal a number."""

    SENT = "sent"
    LIMITED = "limited"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class NumberCode:
    """A code that was sent to `msisdn`. Only its hash is kept."""

    msisdn: int
    code_hash: str = field(repr=False)
    created_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class NumberSession:
    """A user who has proved to hold `msisdn`, identified by the SHA-256 of a token."""

    token_sha256: str = field(repr=False)
    msisdn: int
    until: datetime


class Attempt(NamedTuple):
    """One attempt at a code: the number of the code, and the hash to compare with."""

    number: int
    code_hash: str


_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)

number_codes = sa.Table(
    "number_codes",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("msisdn", SealedNumber, nullable=False),
    sa.Column("code_hash", sa.Text, nullable=False),
    *columns(UtcTime, "created_at", "until"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Index(None, "msisdn", "created_at"),
    sa.Index(None, "created_at"),
    # A code that was deleted must not be mistaken for a later one.
    **NEVER_REUSED,
)

number_sessions = sa.Table(
    "number_sessions",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("msisdn", SealedNumber, nullable=False, index=True),
    sa.Column("until", UtcTime, nullable=False, index=True),
)

_code, _session = number_codes.c, number_sessions.c
# Every attempt is used up, so a code in this state is one that has opened its session.
_USED = MAX_ATTEMPTS + 1


class NumberCodeStore(SqlStore):
    """Keeps codes and sessions, not much longer than they are valid: see `forget`.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def issue(
        self, code: NumberCode, outbound: NewOutboundMessage, limits: CodeLimits
    ) -> IssueResult:
        """Keep a code, which replaces an earlier one, with the outbound message that sends it.

        In one commit, and only within `limits`. Only the latest code of a number is valid.
        """
        now = code.created_at
        values = values_of(code)

        async def run(connection: AsyncConnection) -> IssueResult:
            recent = await _issued(connection, now - _MINUTE)
            if recent >= limits.all_per_minute:
                return IssueResult.BUSY
            own = _code.msisdn == code.msisdn
            today = await _issued(connection, now - _DAY, own)
            last = await _issued(connection, now - limits.pause, own)
            if last or today >= limits.per_day:
                return IssueResult.LIMITED
            await connection.execute(sa.insert(number_codes), {**values, "attempts": 0})
            await add_outbound_message(connection, outbound, self._utcnow())
            return IssueResult.SENT

        return await self._database.writer.write(run, rows=3)

    async def attempt(self, msisdn: int, now: datetime) -> Attempt | None:
        """Use up one attempt at the code of a number, before the code is compared.

        None when there is no code, it has expired, no attempt is left, or it has opened a
        session.
        """
        latest = (
            sa.select(sa.func.max(_code.number)).where(_code.msisdn == msisdn).scalar_subquery()
        )
        statement = (
            sa.update(number_codes)
            .where(_code.number == latest, _code.until > now, _code.attempts < MAX_ATTEMPTS)
            .values(attempts=_code.attempts + 1)
            .returning(_code.number, _code.code_hash)
        )

        async def run(connection: AsyncConnection) -> Attempt | None:
            row = (await connection.execute(statement)).first()
            return None if row is None else Attempt(row.number, row.code_hash)

        return await self._database.writer.write(run)

    async def open(self, number: int, session: NumberSession) -> bool:
        """Open a session for a proved code; False when the code has opened one already."""
        using = (
            sa.update(number_codes)
            .where(_code.number == number, _code.attempts < _USED)
            .values(attempts=_USED)
        )
        values = values_of(session)

        async def run(connection: AsyncConnection) -> bool:
            if (await connection.execute(using)).rowcount != 1:
                return False
            await connection.execute(sa.insert(number_sessions), values)
            return True

        return await self._database.writer.write(run, rows=2)

    async def owner_of(self, token_sha256: str, now: datetime) -> int | None:
        """Return the number of a session; None when there is no session or it is over."""
        query = sa.select(_session.msisdn).where(
            _session.token_sha256 == token_sha256, _session.until > now
        )
        row = await self._database.first(query)
        return None if row is None else int(row["msisdn"])

    async def close(self, msisdn: int) -> int:
        """End every session of a number; return how many."""
        statement = sa.delete(number_sessions).where(_session.msisdn == msisdn)
        return await self._database.change(statement)

    async def forget(self, now: datetime) -> int:
        """Delete codes a day after they were sent, and sessions that are over; return how many."""

        async def run(connection: AsyncConnection) -> int:
            old = sa.delete(number_codes).where(_code.created_at <= now - _DAY)
            over = sa.delete(number_sessions).where(_session.until <= now)
            codes = (await connection.execute(old)).rowcount
            return codes + (await connection.execute(over)).rowcount

        return await self._database.writer.write(run)


async def _issued(
    connection: AsyncConnection, after: datetime, *which: sa.ColumnElement[bool]
) -> int:
    query = (
        sa.select(sa.func.count()).select_from(number_codes).where(_code.created_at > after, *which)
    )
    return int((await connection.execute(query)).scalar_one())
