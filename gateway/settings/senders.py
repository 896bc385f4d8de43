"""The shape of `senders.yaml`, and what it settles: the SPs by system_id."""

import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, Strict

from gateway.domain.msisdn import is_mobile
from gateway.domain.sender import (
    BindLimits,
    BindType,
    IpNetwork,
    Port,
    Purpose,
    Rate,
    Sender,
    SenderState,
    Webhook,
)
from gateway.domain.verdict import Reason
from gateway.settings import yaml
from gateway.settings.credentials import is_samples_own, password_problem
from gateway.settings.fault import Fault
from gateway.settings.schema import (
    MAX_PORT_DIGITS,
    Count,
    Network,
    PortNumber,
    Shape,
    SystemId,
    Text,
    Version,
    parse_network,
    unique,
    validate,
)
from gateway.settings.yaml import Document, Where
from gateway.smpp.status import CommandStatus

# As many octets as HMAC-SHA256 gives (RFC 2104, section 3, asks for no fewer).
_KEY_OCTETS = range(32, 257)
_MAX_URL_CHARS = 500
_URL = re.compile("[!-~]+")
# What every reader of URLs takes for the same host: here it is looked at, elsewhere dialled.
_HOST = re.compile("[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?|[0-9a-f:]+:[0-9a-f.]*")
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def webhook_key(stored: str) -> bytes:
    """Return the key that `stored` stands for, empty when the environment has lost it."""
    form, _, rest = stored.partition(":")
    return os.fsencode(os.environ.get(rest, "")) if form == "env" else rest.encode()


def key_problem(stored: str) -> str | None:
    """Return what is wrong with a key as configured, or None. Never shows it."""
    form, _, rest = stored.partition(":")
    if form == "env":
        if not _VARIABLE.fullmatch(rest):
            return "env: must name an environment variable"
        if rest not in os.environ:
            return f"environment variable {rest} is not set"
    elif form != "plain":
        return "must be env:NAME or plain:secret"
    if len(webhook_key(stored)) not in _KEY_OCTETS:
        few, many = _KEY_OCTETS[0], _KEY_OCTETS[-1]
        return f"the key must have {few} to {many} octets: openssl rand -hex 32"
    return None


def url_problem(url: str) -> str | None:
    """Return what is wrong with a URL as configured, or None. Never shows it.

    Numbers travel there: only this machine may be written to without TLS.
    """
    if len(url) > _MAX_URL_CHARS or not _URL.fullmatch(url):
        return f"must be a URL of up to {_MAX_URL_CHARS} visible ASCII characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "cannot be read as a URL"
    if "@" in parts.netloc or "#" in url:
        return "must hold neither a user, nor a password, nor a fragment"
    if parts.scheme not in ("https", "http") or not _HOST.fullmatch(host) or port == 0:
        return "must be https://host/path"
    if parts.scheme == "http" and not _is_this_machine(host):
        return "must be https://: only this machine may be told without TLS"
    return None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_usable_password(text: str) -> str:
    problem = password_problem(text)
    if problem:
        raise ValueError(problem)
    return text


def _is_webhook_url(text: str) -> str:
    problem = url_problem(text)
    if problem:
        raise ValueError(problem)
    return text


def _is_webhook_key(text: str) -> str:
    problem = key_problem(text)
    if problem:
        raise ValueError(problem)
    return text


Owner = Annotated[Text, Field(max_length=64)]


def _this_machine() -> list[IpNetwork]:
    return [parse_network("127.0.0.0/8"), parse_network("::1/128")]


class BindsShape(Shape):
    """`senders[].binds`. Unless addresses are named, only this machine may bind."""

    max: Count = 10
    types: Annotated[list[Annotated[BindType, Strict(False)]], Field(min_length=1)] = Field(
        default_factory=lambda: list(BindType)
    )
    addresses: list[Network] = Field(default_factory=_this_machine)


class PortShape(Shape):
    """`senders[].ports[]`. The purpose has no default: it decides which law applies."""

    number: PortNumber
    extension_digits: Annotated[int, Field(ge=0, lt=MAX_PORT_DIGITS)] = 0
    purpose: Annotated[Purpose, Strict(False)]


class RateShape(Shape):
    """`senders[].rate`. Without a burst, one second's worth."""

    per_s: Annotated[float, Field(gt=0, le=1_000_000)] = 100
    burst: Count | None = None


class WebhookShape(Shape):
    """`senders[].webhook`. Both have no default: what is not signed proves nothing."""

    url: Annotated[str, AfterValidator(_is_webhook_url)]
    key: Annotated[str, AfterValidator(_is_webhook_key)]


class SenderShape(Shape):
    """`senders[]`."""

    system_id: SystemId
    password: Annotated[str, AfterValidator(_is_usable_password)]
    name: Text | None = None
    owner: Owner | None = None
    state: Annotated[SenderState, Strict(False)] = SenderState.ACTIVE
    binds: BindsShape = BindsShape()
    ports: list[PortShape] = Field(default_factory=list)
    rate: RateShape = RateShape()
    window: Count = 100
    statuses: dict[str, str] = Field(default_factory=dict)
    webhook: WebhookShape | None = None


class SendersFile(Shape):
    """The whole file."""

    version: Version
    allow_plain_passwords: bool = False
    senders: list[SenderShape]


def load_senders(path: Path) -> dict[str, Sender]:
    """Read `senders.yaml`. Raises SettingsError with all its faults."""
    file = validate(
        yaml.read(path),
        SendersFile,
        unique("senders", "*", "system_id"),
        _plain_passwords,
        _long_ports,
        _extended_people,
        _shared_ports,
        _statuses,
    )
    return {shape.system_id: _sender(shape) for shape in file.senders}


def are_secrets_readable(path: Path, senders: Iterable[Sender]) -> bool:
    """Tell whether every account of this machine can read secrets in `senders.yaml`.

    A hash is one, for it can be tried at leisure. What stands in the environment is not in the
    file, and the sample's password is no secret.
    """
    if not stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
        return False
    return any(
        _is_secret(one.password) or (one.webhook is not None and _is_secret(one.webhook.key))
        for one in senders
    )


def _is_secret(stored: str) -> bool:
    return not stored.startswith("env:") and not is_samples_own(stored)


def _sender(shape: SenderShape) -> Sender:
    return Sender(
        system_id=shape.system_id,
        password=shape.password,
        name=shape.name or shape.system_id,
        state=shape.state,
        binds=_binds(shape.binds),
        ports=tuple(map(_port, shape.ports)),
        rate=_rate(shape.rate),
        window=shape.window,
        statuses=shape.statuses,
        webhook=_webhook(shape.webhook),
        owner=shape.owner or "",
    )


def _binds(shape: BindsShape) -> BindLimits:
    return BindLimits(shape.max, frozenset(shape.types), tuple(shape.addresses))


def _port(shape: PortShape) -> Port:
    return Port(shape.number, shape.extension_digits, shape.purpose)


def _rate(shape: RateShape) -> Rate:
    return Rate(shape.per_s, shape.burst or math.ceil(shape.per_s))


def _webhook(shape: WebhookShape | None) -> Webhook | None:
    return None if shape is None else Webhook(shape.url, shape.key)


def _plain_passwords(document: Document) -> Iterator[Fault]:
    if any(value is True for _, value in document.find("allow_plain_passwords")):
        return
    for way in (("password",), ("webhook", "key")):
        for where, secret in document.find("senders", "*", *way):
            if isinstance(secret, str) and secret.startswith("plain:"):
                yield document.fault(
                    where,
                    f"plain: {way[-1]}s need allow_plain_passwords: true (demo and tests only)",
                )


def _ports(document: Document) -> Iterator[tuple[Where, str, int]]:
    """Yield the way to its number, number and extension digits of each port of sound shape."""
    for where, port in document.find("senders", "*", "ports", "*"):
        if isinstance(port, dict):
            number, extension = port.get("number"), port.get("extension_digits", 0)
            if isinstance(number, str) and isinstance(extension, int):
                yield (*where, "number"), number, extension


def _long_ports(document: Document) -> Iterator[Fault]:
    for where, number, extension in _ports(document):
        if len(number) <= MAX_PORT_DIGITS < len(number) + extension:
            yield document.fault(
                where, f"number and extension together exceed {MAX_PORT_DIGITS} digits"
            )


def _extended_people(document: Document) -> Iterator[Fault]:
    """Find ports that people's mobile numbers with digits behind them would be sources of.

    A person writes from the number alone, and is judged as one; longer, as a port.
    """
    for where, number, extension in _ports(document):
        for digits in range(min(extension, MAX_PORT_DIGITS)):
            if is_mobile(number.encode("utf-8", "replace") + b"0" * digits):
                yield document.fault(
                    (*where[:-1], "extension_digits"),
                    "digits behind a person's mobile number would make it a port:"
                    f" {digits} at most here",
                )


def _shared_ports(document: Document) -> Iterator[Fault]:
    """Find source addresses that two SPs would own, and numbers that one SP lists twice."""
    owners: dict[str, tuple[Where, int]] = {}
    for where, number, extension in _ports(document):
        owners.setdefault(number, (where, extension))
    for where, number, _ in _ports(document):
        first = _other_owner(owners, where, number)
        if first is not None:
            line = document.marks[first].line
            yield document.fault(where, f"overlaps the port in line {line}")


def _other_owner(
    owners: Mapping[str, tuple[Where, int]], where: Where, number: str
) -> Where | None:
    """Return the first port that owns `number` too, or None.

    An SP may register a longer number of its own for another purpose: the longest decides.
    """
    for length in range(1, min(len(number), MAX_PORT_DIGITS) + 1):
        other, extension = owners.get(number[:length], (where, 0))
        is_same_number = length == len(number)
        if (
            other != where
            and len(number) - length <= extension
            and (is_same_number or other[:2] != where[:2])
        ):
            return other
    return None


def _statuses(document: Document) -> Iterator[Fault]:
    """Find overrides of reasons or with statuses that there are not.

    ESME_ROK would tell the SP that a refused message was accepted.
    """
    for where, status in document.find("senders", "*", "statuses", "*"):
        if where[-1] not in Reason.__members__:
            yield document.fault(where, "no such reason", at_key=True)
        if not isinstance(status, str):
            continue  # the shape finds this
        if status not in CommandStatus.__members__ or status == CommandStatus.ESME_ROK.name:
            yield document.fault(where, "not the name of an error status, as ESME_RSUBMITFAIL is")
