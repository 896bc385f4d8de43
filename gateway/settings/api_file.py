"""The shape of `api.yaml`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, Strict, model_validator

from gateway.domain.api_client import ApiRole, RefusalChannel
from gateway.settings.addresses import Address, ListenAddress
from gateway.settings.gateway_file import ReadableFile
from gateway.settings.schema import Shape, Version
from gateway.settings.senders_file import SystemId
from gateway.settings.tokens import UsableToken

MAX_CLIENTS = 1000

_NAME = re.compile(r"[^\W_](?:[\w .-]{0,30}[^\W_])?")


def client_name_problem(text: str) -> str | None:
    """Return what is wrong with the name of a client, or None."""
    if not _NAME.fullmatch(text):
        return "must be 1 to 32 letters, digits, spaces, dots, - and _"
    return None


def _is_client_name(text: str) -> str:
    problem = client_name_problem(text)
    if problem:
        raise ValueError(problem)
    return text


class ApiTlsShape(Shape):
    """`tls`."""

    certificate: ReadableFile
    key: ReadableFile


class ApiClientShape(Shape):
    """`clients[]`."""

    name: Annotated[str, AfterValidator(_is_client_name)]
    token: UsableToken
    role: Annotated[ApiRole, Strict(False)]
    system_id: SystemId | None = None
    channels: list[Annotated[RefusalChannel, Strict(False)]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_of_its_role(self) -> "ApiClientShape":
        if (self.role is ApiRole.SP) != (self.system_id is not None):
            raise ValueError("a client of the role sp has a system_id, no other has one")
        if (self.role is ApiRole.CLERK) != bool(self.channels):
            raise ValueError("a client of the role clerk has channels, no other has any")
        return self


class ApiFile(Shape):
    """The whole file."""

    version: Version
    address: ListenAddress = Address("127.0.0.1", 8080)
    tls: ApiTlsShape | None = None
    clients: list[ApiClientShape] = Field(min_length=1, max_length=MAX_CLIENTS)
