"""The shape of `api.yaml`."""

import os
import re
from typing import Annotated

from pydantic import AfterValidator, Field, Strict, model_validator

from gateway.domain.api_client import ApiRole, RefusalChannel
from gateway.settings.addresses import Address, ListenAddress
from gateway.settings.gateway_file import ReadableFile
from gateway.settings.schema import Shape, Version
from gateway.settings.senders_file import SystemId

MIN_TOKEN_CHARS = 32
MAX_CLIENTS = 1000

_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_ENV = re.compile("env:[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[^\W_](?:[\w .-]{0,30}[^\W_])?")


def _is_usable_token(text: str) -> str:
    if _DIGEST.fullmatch(text):
        return text
    if not _ENV.fullmatch(text):
        raise ValueError('must be "sha256:" and 64 of 0-9a-f, or env:NAME (smsward api new-token)')
    variable = text.removeprefix("env:")
    token = os.environ.get(variable)
    if token is None:
        raise ValueError(f"environment variable {variable} is not set")
    # Whatever is short can be guessed, for a digest of it is quick to make.
    if len(token) < MIN_TOKEN_CHARS or not token.isascii():
        raise ValueError(f"{variable} must hold a token of at least {MIN_TOKEN_CHARS} characters")
    return text


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
    token: Annotated[str, AfterValidator(_is_usable_token)]
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
