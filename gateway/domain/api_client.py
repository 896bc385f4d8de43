"""Who may ask the HTTP API, and for what."""

from dataclasses import dataclass, field
from enum import StrEnum


class ApiRole(StrEnum):
    """What a client of the API is there for; each may do what its role needs and no more (R73)."""

    SP = "sp"
    CLERK = "clerk"
    APP = "app"
    INVESTIGATOR = "investigator"


class RefusalChannel(StrEnum):
    """The ways besides messages by which a refusal reaches the carrier (R36)."""

    HALL = "hall"
    WEB = "web"
    CUSTOMER_SERVICE = "customer_service"
    COMPLAINT = "complaint"
    LINKAGE = "linkage"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A client, known by the SHA-256 of its token.

    `system_id` is the SP that a client of the role SP speaks for, and empty otherwise;
    `channels` are the ways whose refusals a clerk may record.
    """

    name: str
    role: ApiRole
    digest: bytes = field(repr=False)
    system_id: str = ""
    channels: tuple[RefusalChannel, ...] = ()
