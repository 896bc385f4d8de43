"""The store of codes by SMS, and of the sessions that they open (R51)."""

from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.domain.errand import NewErrand
from gateway.domain.number_code import CodeLimits, Issued, NumberCode, NumberSession


class Attempt(NamedTuple):
    """One attempt at a code: which it is at, and the hash to hold it against."""

    number: int
    code_hash: str


class NumberCodeStore(Protocol):
    """Every call raises StoreUnavailable when the store does not answer.

    Nothing here outlives its use for long: see `forget`.
    """

    async def issue(self, code: NumberCode, errand: NewErrand, limits: CodeLimits) -> Issued:
        """Keep a code in the place of an earlier one, with the errand that sends it.

        In one commit, and only within `limits`. The latest code of a number alone is good.
        """

    async def attempt(self, msisdn: int, now: datetime) -> Attempt | None:
        """Use up one of the attempts at the code of a number, before it is looked at.

        None when there is no code, its time or its attempts are over, or it has opened a
        session.
        """

    async def open(self, number: int, session: NumberSession) -> bool:
        """Let a code that was proved open a session; False when it did so already."""

    async def owner_of(self, token_sha256: str, now: datetime) -> int | None:
        """Return whose number a session is about, None when there is none or it is over."""

    async def close(self, msisdn: int) -> int:
        """End every session of a number; return how many."""

    async def forget(self, now: datetime) -> int:
        """Delete codes a day after they were sent, and sessions that are over; return how many."""
