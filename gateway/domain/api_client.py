"""Clients of the HTTP API, and what each may do."""

from dataclasses import dataclass, field
from enum import StrEnum


class ApiRole(StrEnum):
    """The role of an API client. A client may do only what its role needs (R73)."""

    SP = "sp"
    CLERK = "clerk"
    APP = "app"
    INVESTIGATOR = "investigator"
    OFFICER = "officer"


class RefusalChannel(StrEnum):
    """Channels, other than messages, by which the carrier receives a refusal (R36)."""

    HALL = "hall"
    WEB = "web"
    CUSTOMER_SERVICE = "customer_service"
    COMPLAINT = "complaint"
    LINKAGE = "linkage"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A client of the API, identified by the SHA-256 of its token.

    `system_id` is the SP of a client with the role SP, otherwise empty. A clerk may record refusals
    that came by one of `channels`.
    """

    name: str
    role: ApiRole
    digest: bytes = field(repr=False)
    system_id: str = ""
    channels: tuple[RefusalChannel, ...] = ()
