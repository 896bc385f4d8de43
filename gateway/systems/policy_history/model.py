"""Versions of the policy, requests for changes, and their store."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NewPolicyVersion:
    """A bundle that came into force. `archive` is its packed files, empty if not kept."""

    digest: str
    name: str
    at: datetime
    by: str
    note: str
    archive: bytes


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version on record; numbers increase and are never reused."""

    number: int
    digest: str
    name: str
    at: datetime
    by: str
    note: str
    archive_octets: int


class ReloadRequestState(StrEnum):
    """State of a request for a reload."""

    OPEN = "open"
    TAKEN = "taken"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NewPolicyRequest:
    """A person's request to load the policies; `force` bypasses the shrink guard."""

    by: str
    note: str
    force: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """A request on record. `said` is the digest in force once it is taken, or why it is not."""

    number: int
    by: str
    note: str
    force: bool
    at: datetime
    state: ReloadRequestState = ReloadRequestState.OPEN
    said: str = ""


VERSIONS_KEPT = 200
REQUESTS_KEPT = 1_000


class PolicyStore(Protocol):
    """Keeps which policy was in force when, and passes on what operators ask of the gateway.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def record(self, version: NewPolicyVersion) -> int | None:
        """Keep `version` and return its number; None when the newest has its digest already.

        Only the newest VERSIONS_KEPT are kept. Safe to repeat.
        """

    async def versions(self, limit: int = 50) -> list[PolicyVersion]:
        """Return at most `limit` versions, the newest first."""

    async def version(self, number: int) -> PolicyVersion | None:
        """Return one version, None when it is not, or no longer, on record."""

    async def archive_of(self, number: int) -> bytes:
        """Return the packed files of a version; empty when none are kept."""

    async def ask(self, request: NewPolicyRequest) -> int:
        """Keep an open request and return its number; the newest REQUESTS_KEPT are kept."""

    async def open_request(self) -> PolicyRequest | None:
        """Return the oldest open request."""

    async def answer(self, number: int, state: ReloadRequestState, said: str) -> bool:
        """Close an open request; return False when there is no such one."""

    async def request(self, number: int) -> PolicyRequest | None:
        """Return one request as it stands."""
