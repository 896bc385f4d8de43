"""Codes by SMS, the sessions that they open, and their store."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from gateway.domain.outbound_message import NewOutboundMessage

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


class NumberCodeStore(Protocol):
    """Keeps codes and sessions, not much longer than they are valid: see `forget`.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def issue(
        self, code: NumberCode, outbound: NewOutboundMessage, limits: CodeLimits
    ) -> IssueResult:
        """Keep a code, which replaces an earlier one, with the outbound message that sends it.

        In one commit, and only within `limits`. Only the latest code of a number is valid.
        """

    async def attempt(self, msisdn: int, now: datetime) -> Attempt | None:
        """Use up one attempt at the code of a number, before the code is compared.

        None when there is no code, it has expired, no attempt is left, or it has opened a
        session.
        """

    async def open(self, number: int, session: NumberSession) -> bool:
        """Open a session for a proved code; False when the code has opened one already."""

    async def owner_of(self, token_sha256: str, now: datetime) -> int | None:
        """Return the number of a session; None when there is no session or it is over."""

    async def close(self, msisdn: int) -> int:
        """End every session of a number; return how many."""

    async def forget(self, now: datetime) -> int:
        """Delete codes a day after they were sent, and sessions that are over; return how many."""
