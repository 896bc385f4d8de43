"""Codes by SMS that prove whose a number is (R51), and what they open."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

CODE_DIGITS = 6
CODE_LIFE = timedelta(minutes=10)
MAX_ATTEMPTS = 5
SESSION_LIFE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """How many codes go out: to one number, and in all within a minute.

    A stranger who asks for codes in a subscriber's name is a nuisance for so long only.
    """

    pause: timedelta = timedelta(minutes=1)
    per_day: int = 5
    all_per_minute: int = 600


class Issued(StrEnum):
    """What came of a wish for a code. Only BUSY may be told: the others tell of a number."""

    SENT = "sent"
    LIMITED = "limited"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class NumberCode:
    """A code that was sent to `msisdn`, of which only the hash is kept."""

    msisdn: int
    code_hash: str = field(repr=False)
    created_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class NumberSession:
    """Somebody who has proved to hold `msisdn`, known by the SHA-256 of a token."""

    token_sha256: str = field(repr=False)
    msisdn: int
    until: datetime
