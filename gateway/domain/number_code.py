"""Codes by SMS that prove who holds a number (R51), and the sessions that they open."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

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
