"""Which policies were in force when, and requests to load the policies again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
