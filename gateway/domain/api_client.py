"""Clients of the HTTP API, and what each may do."""

from dataclasses import dataclass, field
from enum import StrEnum


class ApiRole(StrEnum):
    """The role of an API client. A client may do only what its role needs (R73).

    Those behind OFFICER are roles of people, for programs that do what people do on pages.
    """

    SP = "sp"
    CLERK = "clerk"
    APP = "app"
    INVESTIGATOR = "investigator"
    OFFICER = "officer"
    VIEWER = "viewer"
    REVIEWER = "reviewer"
    SENIOR_REVIEWER = "senior_reviewer"
    OPERATOR = "operator"
    REGULATOR = "regulator"
    AUDITOR = "auditor"
    ADMIN = "admin"


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

    `system_id` is the SP of a client with the role SP, `province` that of a REGULATOR; otherwise
    they are empty. A clerk may record refusals that came by one of `channels`.
    """

    name: str
    role: ApiRole
    digest: bytes = field(repr=False)
    system_id: str = ""
    channels: tuple[RefusalChannel, ...] = ()
    province: str = ""
