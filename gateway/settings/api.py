"""The shape of `api.yaml`, and what it settles: where the HTTP API answers, and to whom."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict, model_validator

from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.settings import yaml
from gateway.settings.credentials import UsableToken, digest_in
from gateway.settings.fault import Fault
from gateway.settings.gateway import ListenerTls
from gateway.settings.gateway_file import ReadableFile
from gateway.settings.schema import (
    Address,
    ListenAddress,
    Shape,
    SystemId,
    Version,
    parse_address,
    unique,
    validate,
)
from gateway.settings.yaml import Document

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


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """One `api.yaml`. Relative paths count from the working directory."""

    address: Address
    tls: ListenerTls | None
    clients: tuple[ApiClient, ...]


def load_api(path: Path, senders: Collection[str] | None) -> ApiSettings:
    """Read `api.yaml`. Its SPs must be in `senders`, if those are known.

    Raises SettingsError with all faults; none of them shows a token.
    """

    def known(document: Document) -> Iterator[Fault]:
        return _strangers(document, senders) if senders is not None else iter(())

    file = validate(
        yaml.read(path),
        ApiFile,
        unique("clients", "*", "name"),
        unique("clients", "*", "token"),
        _open_to_all,
        known,
    )
    tls = file.tls
    return ApiSettings(
        address=file.address,
        tls=ListenerTls(Path(tls.certificate), Path(tls.key)) if tls is not None else None,
        clients=tuple(map(_client, file.clients)),
    )


def load_system_ids(path: Path) -> frozenset[str]:
    """Return the system_ids of `senders.yaml`, also if the file has faults.

    The passwords in it may be in the environment of the gateway alone. Raises SettingsError
    for what is no YAML.
    """
    found = yaml.read(path).find("senders", "*", "system_id")
    return frozenset(value for _, value in found if isinstance(value, str))


def _client(shape: ApiClientShape) -> ApiClient:
    return ApiClient(
        name=shape.name,
        role=shape.role,
        digest=digest_in(shape.token),
        system_id=shape.system_id or "",
        channels=tuple(shape.channels),
    )


def _open_to_all(document: Document) -> Iterator[Fault]:
    """Find an address that others can reach where nothing hides tokens and numbers from them."""
    for where, value in document.find("address"):
        try:
            host = parse_address(value).host
        except ValueError:
            continue  # the shape finds this
        has_tls = any(tls is not None for _, tls in document.find("tls"))
        if not has_tls and not _is_loopback(host):
            yield document.fault(where, "address: others reach it, so tls must be given")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _strangers(document: Document, senders: Collection[str]) -> Iterator[Fault]:
    for where, system_id in document.find("clients", "*", "system_id"):
        if isinstance(system_id, str) and system_id not in senders:
            yield document.fault(where, "there is no such sender in senders.yaml")
