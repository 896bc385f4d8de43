"""The in-memory twin of the store of codes by SMS (contract: gateway.ports.number_codes)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.errand import NewErrand
from gateway.domain.number_code import (
    MAX_ATTEMPTS,
    CodeLimits,
    IssueResult,
    NumberCode,
    NumberSession,
)
from gateway.ports.number_codes import Attempt
from gateway.stores.memory_errands import MemoryErrands

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(slots=True)
class _CodeRow:
    code: NumberCode
    attempts: int = 0
    is_used: bool = False


class MemoryNumberCodes:
    """Twin of the store of codes: each call is atomic as it is, for none awaits anything."""

    def __init__(self, errands: MemoryErrands) -> None:
        self._errands = errands
        self._codes: dict[int, _CodeRow] = {}
        self._latest = 0
        self._sessions: dict[str, NumberSession] = {}

    async def issue(self, code: NumberCode, errand: NewErrand, limits: CodeLimits) -> IssueResult:
        now = code.created_at
        codes = [kept.code for kept in self._codes.values()]
        if sum(one.created_at > now - _MINUTE for one in codes) >= limits.all_per_minute:
            return IssueResult.BUSY
        own = [one.created_at for one in codes if one.msisdn == code.msisdn]
        today = sum(at > now - _DAY for at in own)
        if today >= limits.per_day or any(at > now - limits.pause for at in own):
            return IssueResult.LIMITED
        self._latest += 1
        self._codes[self._latest] = _CodeRow(code)
        self._errands.keep(errand)
        return IssueResult.SENT

    async def attempt(self, msisdn: int, now: datetime) -> Attempt | None:
        own = [number for number, kept in self._codes.items() if kept.code.msisdn == msisdn]
        kept = self._codes[own[-1]] if own else None
        if kept is None or kept.is_used:
            return None
        if kept.attempts >= MAX_ATTEMPTS or kept.code.until <= now:
            return None
        kept.attempts += 1
        return Attempt(own[-1], kept.code.code_hash)

    async def open(self, number: int, session: NumberSession) -> bool:
        kept = self._codes.get(number)
        if kept is None or kept.is_used:
            return False
        kept.is_used = True
        self._sessions[session.token_sha256] = session
        return True

    async def owner_of(self, token_sha256: str, now: datetime) -> int | None:
        session = self._sessions.get(token_sha256)
        return session.msisdn if session is not None and session.until > now else None

    async def close(self, msisdn: int) -> int:
        own = [token for token, one in self._sessions.items() if one.msisdn == msisdn]
        for token in own:
            del self._sessions[token]
        return len(own)

    async def forget(self, now: datetime) -> int:
        old = [n for n, kept in self._codes.items() if kept.code.created_at <= now - _DAY]
        over = [token for token, one in self._sessions.items() if one.until <= now]
        for number in old:
            del self._codes[number]
        for token in over:
            del self._sessions[token]
        return len(old) + len(over)
