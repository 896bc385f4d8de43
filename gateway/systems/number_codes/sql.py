"""Codes and sessions in SQL (contract: gateway.ports.number_codes)."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.errand import NewErrand
from gateway.domain.number_code import (
    MAX_ATTEMPTS,
    CodeLimits,
    IssueResult,
    NumberCode,
    NumberSession,
)
from gateway.ports.number_codes import Attempt
from gateway.stores.database import Database
from gateway.stores.errands_tables import number_codes, number_sessions
from gateway.stores.sql_errands import add_errand

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)

_code, _session = number_codes.c, number_sessions.c
# Every attempt is used up, so a code in this state is one that has opened its session.
_USED = MAX_ATTEMPTS + 1


class SqlNumberCodes:
    """Rows of `number_codes`, a day long, and of `number_sessions`."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def issue(self, code: NumberCode, errand: NewErrand, limits: CodeLimits) -> IssueResult:
        now = code.created_at
        values = {field.name: getattr(code, field.name) for field in fields(NumberCode)}

        async def run(connection: AsyncConnection) -> IssueResult:
            recent = await _issued(connection, now - _MINUTE)
            if recent >= limits.all_per_minute:
                return IssueResult.BUSY
            own = _code.msisdn == code.msisdn
            today = await _issued(connection, now - _DAY, own)
            last = await _issued(connection, now - limits.pause, own)
            if last or today >= limits.per_day:
                return IssueResult.LIMITED
            await connection.execute(insert(number_codes), {**values, "attempts": 0})
            await add_errand(connection, errand, self._utcnow())
            return IssueResult.SENT

        return await self._database.writer.write(run, rows=3)

    async def attempt(self, msisdn: int, now: datetime) -> Attempt | None:
        latest = select(func.max(_code.number)).where(_code.msisdn == msisdn).scalar_subquery()
        statement = (
            update(number_codes)
            .where(_code.number == latest, _code.until > now, _code.attempts < MAX_ATTEMPTS)
            .values(attempts=_code.attempts + 1)
            .returning(_code.number, _code.code_hash)
        )

        async def run(connection: AsyncConnection) -> Attempt | None:
            row = (await connection.execute(statement)).first()
            return None if row is None else Attempt(row.number, row.code_hash)

        return await self._database.writer.write(run)

    async def open(self, number: int, session: NumberSession) -> bool:
        using = (
            update(number_codes)
            .where(_code.number == number, _code.attempts < _USED)
            .values(attempts=_USED)
        )
        values = {field.name: getattr(session, field.name) for field in fields(NumberSession)}

        async def run(connection: AsyncConnection) -> bool:
            if (await connection.execute(using)).rowcount != 1:
                return False
            await connection.execute(insert(number_sessions), values)
            return True

        return await self._database.writer.write(run, rows=2)

    async def owner_of(self, token_sha256: str, now: datetime) -> int | None:
        query = select(_session.msisdn).where(
            _session.token_sha256 == token_sha256, _session.until > now
        )
        rows = await self._database.rows(query)
        return int(rows[0]["msisdn"]) if rows else None

    async def close(self, msisdn: int) -> int:
        statement = delete(number_sessions).where(_session.msisdn == msisdn)

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._database.writer.write(run)

    async def forget(self, now: datetime) -> int:
        async def run(connection: AsyncConnection) -> int:
            old = delete(number_codes).where(_code.created_at <= now - _DAY)
            over = delete(number_sessions).where(_session.until <= now)
            codes = (await connection.execute(old)).rowcount
            return codes + (await connection.execute(over)).rowcount

        return await self._database.writer.write(run)


async def _issued(connection: AsyncConnection, after: datetime, *which: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(number_codes).where(_code.created_at > after, *which)
    return int((await connection.execute(query)).scalar_one())
