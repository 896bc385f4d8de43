"""Prove a number by a code that is sent to it, and limit who guesses codes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TypeAlias

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from gateway.domain.outbound_message import NewOutboundMessage, OutboundKind
from gateway.policy.submission import TokenBucket
from gateway.systems.number_codes.sql import (
    CODE_LIFE,
    SESSION_LIFE,
    CodeLimits,
    IssueResult,
    NumberCode,
    NumberCodeStore,
    NumberSession,
)

log = structlog.get_logger()

WINDOW_S = 600.0
# People mistype; a guess is right about once in a hundred thousand times.
MAX_WRONG = 20
MAX_WRONG_PER_RIGHT = 3
# Half of the codes that all clients together may request.
CODES_PER_MINUTE = 300

_MINUTE_S = 60.0


@dataclass(slots=True)
class _Attempts:
    """Attempts of a client since the window began, on the monotonic clock."""

    since: float
    right: int = 0
    wrong: int = 0
    is_told: bool = False

    @property
    def is_guessing(self) -> bool:
        return self.wrong >= MAX_WRONG and self.wrong > MAX_WRONG_PER_RIGHT * self.right


class Guesses:
    """Counts for each client; bounded, because `console.yaml` names the clients."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tried: dict[str, _Attempts] = {}
        self._codes: dict[str, TokenBucket] = {}

    def may_ask(self, client: str) -> bool:
        """Take one of the codes that `client` may request; False when none is left."""
        rate = self._codes.get(client)
        if rate is None:
            rate = TokenBucket(CODES_PER_MINUTE / _MINUTE_S, CODES_PER_MINUTE)
            self._codes[client] = rate
        return rate.take(self._now())

    def is_locked(self, client: str) -> bool:
        """Tell whether `client` was guessing and must wait for the end of its window."""
        return self._of(client).is_guessing

    def begin(self, client: str) -> None:
        """Count an attempt as wrong until `proved` corrects it: many may run at once."""
        tried = self._of(client)
        tried.wrong += 1
        if tried.is_guessing and not tried.is_told:
            tried.is_told = True
            log.warning("api.codes_guessed", client=client, wrong=tried.wrong, right=tried.right)

    def proved(self, client: str) -> None:
        """Count as right an attempt that `begin` counted as wrong."""
        tried = self._of(client)
        tried.wrong = max(0, tried.wrong - 1)
        tried.right += 1

    def _of(self, client: str) -> _Attempts:
        now = self._now()
        tried = self._tried.get(client)
        if tried is None or now - tried.since >= WINDOW_S:
            tried = self._tried[client] = _Attempts(now)
        return tried


# A cheap hash: an expensive one can be tried a million times in minutes too. The limit of five
# attempts and ten minutes of life protect a code.
_HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)

# Compared if there is no code. Its digest is invented: no code has it.
DECOY = (
    "$argon2id$v=19$m=1024,t=1,p=1$"
    "ZGVjb3lkZWNveWRlY295ZA$0000000000000000000000000000000000000000000"
)


def hash_code(code: str) -> str:
    """Return a PHC string of a code."""
    return _HASHER.hash(code)


def is_code(code_hash: str, code: str) -> bool:
    """Tell whether `code` is the one that was hashed. Takes CPU: call it in a thread."""
    try:
        return _HASHER.verify(code_hash, code.encode("utf-8", "surrogatepass"))
    except VerificationError:
        return False


_USUAL = CodeLimits()
# Several times the time of a store without overload: 5 ms to find a code, 6 ms to write one.
_AT_LEAST_S = 0.05

Pause: TypeAlias = Callable[[], Awaitable[None]]


async def _pause() -> None:
    await asyncio.sleep(_AT_LEAST_S)


@dataclass(frozen=True, slots=True)
class Chance:
    """Sources of random values: a `code` of six digits, a `token` of 256 bits, a `ref`."""

    code: Callable[[], str]
    token: Callable[[], str]
    ref: Callable[[], str]


class NumberCodeDesk:
    """Sends codes from `port`, a hub code of the carrier, and verifies them.

    Every call raises StoreUnavailable. Neither an answer nor its delay shows whether a number is
    known: a hash is made or verified every time, and no answer comes before `pause` is over,
    because the store takes longer if it writes.
    """

    def __init__(
        self,
        store: NumberCodeStore,
        port: str,
        chance: Chance,
        limits: CodeLimits = _USUAL,
        pause: Pause = _pause,
    ) -> None:
        self._store = store
        self._port = port
        self._chance = chance
        self._limits = limits
        self._pause = pause

    async def ask(self, msisdn: int, now: datetime) -> IssueResult:
        """Send a code to a number, within the limits.

        Do not show a client whether the result was SENT or LIMITED.
        """
        issued, _ = await asyncio.gather(self._issue(msisdn, now), self._pause())
        return issued

    async def prove(self, msisdn: int, code: str, client: str, now: datetime) -> str | None:
        """Return a session token if `code` is the one that was sent, else None.

        A code is valid for ten minutes, five attempts and one session of this `client`.
        """
        token, _ = await asyncio.gather(self._prove(msisdn, code, client, now), self._pause())
        return token

    async def owner_of(self, token: str, client: str, now: datetime) -> int | None:
        """Return the number that was proved for `token`, None if the token is not valid.

        A token is valid only for the client that it was given to.
        """
        return await self._store.owner_of(_digest(token, client), now)

    async def close(self, msisdn: int) -> None:
        """End every session of a number."""
        await self._store.close(msisdn)

    async def _issue(self, msisdn: int, now: datetime) -> IssueResult:
        code = self._chance.code()
        code_hash = await asyncio.to_thread(hash_code, code)
        until = now + CODE_LIFE
        outbound = NewOutboundMessage(
            self._port, msisdn, _text(code), OutboundKind.CODE, self._chance.ref(), now, until
        )
        kept = NumberCode(msisdn, code_hash, now, until)
        return await self._store.issue(kept, outbound, self._limits)

    async def _prove(self, msisdn: int, code: str, client: str, now: datetime) -> str | None:
        attempt = await self._store.attempt(msisdn, now)
        expected = attempt.code_hash if attempt is not None else DECOY
        is_right = await asyncio.to_thread(is_code, expected, code)
        if attempt is None or not is_right:
            return None
        token = self._chance.token()
        session = NumberSession(_digest(token, client), msisdn, now + SESSION_LIFE)
        return token if await self._store.open(attempt.number, session) else None


def _digest(token: str, client: str) -> str:
    # A fast hash is enough: 256 random bits cannot be guessed by trying.
    return sha256(f"{client}\0{token}".encode("utf-8", "surrogatepass")).hexdigest()


def _text(code: str) -> str:
    return f"验证码{code}，10分钟内有效，用于管理您的短信接收设置。非本人操作请勿理会，切勿告诉他人"
