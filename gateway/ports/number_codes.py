"""The store of SMS codes, and of the sessions that they open (R51)."""

from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.domain.errand import NewErrand
from gateway.domain.number_code import CodeLimits, IssueResult, NumberCode, NumberSession


class Attempt(NamedTuple):
    """One attempt at a code: the number of the code, and the hash to compare with."""

    number: int
    code_hash: str


class NumberCodeStore(Protocol):
    """Keeps codes and sessions, not much longer than they are valid: see `forget`.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def issue(self, code: NumberCode, errand: NewErrand, limits: CodeLimits) -> IssueResult:
        """Keep a code, which replaces an earlier one, with the errand that sends it.

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
