"""Which policies were in force when, and the wishes of people to load them again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class NewPolicyVersion:
    """A bundle that came into force. `archive` is its files packed, empty when not kept."""

    digest: str
    name: str
    at: datetime
    by: str
    note: str
    archive: bytes


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version on record; numbers grow and are never given again."""

    number: int
    digest: str
    name: str
    at: datetime
    by: str
    note: str
    archive_octets: int


class RequestState(StrEnum):
    """How far the wish for a reload has come."""

    OPEN = "open"
    TAKEN = "taken"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NewPolicyRequest:
    """Somebody's wish that the gateway loads the policies; `force` passes the shrink guard."""

    by: str
    note: str
    force: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """A wish on record. `said` is the digest in force once it is taken, or why it is not."""

    number: int
    by: str
    note: str
    force: bool
    at: datetime
    state: RequestState = RequestState.OPEN
    said: str = ""
