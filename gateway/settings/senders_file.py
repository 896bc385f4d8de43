"""The shape of `senders.yaml`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.sender import BindType, IpNetwork, Purpose, SenderState
from gateway.settings.addresses import Network, parse_network
from gateway.settings.passwords import password_problem
from gateway.settings.schema import Count, Shape, Text, Version
from gateway.settings.webhooks import key_problem, url_problem

MAX_PORT_DIGITS = 20  # extension included

# A C-octet string of 16 with its NUL (SMPP 3.4, 5.2.1), and nothing that a log could not show.
_SYSTEM_ID = re.compile("[!-~]{1,15}")
_PORT_NUMBER = re.compile(f"[0-9]{{1,{MAX_PORT_DIGITS}}}")


def _is_system_id(text: str) -> str:
    if not _SYSTEM_ID.fullmatch(text):
        raise ValueError("must be 1 to 15 visible ASCII characters")
    return text


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


def _is_port_number(text: str) -> str:
    if not _PORT_NUMBER.fullmatch(text):
        raise ValueError(f"must be 1 to {MAX_PORT_DIGITS} digits")
    return text


SystemId = Annotated[str, AfterValidator(_is_system_id)]
Owner = Annotated[Text, Field(max_length=64)]
PortNumber = Annotated[str, AfterValidator(_is_port_number)]


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
